"""A whole Querencia of the demo's own: embedded, on SQLite in a fresh folder, its business clock moved by hand."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime, timedelta
from pathlib import Path

import uvicorn

from services.ingest.setup import NewStore, Wanted, make_store
from services.ingest.vault import vault_of
from shared import migrate
from shared.clock import Clock
from shared.errors import Unavailable
from shared.partition import PARTITIONS
from shared.running import Running
from shared.runtime import Runtime
from shared.service import Service
from shared.settings import Settings

HOST = "127.0.0.1"
WANTED_PORT = 8000
GRID = timedelta(minutes=10)
BEATS_AT_MOST = 5
SHOP = Wanted(
    account_name="CDNOW replay",
    name="Querencia Records",
    currency="USD",
    zone="America/New_York",
    locale="en",
    url="https://shop.example.com",
    email="shop@example.com",
)


class Installation:
    """The services of one process, stepped until quiet whenever business time has been moved."""

    def __init__(self, services: Sequence[Service], settings: Settings, start: datetime) -> None:
        self.settings = settings
        self.clock = Clock()
        self.clock.move_to(start)
        self.runtime = Runtime(services, settings, clock=self.clock)

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{HOST}:{self.settings.http_port}"

    async def open_shop(self) -> NewStore:
        """Make the shop's account, store, keys and webhook source, as `run` does in an empty folder."""
        async with self.runtime.of("ingest").db.write() as tx:
            made = await make_store(tx, vault_of(self.settings), SHOP)
        await self.settle()
        return made

    async def settle(self, *, handed_in: bool = True) -> None:
        """Let everything take its effect that was handed in or has fallen due; who has nothing to do sleeps on."""
        if handed_in:
            await _drained(self.runtime.of("ingest"))
        due = await self._due()
        awake = self.runtime.running if handed_in else due
        for _ in range(BEATS_AT_MOST):
            if due:
                await self._beat()
            while any(await asyncio.gather(*map(_drained, awake))):
                awake = self.runtime.running
            awake = due = await self._due()
            if not due:
                return

    async def _due(self) -> list[Running]:
        """The services that have a timer due."""
        now = self.clock.now()
        dues = [(one, await _next_due(one)) for one in self.runtime.running]
        return [one for one, due in dues if due is not None and due <= now]

    async def next_due(self) -> datetime | None:
        """When the first timer of all services is due."""
        dues = [await _next_due(one) for one in self.runtime.running]
        return min((due for due in dues if due is not None), default=None)

    async def _beat(self) -> None:
        relay = self.runtime.of("ingest").relay
        relay.beat_now()
        await relay.beat()


async def _next_due(one: Running) -> datetime | None:
    async with one.db.read() as reader:
        return await one.timers.next_due(reader)


async def _drained(one: Running) -> int:
    """Step a service until it rests; gives how many facts it published."""
    published, moved = 0, 1
    while moved:
        moved = await _turn(one)
        told = await one.relay.step() if await one.relay.hold() else 0
        published += told
        moved += told
    return published


async def _turn(one: Running) -> int:
    """One step of each loop of a service but the relay; gives how much moved, a round of heartbeats apart."""
    before = one.inbox.effected
    read = await one.inbox.step(0)
    moved = read if read > PARTITIONS or one.inbox.effected > before else 0
    moved += await one.timers.step()
    for name, loop in one.loops.items():
        if name != "accept":
            moved += await loop.step()
    return moved


async def _accepting(one: Running) -> None:
    accept = one.loops["accept"]
    while True:
        try:
            await accept.step()
        except Unavailable:
            continue


class _Server(uvicorn.Server):
    """A server that leaves the signals to whom they belong and says when it is up."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.up = asyncio.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start listening."""
        await super().startup(sockets=sockets)
        self.up.set()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Capture none."""
        yield


def fresh_settings(folder: Path) -> Settings:
    """An embedded installation in an emptied folder, on port 8000 or whichever is free."""
    if folder.exists() and any(folder.iterdir()) and not (folder / "ingest.db").exists():
        raise SystemExit(f"{folder} holds something that is not a demo; name another folder")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    port = _free_port()
    return Settings(
        data_dir=folder,
        database_url="",
        bus_url="",
        smtp_url="",
        http_host=HOST,
        http_port=port,
        public_url=f"http://{HOST}:{port}",
        mail_from=SHOP.email,
        clock_offset_seconds=0,
        log_level="WARNING",
        _env_file=None,
    )


def _free_port() -> int:
    for port in (WANTED_PORT, 0):
        with socket.socket() as tried:
            tried.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                tried.bind((HOST, port))
            except OSError:
                continue
            return int(tried.getsockname()[1])
    raise SystemExit("no port is free")


@asynccontextmanager
async def installed(services: Sequence[Service], settings: Settings, start: datetime) -> AsyncIterator[Installation]:
    """Migrated, open and answering HTTP, with business time at `start`; closed again at the end."""
    for service in services:
        await migrate.upgrade(service, settings.database_of(service.name))
    made = Installation(services, settings, start)
    await made.runtime.bus.open()
    for one in made.runtime.running:
        await one.open()
        while not await one.relay.hold():
            pass
    server = _Server(
        uvicorn.Config(
            made.runtime.front,
            host=HOST,
            port=settings.http_port,
            lifespan="off",
            access_log=False,
            log_level="warning",
            http="httptools",
        )
    )
    tasks = [asyncio.create_task(server.serve()), asyncio.create_task(_accepting(made.runtime.of("ingest")))]
    try:
        await server.up.wait()
        yield made
    finally:
        server.should_exit = True
        await tasks[0]
        tasks[1].cancel()
        await asyncio.gather(tasks[1], return_exceptions=True)
        await made.runtime.close()
