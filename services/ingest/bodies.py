"""Request bodies as they come: counted while they are read, unzipped under a cap; answers as small JSON."""

import asyncio
import zlib
from collections.abc import Awaitable, Callable, Mapping
from typing import Any

from shared.errors import Refused

Scope = Mapping[str, Any]
Receive = Callable[[], Awaitable[Mapping[str, Any]]]
Send = Callable[[Mapping[str, Any]], Awaitable[None]]
MOST_BODY = 4 * 1024 * 1024
BODY_SECONDS = 20.0
FIRST_FAILURE = 400
GZIP = b"\x1f\x8b"


async def read_body(receive: Receive, headers: Mapping[str, str], *, most: int = MOST_BODY) -> bytes:
    """The whole body, unzipped where it is gzip, whether its headers say so or not.

    Raises Refused: 413 over the cap, 408 too slow, 400 cut short or no gzip although the headers say so.
    """
    try:
        async with asyncio.timeout(BODY_SECONDS):
            raw = await _raw_body(receive, most)
    except TimeoutError as error:
        raise Refused("too_slow", "the body took too long", status=408) from error
    if raw[:2] == GZIP:
        return _unzipped(raw, most)
    if headers.get("content-encoding", "").strip().lower() == "gzip":
        raise Refused("malformed", "the body is not gzip, as its headers say", status=400)
    return raw


async def _raw_body(receive: Receive, most: int) -> bytes:
    parts: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise Refused("disconnected", "the caller went away", status=400)
        part = message.get("body", b"")
        size += len(part)
        if size > most:
            raise Refused("too_large", f"the body is over {most} bytes", status=413)
        parts.append(part)
        if not message.get("more_body"):
            return parts[0] if len(parts) == 1 else b"".join(parts)


def _unzipped(raw: bytes, most: int) -> bytes:
    unzip = zlib.decompressobj(wbits=31)
    try:
        body = unzip.decompress(raw, most + 1)
    except zlib.error as error:
        raise Refused("malformed", "the body is not good gzip", status=400) from error
    if len(body) > most:
        raise Refused("too_large", f"the body is over {most} bytes when unzipped", status=413)
    if not unzip.eof or unzip.unused_data:
        raise Refused("malformed", "the gzip body is cut short or has something after its end", status=400)
    return body


def headers_of(scope: Scope) -> dict[str, str]:
    """Headers by lower-case name."""
    return {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}


async def respond(send: Send, status: int, body: bytes, headers: Mapping[str, str] | None = None) -> None:
    """Send one JSON answer; a failure as problem+json."""
    kind = b"application/json" if status < FIRST_FAILURE else b"application/problem+json"
    lines = [(b"content-type", kind), (b"content-length", str(len(body)).encode())]
    lines += [(name.encode(), value.encode()) for name, value in (headers or {}).items()]
    await send({"type": "http.response.start", "status": status, "headers": lines})
    await send({"type": "http.response.body", "body": body})
