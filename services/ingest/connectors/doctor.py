"""The signature doctor: of a body whose signature is wrong, what was most likely done to it or to its secret."""

import base64
import hashlib
import hmac
import html
import json
from collections.abc import Iterator, Mapping, Sequence
from itertools import accumulate

import msgspec
import orjson

MOST_BYTES = 64 * 1024
MOST_SECRETS = 3
DEEPEST = 20
BOM = b"\xef\xbb\xbf"
_STEPS = [(byte in b"[{") - (byte in b"]}") for byte in range(256)]
_any = msgspec.json.Decoder().decode


def diagnose(raw: bytes, given: str, secrets: Mapping[str, str]) -> str:
    """Which secret, encoding or alteration would make an HMAC-SHA256 of the body right, in words."""
    if not given:
        return "the signature header is missing"
    signatures = dict(_signatures(given))
    if not signatures:
        return "the signature is no SHA-256 digest in base64 or hex"
    if len(raw) > MOST_BYTES:
        return "no active secret of this source signed the body"
    bodies = list(_bodies(raw))
    for name, secret in list(secrets.items())[:MOST_SECRETS]:
        for altered, body, key in _suspects(raw, secret, bodies):
            found = signatures.get(hmac.new(key, body, hashlib.sha256).digest())
            if found is not None:
                return f"not signed as it came, but secret {name} matches {altered}{found}"
    return "no active secret of this source signed the body, nor anything like it"


def _signatures(given: str) -> Iterator[tuple[bytes, str]]:
    """(digest, how it is written) for each way to read a signature."""
    text = given.strip().removeprefix("sha256=")
    try:
        if len(text) == 2 * hashlib.sha256().digest_size:
            yield bytes.fromhex(text), " (written in hex)"
            return
        digest = base64.b64decode(text.replace("-", "+").replace("_", "/") + "=" * (-len(text) % 4), validate=True)
    except ValueError:
        return
    if len(digest) == hashlib.sha256().digest_size:
        yield digest, ""


def _suspects(raw: bytes, secret: str, bodies: Sequence[tuple[str, bytes]]) -> Iterator[tuple[str, bytes, bytes]]:
    """(what was altered, body, key): the usual accidents, one at a time."""
    key = secret.encode()
    yield "this very body", raw, key
    yield "with the secret's surrounding spaces taken off", raw, key.strip()
    yield "with the secret's HTML entities decoded", raw, html.unescape(secret).encode()
    yield "with the secret encoded in base64", raw, base64.b64encode(key)
    if unbased := _unbased(secret):
        yield "with the secret decoded from base64", raw, unbased
    for altered, body in bodies:
        yield altered, body, key


def _unbased(secret: str) -> bytes:
    try:
        return base64.b64decode(secret, validate=True)
    except ValueError:
        return b""


def _bodies(raw: bytes) -> Iterator[tuple[str, bytes]]:
    yield "the body without its byte order mark", raw.removeprefix(BOM)
    yield "the body with a byte order mark before it", BOM + raw
    yield "the body without white space around it", raw.strip()
    yield "the body with a line feed at its end", raw.rstrip() + b"\n"
    yield "the body with line ends as CR LF", raw.replace(b"\r\n", b"\n").replace(b"\n", b"\r\n")
    try:
        value = _any(raw)
        for body in _written(value):
            yield "the body before it was parsed and written again (re-serialised)", body
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, TypeError, ValueError):
        return


def _depth(text: bytes) -> int:
    """How deep brackets nest at most; those within strings count too."""
    return max(accumulate(map(_STEPS.__getitem__, text)), default=0)


def _written(value: object) -> Iterator[bytes]:
    """JSON as the usual libraries write it: compact, spaced, escaped."""
    compact = orjson.dumps(value)
    yield compact
    yield compact.replace(b"/", b"\\/")
    yield msgspec.json.format(compact, indent=0)
    if _depth(compact) <= DEEPEST:  # else the indentation would be many times the body
        yield msgspec.json.format(compact, indent=2)
    yield orjson.dumps(value, option=orjson.OPT_SORT_KEYS)
    yield json.dumps(value, separators=(",", ":")).encode()
    yield json.dumps(value).encode()
