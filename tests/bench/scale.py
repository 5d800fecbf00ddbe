"""What a fact costs loyalty as members grow a hundredfold, and with a million timers pending; PostgreSQL."""

import gc
import statistics
import tempfile
from collections.abc import Iterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

import asyncpg
import msgspec

from services.loyalty import wallets
from services.loyalty.records import Member
from services.loyalty.service import loyalty
from shared.runtime import collect_seldom
from shared.uids import new_uid
from tests.bench.cpu import family_seconds, own_seconds
from tests.bench.facts import ACCOUNT, STORE, customer, orders, set_up
from tests.bench.figures import Figure, figure
from tests.real.postgres import Postgres, database_names
from tests.world import World, a_world

ROUNDS = 5
FACTS, BATCH, WARM = 2_000, 500, 1_000
LEAST, TIMERS = 10_000, 1_000_000


class _Size(NamedTuple):
    """How large an installation is."""

    members: int
    timers: int = 0

    @property
    def called(self) -> str:
        return f"{self.timers:,} pending timers" if self.timers else f"{self.members:,} members"


SIZES = (_Size(LEAST), _Size(100_000), _Size(1_000_000), _Size(LEAST, TIMERS))


class _House(NamedTuple):
    size: _Size
    world: World


def _members(number: int) -> Iterator[tuple[Any, ...]]:
    now = datetime.now(UTC)
    habits = msgspec.json.encode(wallets.row_of(Member(ACCOUNT, "", now)).habits)
    columns = wallets.row_of(Member(ACCOUNT, "", now))
    numbers = (columns.tier, columns.available, columns.pending, columns.held, columns.debt)
    return ((ACCOUNT, customer(at), *numbers, habits) for at in range(number))


def _timers(number: int) -> Iterator[tuple[Any, ...]]:
    due = datetime.now(UTC) + timedelta(days=30)
    for at in range(number):
        late = due + timedelta(seconds=at)
        name = f"points.expire:{customer(LEAST + at)}"
        yield ACCOUNT, name, "points.expire", customer(LEAST + at), STORE, late, new_uid(), b"{}", False, None, ""


async def _seed(url: str, size: _Size) -> None:
    connection = await asyncpg.connect(url)
    try:
        await connection.copy_records_to_table("member", records=_members(size.members))
        await connection.copy_records_to_table("timer", records=_timers(size.timers))
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def _opened(kept: AsyncExitStack, server: Postgres, size: _Size) -> _House:
    folder = Path(kept.enter_context(tempfile.TemporaryDirectory()))
    url = kept.enter_context(database_names(server.address))
    world = await kept.enter_async_context(a_world([loyalty], folder, database_url=url))
    await world.publish(*set_up())
    await world.settle()
    await _seed(url.format(service="loyalty"), size)
    return _House(size, world)


async def _cost(house: _House, seed: int, facts: int, server: int) -> float:
    """CPU microseconds a fact, Python and database together."""
    records = orders(facts, seed, house.size.members)
    gc.collect()
    before = own_seconds() + family_seconds(server)
    for at in range(0, facts, BATCH):
        await house.world.of("loyalty").inbox.take(records[at : at + BATCH])
    return (own_seconds() + family_seconds(server) - before) * 1e6 / facts


async def measure(server: Postgres, server_pid: int) -> list[Figure]:
    """All sizes side by side, measured in turn."""
    async with AsyncExitStack() as kept:
        houses = [await _opened(kept, server, size) for size in SIZES]
        collect_seldom()
        costs: dict[_Size, list[float]] = {size: [] for size in SIZES}
        for house in houses:
            await _cost(house, 1, WARM, server_pid)
        for number in range(ROUNDS):
            for house in houses:
                costs[house.size].append(await _cost(house, 10 + number, FACTS, server_pid))
    limit = statistics.median(costs[SIZES[0]])
    return [
        figure(
            f"loyalty: CPU per fact at {size.called} / at {LEAST:,} members",
            "PostgreSQL",
            "µs",
            [(statistics.median(costs[size]), limit)],
            floor=1.2,
            lower_is_better=True,
        )
        for size in SIZES[1:]
    ]
