"""Calls of an API over kept connections, each with a body of its own; every one has to be answered as expected.

Who is told 503, that too much is waiting, asks again a little later, as every client does: that counts as waiting.
"""

import asyncio
import itertools
import time
from collections.abc import Callable

from tests.bench.load import Load

MOST_SECONDS = 120
BUSY, BUSY_SECONDS = 503, 0.05


def request(verb: str, path: str, key: str, number: int, body: bytes = b"") -> bytes:
    """One request; its number is its idempotency key."""
    head = (
        f"{verb} {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {key}\r\n"
        f"Idempotency-Key: call-{number}\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def called(port: int, make: Callable[[int], bytes], *, connections: int, numbers: range, status: int) -> Load:
    """Make the requests of these numbers and send each once; raises AssertionError on any other answer."""
    left = iter(numbers)
    times: list[float] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        for number in left:
            begun = time.perf_counter()
            while (answered := await _answered(reader, writer, make(number))) == BUSY:
                await asyncio.sleep(BUSY_SECONDS)
            if answered != status:
                raise AssertionError(f"{answered} to call {number}")
            times.append((time.perf_counter() - begun) * 1000)
        writer.close()

    begun = time.perf_counter()
    await asyncio.wait_for(asyncio.gather(*itertools.starmap(work, [()] * connections)), MOST_SECONDS)
    return Load(len(numbers) / (time.perf_counter() - begun), sorted(times))


async def _answered(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, asked: bytes) -> int:
    """The status of the answer to one request."""
    writer.write(asked)
    head = await reader.readuntil(b"\r\n\r\n")
    await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
    return int(head.split(b" ", 2)[1])
