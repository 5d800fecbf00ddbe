"""Connections that do nothing, headers that never end, lines smuggled into headers: everybody else is answered."""

import resource
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from tests.faults.house import House
from tests.faults.inside import Inside
from tests.faults.trade import native

IDLE, SLOW = 1_000, 100
FILES = 4_096
SMUGGLED = (
    b"GET /v1/customers/a%0d%0aset-cookie:%20x=1 HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /v1/orders?cursor=%0d%0aset-cookie:%20x=1 HTTP/1.1\r\nhost: a\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nhost: a\r\ntraceparent: 00\rset-cookie: x=1\r\n\r\n",
    b"GET /health/live HTTP/1.1\r\nhost: a\r\nx: \0\r\n\r\n",
    b"POST /v1/events HTTP/1.1\r\nhost: a\r\nidempotency-key: a\n set-cookie: x=1\r\ncontent-length: 2\r\n\r\n{}",
    b"POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}}",
    b"POST /v1/events HTTP/1.1\r\nhost: a\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
    b"GET / HTTP/9.9\r\n\r\n",
    b"\x16\x03\x01\x02\x00",
)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """An installation, and as many open files as it takes."""
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(before[0], min(FILES, before[1])), before[1]))
    made = House(tmp_path, {})
    try:
        made.build()
        yield made
    finally:
        made.pull_down()
        resource.setrlimit(resource.RLIMIT_NOFILE, before)


def connected(house: House) -> socket.socket:
    """A connection to the process."""
    host, port = house.address("ingest").removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), timeout=10)


def bought(house: House, number: int) -> int:
    """The status that a purchase is answered with."""
    line = {"product": "tea", "price": 900}
    data = {"order_id": str(number), "customer": {"id": str(number)}, "lines": [line]}
    event = native(str(number), "purchase", house.now, data).body
    return house.once("POST", "/v1/events", json=event).status_code


def test_idle_connections_and_headers_that_never_end_hold_nobody_up(house: House) -> None:
    with ExitStack() as stack:
        idle = [stack.enter_context(connected(house)) for _ in range(IDLE)]
        slow = [stack.enter_context(connected(house)) for _ in range(SLOW)]
        for number in range(20):
            for one in slow:
                one.sendall(b"POST /v1/events HTTP/1.1\r\n" if not number else b"x-%d: a\r\n" % number)
            assert bought(house, number) == 200
        assert len(idle) == IDLE
        assert house.once("GET", "/health/ready").status_code == 200
    with closing(Inside(house)) as inside:
        inside.rests()
    assert house.verify()["loyalty"]["counters"]["effected:ingest:order.paid"] == 20


def test_lines_smuggled_into_a_request_come_back_in_no_header(house: House) -> None:
    for request in SMUGGLED:
        with connected(house) as one:
            one.sendall(request)
            one.shutdown(socket.SHUT_WR)
            answer = b""
            while part := one.recv(65_536):
                answer += part
        head = answer.partition(b"\r\n\r\n")[0].lower()
        assert b"set-cookie" not in head, request
        assert not head.startswith((b"http/1.1 5", b"http/1.0 5")), (request, answer)
    assert bought(house, 1) == 200
