"""A whole installation in one process, its business clock moved by hand and its loops stepped until all is quiet."""

import asyncio
import atexit
import os
import shutil
import tempfile
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import datetime, timedelta
from functools import cache, partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import httpx
from sqlalchemy import Executable

from shared import migrate
from shared.books import Verdict
from shared.bus.base import Bus, Outgoing
from shared.clock import Clock
from shared.db.base import Database
from shared.errors import Unavailable
from shared.events import Event, Fact, decode
from shared.relay import beats_of
from shared.running import Running
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings
from shared.tx import outbox_row

Prepare = Callable[[Service, str], Awaitable[None]]
Adapters = Callable[[Sequence[Service], Settings, Clock], tuple[Bus, Mapping[str, Database]]]
STEPS_AT_MOST = 3_000


class World:
    """Services under test: posts come in by real ASGI, facts by the real bus, time by hand."""

    def __init__(
        self,
        services: Sequence[Service],
        settings: Settings,
        *,
        batch_size: int | None = None,
        adapters: Adapters | None = None,
    ) -> None:
        self.clock = Clock()
        self.settings = settings
        self._patience = 0.02 if settings.bus_url.startswith("kafka") else 0.0  # the log has at once what it has at all
        bus, databases = (None, None) if adapters is None else adapters(services, settings, self.clock)
        self.runtime = Runtime(
            services, settings, clock=self.clock, bus=bus, databases=databases, batch_size=batch_size
        )
        self.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(self.runtime.front, raise_app_exceptions=False), base_url="http://world"
        )

    @property
    def running(self) -> list[Running]:
        """The services as they run."""
        return self.runtime.running

    def of(self, name: str) -> Running:
        """One service as it runs."""
        return self.runtime.of(name)

    @property
    def now(self) -> datetime:
        """Business time."""
        return self.clock.now()

    async def post(self, path: str, json: Any = None, **given: Any) -> httpx.Response:
        """POST to the real app."""
        return await self.http.post(path, json=json, **given)

    async def get(self, path: str, **given: Any) -> httpx.Response:
        """GET from the real app."""
        return await self.http.get(path, **given)

    async def publish(self, *events: Event[Any]) -> None:
        """Put facts on the bus as their owner's relay would."""
        rows = [outbox_row(event, event.fact.topic) for event in events]
        await self.runtime.bus.publish([Outgoing(r.topic, r.partition, r.key, r.head, r.body) for r in rows])

    async def publish_broken(self, event: Event[Any]) -> None:
        """Put a fact on the bus whose envelope is whole and whose body ends too soon."""
        row = outbox_row(event, event.fact.topic)
        await self.runtime.bus.publish([Outgoing(row.topic, row.partition, row.key, row.head, row.body[:-9])])

    async def beat(self) -> None:
        """Tell every partition that ingest has caught up with business time, as its relay would."""
        await self.runtime.bus.publish(beats_of(self.now, {}))

    async def settle(self) -> None:
        """Step every loop until nothing moves, twice in a row, heartbeats through."""
        quiet = 0
        for _ in range(STEPS_AT_MOST):
            if await self._round() or await self._lagging():
                quiet = 0
                continue
            quiet += 1
            if quiet == 3:
                return
            await self._beat()
        waits = {one.service.name: one.inbox.waiting_for for one in self.running}
        raise AssertionError(f"the world does not come to rest: {waits}")

    async def _beat(self) -> None:
        owners = [one for one in self.running if one.service.owns_setup]
        for one in owners:
            one.relay.beat_now()
            await one.publish()
        if not owners:
            await self.beat()

    async def _round(self) -> int:
        moved = 0
        for one in self.running:
            for step in self._steps(one):
                moved += await tried(step)
        return moved

    def _steps(self, one: Running) -> list[Any]:
        loops = [loop.step for name, loop in one.loops.items() if name != "accept"]
        return [*loops, one.publish, lambda: take_facts(one, self._patience), one.timers.step]

    @property
    def loops(self) -> dict[str, Callable[[], Awaitable[int]]]:
        """One step of each loop by its name (`ingest relay`, `loyalty inbox`, …), for those who choose which moves."""
        found: dict[str, Callable[[], Awaitable[int]]] = {}
        for one in self.running:
            names = [name for name in one.loops if name != "accept"]
            for name, step in zip([*names, "relay", "inbox", "timers"], self._steps(one), strict=True):
                found[f"{one.service.name} {name}"] = partial(tried, step)
        return found

    async def _lagging(self) -> bool:
        for one in self.running:
            if await self.runtime.bus.lag(one.service.name, one.inbox.topics):
                return True
        return False

    async def passes(self, **spans: float) -> None:
        """Let business time pass, stopping at every timer that falls due on the way."""
        until = self.now + timedelta(**spans)
        await self.settle()
        while (due := await self._next_due()) is not None and due < until:
            if due > self.now:
                self.clock.move_to(due.replace(second=0, microsecond=0) + timedelta(minutes=1))
            await self.settle()
        self.clock.move_to(until)
        await self.settle()

    async def _next_due(self) -> datetime | None:
        dues = []
        for one in self.running:
            async with one.db.read() as reader:
                dues.append(await one.timers.next_due(reader))
        return min((due for due in dues if due is not None), default=None)

    async def rows(self, service: str, statement: Executable) -> list[tuple[Any, ...]]:
        """Rows of one service's database."""
        async with self.of(service).db.read() as reader:
            return [tuple(row) for row in await reader.fetch(statement)]

    async def facts(self, service: str, *kinds: type[Fact]) -> list[Fact]:
        """The facts a service has told, oldest first, read from the bus under a group of its own."""
        subscription = await self.runtime.bus.subscribe(f"test-{uuid4()}", [service])
        try:
            found: list[Fact] = []
            while records := await subscription.fetch(500, 1.0 if not found else 0.3):
                for record in records:
                    if "ce_dataschema" in record.headers:
                        type_, version = (
                            record.headers["ce_type"],
                            int(record.headers["ce_dataschema"].rsplit("/", 1)[1]),
                        )
                        fact = decode(type_, version, record.body)
                        if fact is not None and (not kinds or isinstance(fact, kinds)):
                            found.append(fact)
            return found
        finally:
            await subscription.close()

    async def verify(self) -> Verdict:
        """Prove the books."""
        await self.settle()
        return await self.runtime.verify(wait_seconds=0)


