"""Health, metrics and books: for operators, each process on its own port."""

import asyncio
from datetime import datetime
from typing import TYPE_CHECKING

from fastapi import APIRouter, Response
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from shared import books
from shared.clock import machine_seconds
from shared.errors import Unavailable
from shared.observe import METRICS
from shared.web import answer

if TYPE_CHECKING:
    from shared.running import Running
    from shared.runtime import LoopState, Runtime

STALE_SECONDS = 30.0
LAG_SECONDS = 2.0


def health_routes(runtime: "Runtime") -> APIRouter:
    """The routes of one process."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> Response:
        return answer({"live": True})

    @router.get("/health/ready")
    async def ready() -> Response:
        found = {one.service.name: await _readiness(one) for one in runtime.running}
        return answer(found, 200 if all(state == "ready" for state in found.values()) else 503)

    @router.get("/health/pipeline")
    async def pipeline() -> Response:
        loops = [_loop(state) for state in runtime.states]
        parts = [await _part(one) for one in runtime.running]
        well = all(loop["well"] for loop in loops) and all(part["well"] for part in parts)
        return answer({"well": well, "loops": loops, "services": parts}, 200 if well else 503)

    @router.get("/metrics")
    async def metrics() -> Response:
        for one in runtime.running:
            await _part(one)
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    @router.get("/books")
    async def kept_books() -> Response:
        return answer(await books.read_all(runtime.running))

    return router


async def _readiness(one: "Running") -> str:
    try:
        return "ready" if await one.is_ready() else "the set-up has not been read yet"
    except Unavailable as error:
        return str(error)


def _loop(state: "LoopState") -> dict[str, object]:
    silent = machine_seconds() - state.last_good
    failure = state.failure or (f"no step has ended well for {silent:.1f} s" if silent >= state.silence else "")
    return {
        "service": state.service,
        "loop": state.name,
        "well": not failure,
        "waiting_for": state.waiting_for,
        "failure": failure,
        "seconds_since_good": round(silent, 1),
    }


async def _part(one: "Running") -> dict[str, object]:
    name = one.service.name
    try:
        async with one.db.read() as reader:
            kept = await books.books_of(reader, one.service)
            horizon = await one.timers.horizon(reader)
            oldest = await one.relay.oldest(reader)
    except Unavailable as error:
        return {"service": name, "error": str(error), "well": False}
    lag = await _lag(one)
    parked = sum(kept.parked.values())
    age, waited = _age(one, horizon.lowest), _age(one, oldest) or 0.0
    METRICS.parked_now.labels(name).set(parked)
    METRICS.outbox.labels(name).set(kept.outbox)
    METRICS.outbox_age.labels(name).set(waited)
    METRICS.heartbeat_age.labels(name).set(age or 0)
    return {
        "service": name,
        "parked": parked,
        "outbox": kept.outbox,
        "outbox_age_seconds": waited,
        "lag": lag,
        "heartbeat_age_seconds": age,
        "facts_wait_for": one.inbox.waiting_for,
        "well": all(machine_seconds() - since < STALE_SECONDS for since, _reason in one.inbox.waiting.values()),
    }


def _age(one: "Running", moment: datetime | None) -> float | None:
    """Business seconds since a moment."""
    return None if moment is None else max(0.0, (one.clock.now() - moment).total_seconds())


async def _lag(one: "Running") -> int | None:
    """Records on the bus that the service has not taken in; None while the bus does not say."""
    try:
        async with asyncio.timeout(LAG_SECONDS):
            lag = await one.bus.lag(one.service.name, one.inbox.topics)
    except (Unavailable, TimeoutError):
        return None
    METRICS.lag.labels(one.service.name).set(lag)
    return lag
