"""A load generator that costs little: raw HTTP/1.1 on kept connections, unique message ids, bounded in count."""

import asyncio
import base64
import itertools
import time

import msgspec


class Load(msgspec.Struct, frozen=True):
    """What a run of load showed: events a second, and milliseconds of the requests, sorted."""

    per_second: float
    milliseconds: list[float]

    def percentile(self, share: float) -> float:
        """The request time that `share` of the requests stayed under."""
        return self.milliseconds[min(len(self.milliseconds) - 1, int(share * len(self.milliseconds)))]


EVENT = (
    b'{"type":"track","event":"Product Viewed","userId":"u%d","anonymousId":"a-5d3b1c","messageId":"m-%d-%d",'
    b'"timestamp":"2026-11-01T10:00:00.000Z","context":{"library":{"name":"analytics-python","version":"2.4.0"},'
    b'"ip":"203.0.113.7","userAgent":"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36","locale":"es-ES"},'
    b'"properties":{"product_id":"507f1f77bcf86cd799439011","sku":"G-32","category":"Games","name":"Monopoly: 3rd '
    b'Edition","brand":"Hasbro","price":18.99,"quantity":1,"currency":"EUR","url":"https://shop.example/p/32"}}'
)


def _request(port: int, key: str, body: bytes) -> bytes:
    basic = base64.b64encode(f"{key}:".encode()).decode()
    head = (
        f"POST /v1/batch HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Basic {basic}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    )
    return head.encode() + body


async def run(port: int, key: str, *, connections: int, requests: int, batch: int, run_id: int) -> Load:
    """Post `requests` batches of `batch` events over `connections`; raises AssertionError on any answer but 200."""
    numbers = itertools.count()
    taken = itertools.count()
    times: list[float] = []

    async def work() -> None:
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        while next(taken) < requests:
            events = b",".join(EVENT % (n % 997, run_id, n) for n in itertools.islice(numbers, batch))
            begun = time.perf_counter()
            writer.write(_request(port, key, b'{"batch":[' + events + b'],"sentAt":"2026-11-01T10:00:00.000Z"}'))
            head = await reader.readuntil(b"\r\n\r\n")
            if not head.startswith(b"HTTP/1.1 200"):
                raise AssertionError(head)
            await reader.readexactly(int(head.lower().split(b"content-length: ")[1].split(b"\r")[0]))
            times.append((time.perf_counter() - begun) * 1000)
        writer.close()

    begun = time.perf_counter()
    await asyncio.wait_for(asyncio.gather(*(work() for _ in range(connections))), 60)
    took = time.perf_counter() - begun
    return Load(requests * batch / took, sorted(times))
