"""JSON that is nested deeper than a decoder follows: found without recursion, so that one item takes no others along.

RFC 8259 (9) lets a receiver limit the depth. NaN and Infinity are no JSON at all (6): a body with one is refused whole,
as Segment's own servers do, since what cannot be parsed cannot be split either.
"""

import re

MOST_DEEP = 500
MOST_BRACKETS = 50_000
_MARKS = re.compile(rb'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def without_deep(body: bytes, level: int) -> tuple[bytes, list[bytes]]:
    """The body with `null` for each value opened at a depth of `level` that goes on for more than MOST_DEEP levels.

    Gives those values too, as they came.

    A body of more than MOST_BRACKETS is left as it is: looking for the culprit would hold up everybody else.
    """
    if body.count(b"[") + body.count(b"{") > MOST_BRACKETS:
        return body, []
    kept: list[bytes] = []
    deep: list[bytes] = []
    depth = deepest = begun = copied = 0
    for mark in _MARKS.finditer(body):
        if mark[0] in b"[{":
            depth += 1
            begun, deepest = (mark.start(), depth) if depth == level else (begun, max(deepest, depth))
        elif mark[0] in b"]}":
            if depth == level and deepest - level > MOST_DEEP:
                kept += body[copied:begun], b"null"
                copied = mark.end()
                deep.append(body[begun:copied])
            depth -= 1
    return b"".join((*kept, body[copied:])), deep
