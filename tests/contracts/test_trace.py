"""The caller's trace context goes along: from the request to its fact on the bus and to what is told because of it."""

import asyncio
from pathlib import Path
from typing import Any, cast
from uuid import uuid4

import pytest
import structlog
from fastapi import FastAPI
from msgspec.structs import replace
from structlog.testing import capture_logs

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from shared.bus.base import Record
from shared.front import Front
from shared.observe import traceparent
from tests.builders import paid
from tests.conftest import IN_ONE_MODE
from tests.contracts.till import Till
from tests.ingest.shop import open_shop
from tests.world import World, a_world

TEA = {"product": "tea", "title": "Tea", "quantity": 2, "price": 1250}
ONE = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
OTHER = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00"


async def records(world: World, topic: str, type_: str) -> list[Record]:
    """The records of one type of fact as they are on the bus."""
    subscription = await world.runtime.bus.subscribe(f"test-{uuid4()}", [topic])
    found: list[Record] = []
    try:
        while taken := await subscription.fetch(500, 1.0 if not found else 0.3):
            found += [record for record in taken if record.headers.get("ce_type") == type_]
        return found
    finally:
        await subscription.close()


async def test_a_trace_goes_from_the_request_to_what_is_told_because_of_it(
    mode: dict[str, Any], tmp_path: Path
) -> None:
    async with a_world([ingest, loyalty], tmp_path, **mode) as world:
        shop = await open_shop(world)
        traces = {"1001": ONE, "1002": OTHER}
        for number, trace in traces.items():
            data = {"order_id": number, "customer": {"id": number}, "lines": [TEA]}
            assert (await shop.native("purchase", data, traceparent=trace)).status_code == 200
        await world.settle()
        paid = await records(world, "ingest", "order.paid")
        rated = await records(world, "loyalty", "order.rated")
        assert sorted(record.headers["ce_traceparent"] for record in paid) == sorted(traces.values())
        by_cause = {record.headers["ce_id"]: record.headers["ce_traceparent"] for record in paid}
        told = [(record.headers["ce_causationid"], record.headers["ce_traceparent"]) for record in rated]
        assert dict(told) == by_cause


@IN_ONE_MODE
async def test_what_is_parked_is_found_in_the_log_by_its_trace(world: World, till: Till) -> None:
    till.fails_on.add("13")
    with capture_logs() as lines:
        await world.publish(replace(paid(number="13"), trace=ONE))
        await world.settle()
    assert [line["trace"] for line in lines if line["event"] == "parked"] == [ONE]


async def test_what_is_logged_while_a_request_is_answered_names_its_trace() -> None:
    async def app(_scope: Any, _receive: Any, _send: Any) -> None:
        structlog.get_logger().error("something is wrong")

    front = Front(cast(FastAPI, app), {"/hot": app}, {}, {})
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        for path, trace in (("/hot", ONE), ("/other", OTHER), ("/other", "")):
            headers = [(b"traceparent", trace.encode())] if trace else []
            scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": headers}
            await asyncio.create_task(front(scope, None, None))  # each request is a task of its own
    assert [line.get("trace", "") for line in lines] == [ONE, OTHER, ""]


@pytest.mark.parametrize(
    "given",
    ["", "x" * 55, ONE.replace("4bf9", "4BF9"), ONE.replace("4b", "é"), f"ff{ONE[2:]}", f"00-{'0' * 32}{ONE[35:]}"],
)
def test_what_is_no_trace_context_is_replaced_by_a_new_one(given: str) -> None:
    made = traceparent(given)
    assert made != given
    assert traceparent(made) == made
