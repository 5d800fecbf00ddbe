"""What an operator is told: no loop fails or falls silent unseen, and readiness means that HTTP answers."""

import asyncio
import dataclasses
import gc
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Annotated, Any

import httpx
import pytest
from fastapi import Depends, Request, Response
from sqlalchemy import select

from shared.access import Caller, any_caller
from shared.bus.base import Bus, Outgoing
from shared.bus.log import LogBus
from shared.db.thread import Thread
from shared.errors import Unavailable
from shared.events import Event
from shared.events.config import AccountConfigured
from shared.openapi import Router
from shared.runtime import Runtime
from shared.service import Pace, Service
from shared.settings import Settings
from shared.tx import outbox_row
from shared.web import answer, reading
from tests.builders import an_event, paid
from tests.contracts.test_waiting import Flaky
from tests.contracts.till import Till, create_tables, member

PATIENCE_SECONDS = 20
NOBODY = {"authorization": "Bearer qs_nobody"}
SETUP = an_event(AccountConfigured(id="acc_1", revision=1, name="Té"), customer="")
router = Router()


@router.get("/v1/total/{customer}")
async def total(request: Request, customer: str) -> Response:
    """What a customer paid: the member API of this test."""
    async with reading(request) as reader:
        rows = await reader.fetch(select(member.c.total).where(member.c.customer == customer))
    return answer({"total": sum(int(row[0]) for row in rows)})


@router.get("/v1/caller")
async def who(caller: Annotated[Caller, Depends(any_caller)]) -> Response:
    """Whose key it is."""
    return answer({"account": caller.account})


class Errand:
    """A loop that can be told to fail, by `bug`, and to fall silent, by clearing `free`."""

    pace = Pace(rest=0.01, back_off=0.05, silence=1.0)

    def __init__(self) -> None:
        self.bug = ""
        self.free = asyncio.Event()
        self.free.set()

    async def step(self) -> int:
        """Do nothing, in the way it was told to."""
        if self.bug:
            raise LookupError(self.bug)
        await self.free.wait()
        return 0


class Fickle(LogBus):
    """A log that may be away."""

    away = False

    @property
    def thread(self) -> Thread:
        """The connection's thread; raises Unavailable while it is away."""
        if self.away:
            raise Unavailable("the bus is away")
        return super().thread


