"""`verify --deep` bears out a whole trade, and sees what the books alone do not: each ledger here balances."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import Executable, delete, select, update

from services.loyalty import tables, wallets
from services.loyalty.holders import wallet_of
from services.loyalty.records import Member, Rating
from tests.system.traded import Shop, traded

EMBEDDED = pytest.mark.parametrize("mode", ["embedded"], indirect=True)


@pytest.fixture
async def shop(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Shop]:
    """A trade of which the first points have matured."""
    async with traded(tmp_path, mode, days=15) as found:
        yield found


async def ratings(shop: Shop) -> list[Rating]:
    """What earned points."""
    rows = await shop.world.rows("loyalty", select(*tables.rating.columns).where(tables.rating.c.points > 0))
    return [Rating(*row) for row in rows]


async def climber(shop: Shop) -> Member:
    """Who has risen a tier."""
    rows = await shop.world.rows("loyalty", select(*tables.member.columns).where(tables.member.c.tier != "bronze"))
    return next(found for found in (wallets.member_of(*row) for row in rows) if found.tier)


async def changed(shop: Shop, service: str, statement: Executable) -> list[str]:
    """What a deep look says after a change that the books cannot see."""
    async with shop.world.of(service).db.write() as tx:
        assert await tx.execute(statement) == 1
    assert (await shop.world.verify()).faults == []
    return await shop.world.runtime.verify_deep()


async def test_a_whole_trade_is_borne_out(shop: Shop) -> None:
    rated = await ratings(shop)
    assert len(rated) > len(shop.trade.sales) // 2
    assert {wallet_of(rating.order_id) for rating in rated} == {"points", "stamps"}
    assert (await shop.world.verify()).faults == []
    assert await shop.world.runtime.verify_deep() == []


@EMBEDDED
async def test_an_order_rated_otherwise_than_its_context_says(shop: Shop) -> None:
    one = (await ratings(shop))[0]
    mine = (tables.rating.c.account == one.account, tables.rating.c.order_id == one.order_id)
    faults = await changed(shop, "loyalty", update(tables.rating).where(*mine).values(points=one.points + 1))
    assert faults == [
        f"loyalty: 1 orders rated otherwise than their context says: {one.order_id}",
        f"loyalty: 1 ratings of which the entries say otherwise: {one.order_id}",
    ]


@EMBEDDED
async def test_a_rating_in_another_context(shop: Shop) -> None:
    one = max(await ratings(shop), key=lambda rating: rating.points)
    assert one.context is not None
    mine = (tables.rating.c.account == one.account, tables.rating.c.order_id == one.order_id)
    dearer = replace(one.context, percent=one.context.percent * 2)
    faults = await changed(shop, "loyalty", update(tables.rating).where(*mine).values(context=dearer))
    assert faults == [f"loyalty: 1 orders rated otherwise than their context says: {one.order_id}"]


@EMBEDDED
async def test_an_order_that_was_never_rated_and_one_that_nobody_told(shop: Shop) -> None:
    rated = [rating for rating in await ratings(shop) if wallet_of(rating.order_id) == "points"]
    one, other = rated[0], rated[1]
    lost = delete(tables.rating).where(tables.rating.c.account == one.account, tables.rating.c.order_id == one.order_id)
    assert await changed(shop, "loyalty", lost) == [
        f"loyalty: 1 orders whose newest revision is not rated: {one.order_id}"
    ]
    made_up = update(tables.rating).where(tables.rating.c.order_id == other.order_id).values(order_id="ord_made_up")
    faults = await changed(shop, "loyalty", made_up)
    assert "loyalty: 1 ratings of orders that the archive does not know: ord_made_up" in faults


@EMBEDDED
async def test_a_tier_and_what_counts_for_it(shop: Shop) -> None:
    one = await climber(shop)
    mine = (tables.member.c.account == one.account, tables.member.c.customer == one.customer)
    faults = await changed(shop, "loyalty", update(tables.member).where(*mine).values(tier="gold"))
    assert faults == [f"loyalty: 1 members in another tier than their points come to: {one.customer}"]
    more = wallets.row_of(replace(one, moves=(*one.moves, replace(one.moves[-1], points=1)))).habits
    faults = await changed(shop, "loyalty", update(tables.member).where(*mine).values(tier=one.tier, habits=more))
    assert faults == [f"loyalty: 1 members whose qualifying points are not what was issued: {one.customer}"]
