"""Earning rules: which lines count, and how they are rounded."""

from datetime import UTC, datetime

import pytest
from msgspec.structs import replace

from services.loyalty.earning import entitlement
from services.loyalty.records import Context
from services.loyalty.rules import LineFilter, OrderRule
from services.loyalty.rules.spend import Spend
from services.loyalty.stacking import planned, stacked
from shared.events.ingest import Order, Tender
from tests.loyalty.shop import START, line, order, programme


def context(numerator: int = 1, denominator: int = 1) -> Context:
    return Context(
        program="prg_1",
        version=1,
        accrued_at=datetime(2026, 1, 1, tzinfo=UTC),
        numerator=numerator,
        denominator=denominator,
    )


def earns(rule: OrderRule, bought: Order, found: Context) -> int:
    """What one rule alone brings."""
    return stacked(bought, found, planned((rule,)), 10**12).points


@pytest.mark.parametrize(("net", "points"), [(300, 5), (249, 0), (500, 10)])
def test_five_for_every_full_two_fifty(net: int, points: int) -> None:
    assert earns(Spend(award=5, per=250), order("1", line(net)), context()) == points


def test_rounding_is_per_order_unless_per_line_is_asked_for() -> None:
    bought = order("1", *(line(50, name=f"l{n}") for n in range(3)))
    assert earns(Spend(), bought, context()) == 1
    assert earns(Spend(rounding="line"), bought, context()) == 0


@pytest.mark.parametrize(("per", "net", "points"), [(1, 1_999, 1_999), (1_000, 12_345, 12)])
def test_currencies_of_no_and_of_three_minor_digits(per: int, net: int, points: int) -> None:
    assert earns(Spend(per=per), order("1", line(net)), context()) == points


def test_another_currency_counts_at_its_explicit_rate() -> None:
    assert earns(Spend(), order("1", line(1_000)), context(115, 100)) == 11


@pytest.mark.parametrize("kind", ["gift_card", "shipping", "tip", "fee"])
def test_only_goods_earn_unless_another_kind_is_asked_for(kind: str) -> None:
    bought = order("1", line(1_000), line(2_500, name="l2", kind=kind))
    assert earns(Spend(), bought, context()) == 10
    assert earns(Spend(lines=LineFilter(kinds=frozenset({"product", kind}))), bought, context()) == 35


def test_a_gift_card_earns_when_it_is_spent_and_not_when_it_is_bought() -> None:
    bought = order("1", line(5_000, kind="gift_card"))
    spent = order("2", line(5_000), tenders=(Tender(kind="gift_card", amount=5_000),))
    assert earns(Spend(), bought, context()) == 0
    assert earns(Spend(), spent, context()) == 50


def test_the_share_paid_with_points_earns_only_when_asked_for() -> None:
    tenders = (Tender(kind="points", amount=2_000), Tender(kind="cash", amount=8_000))
    bought = order("1", line(10_000), tenders=tenders)
    assert earns(Spend(), bought, context()) == 80
    assert earns(Spend(points_paid=True), bought, context()) == 100
    half_back = order("1", line(10_000, refunded=5_000), tenders=tenders)
    assert earns(Spend(), half_back, context()) == 40


def test_the_room_that_the_first_rating_found_limits_every_later_one() -> None:
    found = replace(context(), room=7, percent=150)
    assert entitlement(order("1", line(1_000)), found, programme()).points == 7
    assert entitlement(order("1", line(1_000, refunded=700), revision=2), found, programme()).points == 4


SHOES = line(1_000, name="shoes", product="p_shoe", categories=("shoes",))
SALE = line(2_000, name="sale", product="p_old", variant="v_old", sku="OLD", categories=("shoes", "sale"))


@pytest.mark.parametrize(
    ("lines", "points"),
    [
        (LineFilter(), 30),
        (LineFilter(categories=frozenset({"shoes"})), 30),
        (LineFilter(categories=frozenset({"shoes"}), without_categories=frozenset({"sale"})), 10),
        (LineFilter(products=frozenset({"p_shoe"})), 10),
        (LineFilter(products=frozenset({"OLD"})), 20),
        (LineFilter(without_products=frozenset({"v_old"})), 10),
        (LineFilter(products=frozenset({"p_shoe"}), categories=frozenset({"sale"})), 30),
        (LineFilter(products=frozenset({"elsewhere"})), 0),
    ],
)
def test_products_and_categories_are_included_and_excluded(lines: LineFilter, points: int) -> None:
    assert earns(Spend(lines=lines), order("1", SHOES, SALE, paid=START), context()) == points
