"""Each consumer in each mode, beside itself at batch size 1, COPY of the same rows, and for loyalty a bare loop."""

import statistics
import tempfile
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import NamedTuple

import asyncpg
import msgspec

from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from shared.bus.base import Record
from shared.runtime import collect_seldom
from shared.service import Service
from tests.bench.bare import BarePostgres, BareSqlite, Rule, ten_rules, two_rules
from tests.bench.copying import Copied, copied, filled
from tests.bench.cpu import family_seconds, own_seconds
from tests.bench.facts import carts, orders, set_up
from tests.bench.figures import Figure, figure, reported
from tests.bench.ten_rules import with_ten_rules
from tests.real.postgres import Postgres, database_names, make_empty
from tests.world import World, a_world

ROUNDS = 3
WARM, SINGLES, FACTS, BATCH = 500, 300, 6_000, 500
GAINS = {"PostgreSQL": 15.0, "SQLite": 4.0}
Make = Callable[[int, int], list[Record]]


class Case(NamedTuple):
    """A consumer, the facts that it is fed, what is made ready for it before, and what a bare loop judges by."""

    service: Service
    make: Make
    prepare: Callable[[World], Awaitable[None]] | None = None
    bare: Rule | None = None


CASES: dict[str, Case] = {
    "loyalty": Case(loyalty, orders, bare=two_rules),
    "loyalty with ten active rules": Case(loyalty, orders, with_ten_rules, bare=ten_rules),
    "scoring": Case(scoring, orders),
    "notifications": Case(notifications, carts),
}


class Rate(msgspec.Struct, frozen=True):
    """Facts a second and CPU microseconds a fact: Python's and the database's."""

    per_second: float
    python: float
    database: float


class Round(msgspec.Struct, frozen=True):
    """What one round measured, one thing after the other."""

    batch: Rate
    single: Rate
    bare: Rate | None
    copy: Copied | None
    copied_facts: int


Take = Callable[[Sequence[Record]], Awaitable[None]]


async def _fed(take: Take, records: Sequence[Record], size: int, server: int) -> Rate:
    python, database, begun = own_seconds(), family_seconds(server) if server else 0.0, time.perf_counter()
    for at in range(0, len(records), size):
        await take(records[at : at + size])
    took = time.perf_counter() - begun
    used = family_seconds(server) - database if server else 0.0
    facts = len(records)
    return Rate(facts / took, (own_seconds() - python) * 1e6 / facts, used * 1e6 / facts)


@asynccontextmanager
async def _bare(url: str, folder: str, points: Rule) -> AsyncIterator[Take]:
    if not url:
        sqlite = BareSqlite(f"{folder}/bare.db", points)
        await sqlite.prepare()
        yield sqlite.take
        return
    own = url.format(service="ingest")  # which this bench uses for nothing else
    make_empty(own)
    connection = await asyncpg.connect(own)
    try:
        postgres = BarePostgres(connection, points)
        await postgres.prepare()
        yield postgres.take
    finally:
        await connection.close()


async def _rounds(case: "Case", url: str, server: int) -> list[Round]:
    rounds, (service, make, prepare, rules) = [], case
    with tempfile.TemporaryDirectory() as folder:
        limited = _bare(url, folder, rules or two_rules)
        async with a_world([service], Path(folder), database_url=url) as world, limited as bare:
            await world.publish(*set_up())
            await world.settle()
            if prepare is not None:
                await prepare(world)
            take, own = world.of(service.name).inbox.take, url.format(service=service.name)
            collect_seldom()  # as any process of ours does once it has started
            for warm in (take, bare) if rules else (take,):
                await warm(make(WARM, 1))
            for number in range(ROUNDS):
                single = await _fed(take, make(SINGLES, 10 + number), 1, server)
                batch = await _fed(take, make(FACTS, 20 + number), BATCH, server)
                limit = await _fed(bare, make(FACTS, 20 + number), BATCH, server) if rules else None
                copy = await copied(own, await filled(own, but=("alembic_version",)), server) if server else None
                facts = WARM + (number + 1) * (SINGLES + FACTS)
                rounds.append(Round(batch, single, limit, copy, facts))
    return rounds


def _figures(name: str, mode: str, rounds: Sequence[Round]) -> list[Figure]:
    gain = [(each.batch.per_second, each.single.per_second) for each in rounds]
    title = f"{name}: facts/s, batches of 500 / batch size 1"
    made = [figure(title, mode, "facts/s", gain, floor=GAINS[mode])]
    bare = [(each.batch.per_second, each.bare.per_second) for each in rounds if each.bare]
    if bare:
        of_ten = " of the same ten rules" if CASES[name].bare is ten_rules else ""
        title = f"{name}: facts/s / a bare load-judge-store loop{of_ten}"
        made.append(figure(title, mode, "facts/s", bare, floor=0.4))
    if mode == "SQLite":
        python = statistics.median(each.batch.python for each in rounds)
        return [*made, reported(f"{name}: Python CPU per fact in batches", mode, "µs", python)]
    least = [each.copy.cpu * 1e6 / each.copied_facts for each in rounds if each.copy]
    for part, values in (
        ("Python", [each.batch.python for each in rounds]),
        ("database", [each.batch.database for each in rounds]),
        ("Python and database", [each.batch.python + each.batch.database for each in rounds]),
    ):
        title = f"{name}: {part} CPU per fact / COPY of the same rows"
        made.append(figure(title, mode, "µs", list(zip(values, least, strict=True)), lower_is_better=True))
    return made


async def measure(name: str, server: Postgres, server_pid: int) -> list[Figure]:
    """One consumer in both modes (it is fed directly, without the bus)."""
    case = CASES[name]
    figures = _figures(name, "SQLite", await _rounds(case, "", 0))
    with database_names(server.address) as template:
        figures += _figures(name, "PostgreSQL", await _rounds(case, template, server_pid))
    return figures
