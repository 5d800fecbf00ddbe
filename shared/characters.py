"""Characters that not every database keeps, NUL and lone surrogates: refused at the door, so that all answer alike."""

import re
from collections.abc import Iterator, Mapping
from typing import Any

_UNKEPT = re.compile("[\0\ud800-\udfff]")
_SUSPECT = re.compile(rb"\0|\\u0000|\\u[dD][89a-fA-F]")


def kept(text: str) -> bool:
    """Whether every database can keep a text."""
    return _UNKEPT.search(text) is None


def suspect(raw: bytes) -> bool:
    """Whether JSON bytes may hold such characters; a look at the bytes only, so it may be wrong about good ones."""
    return _SUSPECT.search(raw) is not None


def asks_with_nul(scope: Mapping[str, Any]) -> bool:
    """Whether the path or query of an ASGI request holds a NUL."""
    return "\0" in scope["path"] or b"%00" in scope.get("query_string", b"")


def unkept(value: Any) -> Iterator[tuple[Any, ...]]:
    """Where in a JSON value such characters stand, however deep it is."""
    waiting: list[tuple[tuple[Any, ...], Any]] = [((), value)]
    while waiting:
        where, found = waiting.pop()
        if isinstance(found, str) and not kept(found):
            yield where
        elif isinstance(found, dict):
            waiting += [((*where, name), each) for name, each in found.items()]
            yield from ((*where, name) for name in found if not kept(name))
        elif isinstance(found, list):
            waiting += [((*where, place), each) for place, each in enumerate(found)]
