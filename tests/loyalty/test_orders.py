"""Orders on one wallet, in memory: first ratings, edits, refunds and disputes."""

from typing import Any

import pytest

from services.loyalty.programmes import Rate
from services.loyalty.rules.spend import Spend
from shared.events import Lane
from shared.events.ingest import Money, OrderStatus
from shared.events.loyalty import OrderRated, PointsActivated, PointsExpired
from tests.loyalty.shop import AT_ONCE, DAY, START, Shop, line, order, programme


def test_a_purchase_becomes_pending_points_and_then_available_ones() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_050)))
    assert (shop.member().pending, shop.member().available) == (100, 0)
    [rated] = shop.facts(OrderRated)
    assert (rated.points, rated.change, rated.available_at) == (100, 100, START + 14 * DAY)
    shop.passes(days=14)
    assert (shop.member().pending, shop.member().available) == (0, 100)
    assert [fact.points for fact in shop.facts(PointsActivated)] == [100]


def test_the_same_or_an_older_revision_changes_nothing() -> None:
    shop = Shop()
    shop.tell(order("1", line(5_000), revision=2))
    before = shop.member()
    shop.tell(order("1", line(9_000), revision=2))
    shop.tell(order("1", line(9_000), revision=1))
    assert shop.member() == before
    assert len(shop.facts(OrderRated)) == 1


@pytest.mark.parametrize(
    "more",
    [
        {"test": True},
        {"lane": Lane.HISTORY},
        {"paid": START - DAY},
        {"paid": None},
        {"currency": "GBP"},
        {"status": OrderStatus.CANCELLED},
    ],
)
def test_what_may_not_earn_is_rated_with_nothing_and_never_earns_by_an_edit(more: dict[str, Any]) -> None:
    shop = Shop()
    shop.tell(order("1", line(5_000), **more))
    shop.tell(order("1", line(9_000), revision=2, **more))
    assert shop.member().pending == 0
    assert [fact.points for fact in shop.facts(OrderRated)] == [0, 0]


def test_a_store_outside_the_programme_does_not_earn() -> None:
    shop = Shop(programme(stores=frozenset({"sto_2"})))
    shop.tell(order("1", line(5_000)))
    assert shop.member().pending == 0


def test_another_currency_keeps_the_rate_of_its_first_rating() -> None:
    shop = Shop(programme(rates=(Rate(currency="GBP", numerator=115, denominator=100),)))
    shop.tell(order("1", line(10_000), currency="GBP"))
    assert shop.member().pending == 115
    shop.passes(days=1)
    shop.adopt(rates=(Rate(currency="GBP", numerator=2, denominator=1),))
    shop.tell(order("1", line(10_000, refunded=5_000), currency="GBP", revision=2))
    assert shop.member().pending == 57


@pytest.mark.parametrize(
    ("net", "change"), [(8_000, -20), (12_000, 20), (10_000, 0), (0, -100)], ids=["down", "up", "same", "nothing"]
)
def test_an_edit_posts_the_difference(net: int, change: int) -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(net), revision=2))
    assert shop.member().pending == 100 + change
    assert shop.facts(OrderRated)[-1].change == change


def test_a_line_swapped_for_an_excluded_one_of_equal_price_takes_its_points() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000, kind="gift_card"), revision=2))
    assert shop.member().pending == 0


def test_a_refund_of_an_excluded_line_takes_nothing() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000), line(3_000, name="tip", kind="tip")))
    shop.tell(order("1", line(10_000), line(3_000, name="tip", kind="tip", refunded=3_000), revision=2))
    assert shop.member().pending == 100


def test_a_dispute_takes_all_points_once_and_a_won_one_restores_them_once() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.passes(days=20)
    for revision, status, points in (
        (2, OrderStatus.DISPUTED, 0),
        (3, OrderStatus.DISPUTED, 0),
        (4, OrderStatus.DISPUTE_WON, 100),
        (5, OrderStatus.DISPUTE_WON, 100),
    ):
        shop.tell(order("1", line(10_000), revision=revision, status=status))
        assert shop.member().available == points


def test_a_refund_before_activation_leaves_nothing_to_activate() -> None:
    shop = Shop()
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000, refunded=10_000), revision=2, status=OrderStatus.REFUNDED))
    shop.passes(days=30)
    assert (shop.member().pending, shop.member().available) == (0, 0)
    assert not shop.facts(PointsActivated)


def test_a_refund_that_is_told_before_the_payment_leaves_no_points_behind() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000, refunded=10_000), paid=None))
    shop.tell(order("1", line(10_000, refunded=10_000), revision=2, status=OrderStatus.REFUNDED))
    assert (shop.member().available, shop.member().earned, shop.lots()) == (0, 0, [])
    assert [fact.points for fact in shop.facts(OrderRated)] == [0, 0]


def test_a_new_version_of_the_rules_does_not_change_what_an_older_order_gives_back() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)))
    shop.passes(days=1)
    shop.adopt(rules=(Spend(award=3),))
    shop.tell(order("2", line(10_000), paid=shop.now))
    shop.tell(order("1", line(10_000, refunded=5_000), revision=2))
    assert shop.member().available == 300 + 50
    assert shop.desk.ratings["acc_1", "ord_1"].context is not None
    versions = [rating.context.version for rating in shop.desk.ratings.values() if rating.context]
    assert versions == [1, 2]


def test_the_order_of_another_display_currency_earns_the_same_for_the_same_settled_value() -> None:
    plain, shown = Shop(), Shop()
    plain.tell(order("1", line(10_000)))
    shown.tell(order("1", line(10_000), presentment=Money(amount=1_700_000, currency="JPY"), rate="170"))
    assert shown.member().pending == plain.member().pending == 100


def test_an_order_that_comes_when_its_points_have_expired_already_is_entered_and_expires() -> None:
    shop = Shop(AT_ONCE)
    shop.passes(days=500)
    shop.tell(order("1", line(10_000), paid=START + DAY))
    shop.passes(days=0)
    assert shop.member().available == 0
    assert [fact.points for fact in shop.facts(PointsExpired)] == [100]