async def take_facts(one: Running, wait_seconds: float = 0.02) -> int:
    """One step of the inbox; heartbeats alone do not count as movement."""
    before = one.inbox.effected
    await one.inbox.step(wait_seconds)
    return one.inbox.effected - before


async def tried(step: Any) -> int:
    try:
        return int(await step())
    except Unavailable:
        return 0


async def _accepting(one: Running) -> None:
    accept = one.loops["accept"]
    while True:
        await tried(accept.step)


async def migrated(service: Service, url: str) -> None:
    """Migrate a database: the first one of each service is kept, and later ones are copies of it."""
    if url.startswith("sqlite"):
        await _copied_file(service, Path(url.removeprefix("sqlite:///")))
    else:
        await _copied_database(service, *url.rsplit("/", 1))


async def _copied_file(service: Service, file: Path) -> None:
    template = _templates() / f"{service.name}.db"
    if not template.exists():
        await migrate.upgrade(service, f"sqlite:///{template}")
    file.parent.mkdir(parents=True, exist_ok=True)
    if not file.exists():
        shutil.copyfile(template, file)


async def _copied_database(service: Service, server: str, name: str) -> None:
    template = f"migrated_{service.name}_{os.getpid()}"  # of this process: a database in use cannot be copied
    connection = await asyncpg.connect(f"{server}/postgres")
    try:
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", template):
            await connection.execute(f"CREATE DATABASE {template} TEMPLATE template0")
            await migrate.upgrade(service, f"{server}/{template}")
        if not await connection.fetchval("SELECT 1 FROM pg_database WHERE datname = $1", name):
            await connection.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
    finally:
        await connection.close()


@cache
def _templates() -> Path:
    """Where this process keeps migrated databases."""
    folder = Path(tempfile.mkdtemp(prefix="querencia-templates-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    return folder


def _topics_of(world: World) -> set[str]:
    """What the services of a world read and write: a broker takes its time over each partition."""
    return {topic for one in world.running for topic in (one.service.name, *one.inbox.topics)}


@asynccontextmanager
async def a_world(
    services: Sequence[Service],
    folder: Path,
    *,
    database_url: str = "",
    bus_url: str = "",
    topic_prefix: str = "",
    batch_size: int | None = None,
    prepare: Prepare = migrated,
    adapters: Adapters | None = None,
    **given: Any,
) -> AsyncIterator[World]:
    """A migrated installation, opened and closed again."""
    settings = Settings(
        data_dir=folder,
        database_url=database_url,
        bus_url=bus_url,
        topic_prefix=topic_prefix,
        database_connections=5,
        _env_file=None,
        **given,
    )
    for service in services:
        await prepare(service, settings.database_of(service.name))
    world = World(services, settings, batch_size=batch_size, adapters=adapters)
    await world.runtime.bus.open()
    await world.runtime.bus.make_topics(sorted({"ingest", *_topics_of(world)}))
    await world.runtime.open()
    accepting = [asyncio.create_task(_accepting(one)) for one in world.running if "accept" in one.loops]
    try:
        yield world
    finally:
        for task in accepting:
            task.cancel()
        await asyncio.gather(*accepting, return_exceptions=True)
        await world.http.aclose()
        await world.runtime.close()
