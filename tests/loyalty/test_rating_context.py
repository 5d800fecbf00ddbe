"""What an order's first rating found holds for all later ones: caps, the budget it drew, an order that moves."""

import msgspec
import pytest

from services.loyalty.programmes import Budget
from services.loyalty.rules import Cap
from services.loyalty.rules.activity import Review
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.spend import Spend
from shared.events.ingest import OrderStatus
from tests.loyalty.shop import Shop, line, order, programme

CAPPED = Spend(cap=Cap(points=150, per="month"))


def test_a_cap_counts_orders_that_were_known_before_they_were_paid() -> None:
    shop = Shop(programme(pending_days=0, rules=(CAPPED,)))
    for number in range(3):
        shop.tell(order(str(number), line(10_000), paid=None))
        shop.tell(order(str(number), line(10_000), revision=2))
    assert [rating.points for rating in shop.desk.ratings.values()] == [100, 50, 0]


def with_budget(points: int) -> Shop:
    shop = Shop(programme(pending_days=0, budget=Budget(points=points, per="ever")))
    shop.desk.budgets.loaded(("acc_1", f"{shop.terms.id}:ever:0"), points)
    return shop


def left(shop: Shop) -> int | None:
    return shop.desk.budgets.get(("acc_1", f"{shop.terms.id}:ever:0"))


def test_a_dispute_that_is_won_draws_on_the_budget_once_only() -> None:
    shop = with_budget(100)
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000), revision=2, status=OrderStatus.DISPUTED))
    assert (shop.member().available, left(shop)) == (0, 0)
    shop.tell(order("1", line(10_000), revision=3))
    assert (shop.member().available, left(shop)) == (100, 0)


def test_an_order_that_moves_keeps_what_it_drew_on_the_budget() -> None:
    shop = with_budget(130)
    shop.tell(order("1", line(10_000)), "ana")
    shop.tell(order("1", line(10_000), revision=2), "eva")
    assert (shop.member("ana").available, shop.member("eva").available, left(shop)) == (0, 100, 30)
    shop.tell(order("2", line(10_000)), "ana")
    assert (shop.member("ana").available, left(shop)) == (30, 0)


def test_a_first_order_that_was_none_loses_no_more_than_it_brought() -> None:
    shop = Shop(programme(pending_days=0, rules=(Spend(), FirstOrder(award=500)), cap=Cap(points=100)))
    for name in ("ana", "eva"):
        shop.tell(order(f"of_{name}", line(10_000)), name)
    shop.merge("ana", "eva")
    assert [rating.points for rating in shop.desk.ratings.values()] == [100, 100]
    assert shop.member("ana").available == 200


def test_a_bonus_never_costs_points() -> None:
    with pytest.raises(msgspec.ValidationError, match="bonus"):
        msgspec.convert({"rule": "review", "points": 50, "bonus": -80}, Review)