class House:
    """A process with its loops running, and whoever asks it."""

    def __init__(self, runtime: Runtime, http: httpx.AsyncClient) -> None:
        self.runtime = runtime
        self.http = http

    async def hears(self, *events: Event[Any]) -> None:
        """Facts come by the bus."""
        rows = [outbox_row(event, event.fact.topic) for event in events]
        await self.runtime.bus.publish([Outgoing(r.topic, r.partition, r.key, r.head, r.body) for r in rows])

    async def comes_to(self, path: str, is_so: Callable[[httpx.Response], bool]) -> httpx.Response:
        """Ask until an answer is as wanted; gives that answer."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not is_so(found := await self.http.get(path)):
                pass
        return found

    async def takes_in(self, customer: str, amount: int) -> None:
        """A paid order comes in, has its effect, and the member API shows it."""
        await self.hears(paid(customer=customer, number=customer, total=amount))
        await self.comes_to(f"/v1/total/{customer}", lambda found: found.json() == {"total": amount})

    async def status(self, path: str) -> int:
        """The status that a path answers now."""
        return (await self.http.get(path)).status_code

    async def restarts(self, loop: str) -> float:
        """How often a loop was started again, by the metrics."""
        return restarts_in(await self.http.get("/metrics"), loop)


@asynccontextmanager
async def a_house(service: Service, folder: Path, *, bus: Bus | None = None, bus_url: str = "") -> AsyncIterator[House]:
    """A process on SQLite and the log, from start to end."""
    folder.mkdir(exist_ok=True)
    settings = Settings(data_dir=folder, _env_file=None, bus_url=bus_url)
    await create_tables(service, settings.database_of(service.name))
    runtime = Runtime([service], settings, bus=bus)
    transport = httpx.ASGITransport(runtime.front, raise_app_exceptions=False)
    usual = gc.get_threshold()
    try:
        async with (
            runtime.app.router.lifespan_context(runtime.app),
            httpx.AsyncClient(transport=transport, base_url="http://house") as http,
        ):
            yield House(runtime, http)
    finally:
        gc.unfreeze()
        gc.set_threshold(*usual)


@pytest.fixture
def errand() -> Errand:
    """A loop that works."""
    return Errand()


@pytest.fixture
def service(till: Till, errand: Errand) -> Service:
    """The till with a loop and a member API."""
    return dataclasses.replace(till.service(), router=router, loops={"errand": lambda _running: errand})


@pytest.fixture
async def house(service: Service, tmp_path: Path) -> AsyncIterator[House]:
    """That service in a process that is well and ready."""
    async with a_house(service, tmp_path) as made:
        await made.hears(SETUP)
        await made.comes_to("/health/ready", ok)
        await made.comes_to("/health/pipeline", ok)
        yield made


def ok(found: httpx.Response) -> bool:
    """Whether all is well."""
    return found.status_code == 200


def unwell(found: httpx.Response) -> bool:
    """Whether it is said that something is not."""
    return found.status_code == 503


def unwell_loops(found: httpx.Response) -> dict[str, str]:
    """Why loops are unwell, by their names."""
    return {loop["loop"]: loop["failure"] for loop in found.json()["loops"] if not loop["well"]}


def restarts_in(found: httpx.Response, loop: str) -> float:
    """How often the metrics say that a loop was started again."""
    wanted = f'querencia_loop_restarts_total{{loop="{loop}",service="loyalty"}} '
    return sum(float(line.removeprefix(wanted)) for line in found.text.splitlines() if line.startswith(wanted))


async def test_a_loop_that_fails_is_told_of_and_holds_up_nothing_else(house: House, errand: Errand) -> None:
    before = await house.restarts("errand")
    errand.bug = "the way is lost"
    found = await house.comes_to("/health/pipeline", unwell)
    assert unwell_loops(found)["errand"] == "LookupError: the way is lost"
    await house.takes_in("cus_ana", 700)
    await house.comes_to("/metrics", lambda found: restarts_in(found, "errand") >= before + 2)
    assert await house.status("/health/ready") == 200
    errand.bug = ""
    await house.comes_to("/health/pipeline", ok)


async def test_a_loop_that_falls_silent_is_told_of_and_holds_up_nothing_else(house: House, errand: Errand) -> None:
    errand.free.clear()
    found = await house.comes_to("/health/pipeline", unwell)
    reason = unwell_loops(found)["errand"]
    assert reason.startswith("no step has ended well for ")
    await house.takes_in("cus_ana", 700)
    assert await house.status("/health/pipeline") == 503
    assert await house.status("/health/ready") == 200
    errand.free.set()
    await house.comes_to("/health/pipeline", ok)


async def test_a_consumer_with_a_bug_is_told_of_and_takes_in_what_came_meanwhile(
    service: Service, tmp_path: Path
) -> None:
    flaky = Flaky(0)
    async with a_house(dataclasses.replace(service, load=flaky), tmp_path) as house:
        await house.hears(SETUP)
        await house.comes_to("/health/ready", ok)
        await house.takes_in("cus_ana", 700)
        before = await house.restarts("inbox")
        flaky.failures = 1_000_000
        await house.hears(paid(customer="cus_bea", total=30))
        found = await house.comes_to("/health/pipeline", unwell)
        assert unwell_loops(found)["inbox"] == "LookupError: a bug in load"
        assert (await house.http.get("/v1/total/cus_ana")).json() == {"total": 700}
        assert await house.status("/health/ready") == 200
        assert await house.restarts("inbox") > before
        flaky.failures = 0
        await house.comes_to("/v1/total/cus_bea", lambda found: found.json() == {"total": 30})
        await house.comes_to("/health/pipeline", ok)


async def test_nobody_is_ready_before_the_setup_was_read(service: Service, tmp_path: Path) -> None:
    async with a_house(service, tmp_path) as house:
        found = await house.http.get("/health/ready")
        assert (found.status_code, found.json()) == (503, {"loyalty": "the set-up has not been read yet"})
        assert (await house.http.get("/v1/caller", headers=NOBODY)).status_code == 401
        assert await house.status("/health/ready") == 503, "a stranger's key makes nobody ready"
        await house.hears(SETUP)
        found = await house.comes_to("/health/ready", ok)
        assert found.json() == {"loyalty": "ready"}


async def test_who_has_read_the_setup_stays_ready_without_a_bus(service: Service, tmp_path: Path) -> None:
    bus = Fickle(str(tmp_path / "bus.db"))
    async with a_house(service, tmp_path, bus=bus) as house:
        await house.hears(SETUP)
        await house.comes_to("/health/ready", ok)
        await house.takes_in("cus_ana", 700)
        bus.away = True
        await house.comes_to("/health/pipeline", lambda found: '"waiting_for":"the bus is away"' in found.text)
        assert await house.status("/health/ready") == 200
        assert (await house.http.get("/v1/total/cus_ana")).json() == {"total": 700}
        bus.away = False
        await house.takes_in("cus_bea", 30)


async def test_who_starts_without_a_broker_is_ready_by_what_was_read_before(
    service: Service, tmp_path: Path, unused_tcp_port: int
) -> None:
    away = f"kafka://127.0.0.1:{unused_tcp_port}"
    async with a_house(service, tmp_path / "new", bus_url=away) as house:
        assert await house.status("/health/ready") == 503
    async with a_house(service, tmp_path / "old") as house:
        await house.hears(SETUP)
        await house.comes_to("/health/ready", ok)
        await house.takes_in("cus_ana", 700)
    async with a_house(service, tmp_path / "old", bus_url=away) as house:
        assert await house.status("/health/ready") == 200
        assert (await house.http.get("/v1/total/cus_ana")).json() == {"total": 700}
