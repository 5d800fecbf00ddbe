"""The whole road: from an order posted to its points visible, all services, at low load, in both modes."""

import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import httpx

from services.ingest.setup import Wanted, create_account
from shared.settings import Settings
from tests.bench.figures import Figure, reported
from tests.real.postgres import Postgres, databases
from tests.real.processes import end, free_port

SERVICES = ("ingest", "loyalty", "scoring", "notifications")
ORDERS = 80
APART_SECONDS = 0.1
POLL_SECONDS = 0.01
MOST_SECONDS = 20.0
MASTER_KEY = "MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU2Nzg5MDE="


def _order(name: str) -> dict[str, object]:
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
async def _installation(servers: tuple[Postgres, str] | None) -> AsyncIterator[tuple[dict[str, int], str, str]]:
    """(port by service, server key, store): one process embedded, or one for each service on Kafka and PostgreSQL."""
    with ExitStack() as kept:
        folder = kept.enter_context(tempfile.TemporaryDirectory())
        given = {"QUERENCIA_DATA_DIR": folder, "QUERENCIA_MASTER_KEY": MASTER_KEY}
        groups: list[tuple[str, ...]] = [SERVICES]
        if servers is not None:
            server, kafka = servers
            given["QUERENCIA_DATABASE_URL"] = kept.enter_context(databases(server.address))
            given["QUERENCIA_BUS_URL"] = f"kafka://{kafka}"
            given["QUERENCIA_TOPIC_PREFIX"] = f"b{os.getpid()}."
            groups = [(name,) for name in SERVICES]
        environment = {**os.environ, **given}
        for command in ("migrate", "topics"):
            subprocess.run([sys.executable, "-m", "services", command], env=environment, check=True)
        made = await create_account(_settings(given), Wanted())
        ports: dict[str, int] = {}
        for group in groups:
            port = free_port()
            ports |= dict.fromkeys(group, port)
            command_line = [sys.executable, "-m", "services", "run", *group]
            log = kept.enter_context((Path(folder) / f"{group[0]}.log").open("wb"))
            child = subprocess.Popen(
                command_line, env={**environment, "QUERENCIA_HTTP_PORT": str(port)}, stdout=log, stderr=log
            )
            kept.callback(end, child)
        for port in set(ports.values()):
            await _ready(port)
        yield ports, made.server_key, made.store


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


class _Shop:
    def __init__(self, client: httpx.AsyncClient, ports: dict[str, int], key: str, store: str) -> None:
        self._client = client
        self._ports = ports
        self._headers = {"authorization": f"Bearer {key}"}
        self._store = store

    async def member(self, name: str) -> str:
        """Our id of the store's customer."""
        url = f"http://127.0.0.1:{self._ports['ingest']}/v1/customer-tokens"
        answer = await self._client.post(url, json={"customer": f"ext:{self._store}:{name}"}, headers=self._headers)
        answer.raise_for_status()
        return str(answer.json()["customer"])

    async def posted_to_visible(self, name: str, customer: str) -> float:
        """Milliseconds from posting an order until the member's points show."""
        begun = time.perf_counter()
        url = f"http://127.0.0.1:{self._ports['ingest']}/v1/events"
        answer = await self._client.post(url, content=json.dumps(_order(name)), headers=self._headers)
        answer.raise_for_status()
        url = f"http://127.0.0.1:{self._ports['loyalty']}/v1/members/{customer}"
        while (await self._client.get(url, headers=self._headers)).json().get("earned", 0) == 0:
            if time.perf_counter() - begun > MOST_SECONDS:
                raise TimeoutError(f"no points for {name}")
            await asyncio.sleep(POLL_SECONDS)
        return (time.perf_counter() - begun) * 1000


async def _times(servers: tuple[Postgres, str] | None) -> list[float]:
    async with _installation(servers) as (ports, key, store), httpx.AsyncClient(timeout=30) as client:
        shop = _Shop(client, ports, key, store)
        members = [await shop.member(f"m{number}") for number in range(ORDERS)]
        await shop.posted_to_visible("m0", members[0])
        waits = []
        for number, member in enumerate(members[1:], 1):
            waits.append(asyncio.create_task(shop.posted_to_visible(f"m{number}", member)))
            await asyncio.sleep(APART_SECONDS)
        return sorted(await asyncio.gather(*waits))


async def measure(server: Postgres, kafka: str) -> list[Figure]:
    """p50 and p99 in both modes, ten orders a second."""
    figures = []
    for mode, servers in (("embedded", None), ("Kafka + PostgreSQL", (server, kafka))):
        times = await _times(servers)
        figures += [
            reported(f"whole road, order posted to points visible, {name}", mode, "ms", times[int(share * len(times))])
            for name, share in (("p50", 0.50), ("p99", 0.99))
        ]
    return figures
