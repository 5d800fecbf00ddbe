"""A whole installation in processes of its own: one embedded, or one for each service on Kafka and PostgreSQL."""

import asyncio
import os
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Sequence
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx
import msgspec
from sqlalchemy import func, select

from services.ingest.service import ingest
from services.ingest.setup import Wanted, create_account
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from shared.clock import Clock
from shared.db import connect
from shared.settings import Settings
from tests.real.postgres import Postgres, databases
from tests.real.processes import end, free_port

SERVICES = {service.name: service for service in (ingest, loyalty, scoring, notifications)}
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="
POLL_SECONDS = 0.1
MOST_SECONDS = 90.0


class Installation(msgspec.Struct, frozen=True):
    """Where the services answer, how to get in, and the processes they run in."""

    ports: dict[str, int]
    key: str
    store: str
    pids: tuple[int, ...]
    settings: Settings

    def url(self, service: str, path: str) -> str:
        """Where a service answers."""
        return f"http://127.0.0.1:{self.ports[service]}{path}"

    async def post(self, client: httpx.AsyncClient, events: Sequence[dict[str, object]]) -> None:
        """Native events in one batch, all of them accepted."""
        headers = {"authorization": f"Bearer {self.key}"}
        body = msgspec.json.encode(events)
        answer = await client.post(self.url("ingest", "/v1/events"), content=body, headers=headers)
        answer.raise_for_status()

    async def effected(self, service: str, fact: str, number: int, within: float = MOST_SECONDS) -> None:
        """Wait until a service has taken in so many facts of a kind, as its books say; raises TimeoutError."""
        counter = SERVICES[service].kernel.counter
        counted = select(func.sum(counter.c.value)).where(counter.c.name == f"effected:{fact}")
        db = connect(self.settings.database_of(service), Clock(), connections=1)
        await db.open()
        try:
            async with asyncio.timeout(within):
                while True:
                    async with db.read() as reader:
                        row = await reader.fetch_one(counted)
                    if row and (row[0] or 0) >= number:
                        return
                    await asyncio.sleep(POLL_SECONDS)
        finally:
            await db.close()


def purchase(name: str) -> dict[str, object]:
    """A native purchase by a customer of its own."""
    lines = [{"product": "tea", "quantity": 2, "price": 1250}]
    return {
        "specversion": "1.0",
        "id": name,
        "source": "bench",
        "type": "purchase",
        "time": datetime.now(UTC).isoformat(),
        "data": {"order_id": name, "customer": {"id": name}, "lines": lines},
    }


@asynccontextmanager
async def installed(servers: tuple[Postgres, str] | None) -> AsyncIterator[Installation]:
    """An installation that answers: embedded without servers."""
    with ExitStack() as kept:
        folder = kept.enter_context(tempfile.TemporaryDirectory())
        given = {"QUERENCIA_DATA_DIR": folder, "QUERENCIA_MASTER_KEY": MASTER_KEY}
        groups: list[tuple[str, ...]] = [tuple(SERVICES)]
        if servers is not None:
            server, kafka = servers
            given["QUERENCIA_DATABASE_URL"] = kept.enter_context(databases(server.address))
            given["QUERENCIA_BUS_URL"] = f"kafka://{kafka}"
            given["QUERENCIA_TOPIC_PREFIX"] = f"b{os.getpid()}."
            groups = [(name,) for name in SERVICES]
        environment = {**os.environ, **given}
        for command in ("migrate", "topics"):
            subprocess.run([sys.executable, "-m", "services", command], env=environment, check=True)
        settings = _settings(given)
        made = await create_account(settings, Wanted())
        ports: dict[str, int] = {}
        pids = [_started(kept, environment, group, ports, folder) for group in groups]
        for port in set(ports.values()):
            await _ready(port)
        yield Installation(ports, made.server_key, made.store, tuple(pids), settings)


def _started(
    kept: ExitStack, environment: dict[str, str], group: tuple[str, ...], ports: dict[str, int], folder: str
) -> int:
    """Start one process for a group of services; gives its id."""
    port = free_port()
    ports |= dict.fromkeys(group, port)
    log = kept.enter_context((Path(folder) / f"{group[0]}.log").open("wb"))
    command = [sys.executable, "-m", "services", "run", *group]
    child = subprocess.Popen(command, env={**environment, "QUERENCIA_HTTP_PORT": str(port)}, stdout=log, stderr=log)
    kept.callback(end, child)
    return child.pid


def _settings(given: dict[str, str]) -> Settings:
    return Settings(
        data_dir=Path(given["QUERENCIA_DATA_DIR"]),
        database_url=given.get("QUERENCIA_DATABASE_URL", ""),
        master_key=MASTER_KEY,
    )


async def _ready(port: int) -> None:
    async with httpx.AsyncClient() as client:
        for _ in range(300):
            try:
                if (await client.get(f"http://127.0.0.1:{port}/health/ready")).status_code == httpx.codes.OK:
                    return
            except httpx.HTTPError:
                pass
            await asyncio.sleep(0.2)
    raise TimeoutError("a service does not get ready")
