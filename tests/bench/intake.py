"""Intake: accepted purchases into identity, orders and facts, beside COPY of the same rows into the same tables."""

import statistics
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import msgspec

from services.ingest.intake import Intake
from services.ingest.service import ingest
from services.ingest.setup import Wanted, make_store
from shared.runtime import collect_seldom
from shared.vault import vault_of
from tests.bench.copying import copied, filled
from tests.bench.cpu import family_seconds, own_seconds
from tests.bench.figures import Figure, figure, reported
from tests.real.postgres import Postgres, database_names
from tests.world import World, a_world

ROUNDS = 3
DELIVERIES = 3_000
PER_POST = 500


def _purchases(start: int) -> bytes:
    at = datetime.now(UTC).isoformat()
    lines = [{"product": f"p{n}", "quantity": 1, "price": 1000 + n} for n in range(3)]
    return msgspec.json.encode(
        [
            {
                "specversion": "1.0",
                "id": f"e{number}",
                "source": "bench",
                "type": "purchase",
                "time": at,
                "data": {"order_id": f"o{number}", "customer": {"id": f"c{number % 1999}"}, "lines": lines},
            }
            for number in range(start, start + PER_POST)
        ]
    )


async def _round(world: World, key: str, start: int, server: int) -> tuple[float, float, float]:
    """(deliveries a second, Python µs, database µs for each)."""
    for at in range(start, start + DELIVERIES, PER_POST):
        answer = await world.post("/v1/events", content=_purchases(at), headers={"authorization": f"Bearer {key}"})
        answer.raise_for_status()
    intake = Intake(world.of("ingest"))
    intake.size.size = 500
    python, database, begun = own_seconds(), family_seconds(server) if server else 0.0, time.perf_counter()
    while await intake.step():
        pass
    took = time.perf_counter() - begun
    used = family_seconds(server) - database if server else 0.0
    return DELIVERIES / took, (own_seconds() - python) * 1e6 / DELIVERIES, used * 1e6 / DELIVERIES


async def _limit(template: str, deliveries: int, server: int) -> float:
    """Deliveries a second at which COPY writes what intake has written of them; the deliveries were there before."""
    url = template.format(service="ingest")
    tables = await filled(url, but=("alembic_version", "delivery"))
    return deliveries / (await copied(url, tables, server)).seconds


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """Three-line purchases of two thousand customers, one account."""
    figures = []
    for mode in ("SQLite", "PostgreSQL"):
        with tempfile.TemporaryDirectory() as folder, database_names(server.address) as template:
            url = template if mode == "PostgreSQL" else ""
            async with a_world([ingest], Path(folder), database_url=url) as world:
                running = world.of("ingest")
                async with running.db.write() as tx:
                    made = await make_store(tx, vault_of(running.settings), Wanted())
                collect_seldom()
                rounds, limits = [], []
                for number in range(ROUNDS):
                    start = number * DELIVERIES
                    rounds.append(await _round(world, made.server_key, start, server_pid if url else 0))
                    if url:
                        limits.append(await _limit(url, start + DELIVERIES, server_pid))
        figures += _figures(mode, rounds, limits)
    return figures


def _figures(mode: str, rounds: list[tuple[float, float, float]], limits: list[float]) -> list[Figure]:
    rate, python, database = (statistics.median(values) for values in zip(*rounds, strict=True))
    per_delivery = reported("intake: Python CPU per delivery", mode, "µs", python)
    if not limits:
        return [reported("intake: deliveries/s", mode, "deliveries/s", rate, lower_is_better=False), per_delivery]
    pairs = [(each, limit) for (each, _, _), limit in zip(rounds, limits, strict=True)]
    return [
        figure("intake: deliveries/s / COPY of the same rows", mode, "deliveries/s", pairs, floor=0.15),
        per_delivery,
        reported("intake: database CPU per delivery", mode, "µs", database),
    ]
