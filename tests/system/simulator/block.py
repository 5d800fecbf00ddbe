"""Many short histories in one world that lives in memory, and their comparison with the model of the books."""

import random
from collections.abc import Collection
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import select

from services.ingest import tables as shops
from services.ingest.records import OrderRow
from services.ingest.service import ingest
from services.ingest.taking_orders import order_of
from services.loyalty import tables as points
from services.loyalty.records import MemberRow
from services.loyalty.service import loyalty
from services.scoring import tables as scores
from services.scoring.records import Member
from services.scoring.service import scoring
from tests.ingest.shop import Shop, open_shop
from tests.system.simulator.book import ZONE
from tests.system.simulator.dying import Mood
from tests.system.simulator.history import History, called, people_of
from tests.world import World, a_world

BEGINNING = datetime(2026, 3, 2, 11, 0, tzinfo=UTC)
EVERYTHING_RIPENS = timedelta(days=16)


async def live(seed: int, histories: int, folder: Path) -> Mood:
    """Live through so many histories from a seed; raises AssertionError where books and model differ."""
    mood = Mood(random.Random(seed))
    async with a_world([ingest, loyalty, scoring], folder, adapters=mood.adapters) as world:
        shop = await _opened(world)
        lives = [History(world, shop, seed * 10_000 + number) for number in range(histories)]
        for part in (History.happens, History.goes_on):
            for one in lives:
                mood.bad = True
                await part(one)
            mood.bad = False
            await world.settle()
            await _compare(world, lives)
            world.clock.move_to(world.now + EVERYTHING_RIPENS)
            await world.settle()
    return mood


async def _opened(world: World) -> Shop:
    """A shop that has been open for a week, so that its programme has begun before all that will be bought."""
    world.clock.move_to(BEGINNING)
    shop = await open_shop(world, zone=ZONE.key)
    lines = [{"product": "tea", "price": 1}]
    await shop.native("purchase", {"order_id": "first", "customer": {"id": "0"}, "lines": lines})
    await world.settle()
    world.clock.move_to(BEGINNING + timedelta(days=7))
    return shop


async def _compare(world: World, lives: list[History]) -> None:
    """Books balance, bear a deep look, and every order, wallet and habit is what the model says."""
    assert (await world.verify()).faults == []
    assert await world.runtime.verify_deep() == []
    people, wallets = await people_of(world), await _wallets(world)
    owners = {people[called(who)]: owner for one in lives for who, owner in one.owners.items() if owner.sales}
    assert {name: wallets[name] for name in owners} == {name: (own.owns, own.spent) for name, own in owners.items()}
    assert sum(owns for owns, _ in wallets.values()) == sum(owner.owns for owner in owners.values())
    assert await _habits(world, owners) == {name: owner.habit for name, owner in owners.items()}
    meant = {sale.name: (name, sale.net, sale.refunded) for name, own in owners.items() for sale in own.sales.values()}
    assert await _orders(world) == meant


async def _wallets(world: World) -> dict[str, tuple[int, int]]:
    """What everybody has and what they spent, by our ids."""
    rows = [MemberRow(*row) for row in await world.rows("loyalty", select(*points.member.columns))]
    return {row.customer: (row.available + row.pending, row.habits.redeemed) for row in rows}


async def _habits(world: World, people: Collection[str]) -> dict[str, tuple[int, int]]:
    """Orders and occasions."""
    rows = [Member(*row) for row in await world.rows("scoring", select(*scores.member.columns))]
    return {row.customer: (row.orders, row.occasions) for row in rows if row.customer in people}


async def _orders(world: World) -> dict[str, tuple[str, int, int]]:
    """Whose every order is, its total and what was given back of it."""
    rows = [OrderRow(*row) for row in await world.rows("ingest", select(*shops.customer_order.columns))]
    found = {row.external_id: (row.customer, order_of(row)) for row in rows if row.external_id != "first"}
    return {name: (owner, order.total, order.refunded) for name, (owner, order) in found.items() if order is not None}
