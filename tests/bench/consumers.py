"""What the batch road gains over the same code at batch size 1, for each consumer, in each mode."""

import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from shared.bus.base import Record
from shared.inbox import Inbox
from shared.service import Service
from tests.bench.cpu import family_seconds, own_seconds
from tests.bench.facts import carts, orders, set_up
from tests.bench.figures import Figure, figure, reported
from tests.real.postgres import Postgres, databases
from tests.world import World, a_world

ROUNDS = 3
FLOORS = {"PostgreSQL": 15.0, "SQLite": 4.0}
CASES: tuple[tuple[Service, Callable[[int, int], list[Record]]], ...] = (
    (loyalty, orders),
    (scoring, orders),
    (notifications, carts),
)


class Rate:
    """Facts a second and CPU microseconds a fact: Python's and the database's."""

    def __init__(self, facts: int, seconds: float, python: float, database: float) -> None:
        self.per_second = facts / seconds
        self.python = python * 1e6 / facts
        self.database = database * 1e6 / facts


async def _fed(inbox: Inbox, records: Sequence[Record], size: int, server: int) -> Rate:
    python, database, begun = own_seconds(), family_seconds(server) if server else 0.0, time.perf_counter()
    for at in range(0, len(records), size):
        await inbox.take(records[at : at + size])
    took = time.perf_counter() - begun
    used = family_seconds(server) - database if server else 0.0
    return Rate(len(records), took, own_seconds() - python, used)


async def _measured(
    world: World, name: str, make: Callable[[int, int], list[Record]], server: int
) -> list[tuple[Rate, Rate]]:
    await world.publish(*set_up())
    await world.settle()
    inbox = world.of(name).inbox
    await inbox.take(make(500, 1))
    rounds = []
    for number in range(ROUNDS):
        single = await _fed(inbox, make(300, 10 + number), 1, server)
        batch = await _fed(inbox, make(6_000, 20 + number), 500, server)
        rounds.append((batch, single))
    return rounds


def _figures(name: str, mode: str, rounds: list[tuple[Rate, Rate]]) -> list[Figure]:
    pairs = [(batch.per_second, single.per_second) for batch, single in rounds]
    made = [figure(f"{name}: facts/s, batches of 500 / batch size 1", mode, "facts/s", pairs, floor=FLOORS[mode])]
    batches = sorted((batch for batch, _ in rounds), key=lambda rate: rate.per_second)
    middle = batches[len(batches) // 2]
    made.append(reported(f"{name}: Python CPU per fact in batches", mode, "µs", middle.python))
    if mode == "PostgreSQL":
        made.append(reported(f"{name}: database CPU per fact in batches", mode, "µs", middle.database))
    return made


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """Every consumer in both modes (the log is the bus: the consumer is fed directly)."""
    figures = []
    for service, make in CASES:
        for mode in ("SQLite", "PostgreSQL"):
            with tempfile.TemporaryDirectory() as folder, databases(server.address) as template:
                url = template if mode == "PostgreSQL" else ""
                async with a_world([service], Path(folder), database_url=url) as world:
                    pid = server_pid if url else 0
                    figures += _figures(service.name, mode, await _measured(world, service.name, make, pid))
    return figures
