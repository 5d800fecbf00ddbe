"""Orders from before: imported ones and those from before the programme earn when somebody says so, once."""

from collections.abc import AsyncIterator
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from sqlalchemy import select

from services.ingest.service import ingest
from services.loyalty import budgets, commands, crediting, tables
from services.loyalty.programmes import Budget, Wallet
from services.loyalty.records import Note
from services.loyalty.rules import Cap, FirstOrder
from services.loyalty.rules.spend import Spend
from services.loyalty.service import loyalty
from shared.events import Lane
from shared.events.ingest import Order, OrderStatus
from tests.ingest.shop import Shop as Ingesting
from tests.ingest.shop import open_shop
from tests.loyalty.shop import DAY, LADDER, START, Shop, line, order, programme
from tests.world import a_world

WHY = Note("welcome gift", "Eva")
STAMPS = {"wallets": (Wallet(name="stamps"),), "rules": (Spend(), Spend(name="stamp", per=1_000, wallet="stamps"))}


def imported(name: str, net: int, **more: Any) -> Order:
    return order(name, line(net), lane=Lane.HISTORY, paid=START - 90 * DAY, **more)


def credited(shop: Shop, what: Order, name: str = "ana") -> int:
    return int(shop.ask(partial(crediting.credit, order=what, note=WHY), name))


def test_an_imported_order_is_credited_once_and_refunded_like_any_other() -> None:
    shop = Shop(programme(pending_days=0, expiry_months=1, ladder=LADDER, **STAMPS))
    old = imported("1", 12_000)
    shop.tell(old)
    assert shop.member().available == 0
    shop.passes(3)
    assert (credited(shop, old), credited(shop, old)) == (120, 0)
    assert (shop.member().available, shop.holder(wallet="stamps").available, shop.member().tier) == (120, 12, "mid")
    assert {row.note for row in shop.desk.transactions.rows} == {WHY}
    assert [(row.action, row.subject, row.key) for row in shop.desk.audit.rows] == [("credit", "ord_1", "Eva")]
    assert shop.lots()[0].accrued_at == shop.now
    shop.tell(replace(old, revision=2, lines=(line(12_000, refunded=9_000),)))
    assert (shop.member().available, shop.holder(wallet="stamps").available) == (30, 3)
    shop.passes(40)
    assert shop.member().available == 0


def test_an_order_from_before_the_start_is_credited_and_one_that_earned_is_not() -> None:
    shop = Shop(programme(pending_days=0))
    early, live = order("1", line(5_000), paid=START - DAY), order("2", line(700))
    shop.tell(early)
    shop.tell(live)
    assert (credited(shop, early), credited(shop, live), shop.member().available) == (50, 0, 57)


@pytest.mark.parametrize(
    "what",
    [
        imported("1", 5_000, test=True),
        imported("1", 5_000, status=OrderStatus.CANCELLED),
        order("1", line(5_000), currency="USD", lane=Lane.HISTORY),
        order("1", line(5_000), paid=None, lane=Lane.HISTORY),
    ],
)
def test_what_would_not_earn_anyway_is_not_credited(what: Order) -> None:
    shop = Shop(programme(pending_days=0))
    shop.tell(what)
    assert (credited(shop, what), shop.member().available) == (0, 0)


def test_caps_budget_and_the_first_order_are_judged_as_of_now() -> None:
    rules = (Spend(), FirstOrder(award=10))
    shop = Shop(programme(pending_days=0, rules=rules, cap=Cap(points=100, per="month"), budget=Budget(points=150)))
    assert shop.terms.budget is not None
    shop.desk.budgets.loaded(("acc_1", budgets.period_of(shop.terms, shop.terms.budget, shop.now)), 150)
    mine, later, hers = imported("1", 6_000), imported("2", 6_000), imported("3", 9_000)
    for what, name in ((mine, "ana"), (later, "ana"), (hers, "bea")):
        shop.tell(what, name)
    given = [credited(shop, what, name) for what, name in ((mine, "ana"), (later, "ana"), (hers, "bea"))]
    assert given == [70, 30, 50]


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Ingesting]:
    """A shop whose past was imported: two orders, and a live one."""
    async with a_world([ingest, loyalty], tmp_path) as world:
        opened = await open_shop(world)
        for number, lane in enumerate(("history", "history", "live"), 1):
            lines = [{"product": "tea", "quantity": 1, "price": 5_000 * number}]
            data = {"order_id": str(number), "customer": {"id": "7"}, "lines": lines}
            await opened.native("purchase", data, **{"x-querencia-lane": lane})
        await world.settle()
        yield opened


async def test_the_past_is_credited_by_a_command_that_can_be_given_twice(shop: Ingesting) -> None:
    world, account = shop.world, shop.made.account
    window = (account, world.now - 2 * DAY, world.now + DAY)
    [cost] = await commands.creditable(world.settings, *window)
    assert (cost.orders, cost.points) == (2, 150)
    assert await commands.creditable(world.settings, account, world.now + DAY, world.now + 2 * DAY) == []
    done = [await commands.credit(world.settings, loyalty, *window, WHY) for _ in range(2)]
    assert [(one.orders, one.points) for one in done] == [(2, 150), (0, 0)]
    await world.settle()
    rows = await world.rows("loyalty", select(tables.rating.c.points).order_by(tables.rating.c.points))
    assert [points for (points,) in rows] == [50, 100, 150]
    assert (await world.verify()).faults == []
    assert await world.runtime.verify_deep() == []
