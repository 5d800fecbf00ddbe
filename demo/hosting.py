"""Where the demo lives: a fresh folder, a free port, the services opened and answering HTTP."""

import asyncio
import shutil
import socket
from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager
from datetime import datetime
from pathlib import Path

import uvicorn

from demo.installation import SHOP, Installation
from shared import migrate
from shared.errors import Unavailable
from shared.running import Running
from shared.service import Service
from shared.settings import Settings

HOST = "127.0.0.1"
WANTED_PORT = 8000


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
