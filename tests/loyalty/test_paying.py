"""Points as part of a payment, and their way back with refunds, in memory."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty import repaying
from services.loyalty.payment import Payment
from services.loyalty.redemptions import Basket, redeem, reverse
from shared.errors import Refused
from shared.events.ingest import OrderStatus, Tender
from shared.events.loyalty import PointsExpired, PointsReturned
from tests.loyalty.shop import DAY, START, Shop, line, order, programme

TERMS = Payment(points=100, worth=100, least=500, step=100, share_percent=50)
TENDERS = (Tender(kind="points", amount=2_000), Tender(kind="cash", amount=8_000))


@pytest.mark.parametrize(
    ("points", "amount", "code"),
    [(400, 100_000, "below_minimum"), (550, 100_000, "not_a_step"), (600, 1_000, "above_share")],
)
def test_the_terms_of_payment_are_kept(points: int, amount: int, code: str) -> None:
    with pytest.raises(Refused) as refused:
        TERMS.worth_of(points, amount)
    assert refused.value.code == code


def test_what_points_are_worth_and_the_most_that_may_be_used() -> None:
    assert TERMS.worth_of(500, 1_000) == 500
    assert TERMS.most(2_350) == 1_100
    assert Payment(points=3, worth=2).worth_of(10, 1_000) == 6


def paid_with_points(points: int = 2_000, **terms: Any) -> Shop:
    shop = Shop(programme(pending_days=0, payment=Payment(), **terms))
    shop.tell(order("first", line(80_000)))
    shop.grant(1_200)
    basket = Basket("sto_1/2", 10_000, "EUR")
    done = shop.ask(lambda command, desk: redeem(command, desk, points, basket))
    assert done.worth == points
    shop.tell(order("2", line(10_000), tenders=TENDERS))
    return shop


def refund(shop: Shop, revision: int, back: int, status: OrderStatus = OrderStatus.PARTLY_REFUNDED) -> None:
    shop.hears_order(order("2", line(10_000, refunded=back), tenders=TENDERS, revision=revision, status=status))


def test_half_a_refund_brings_half_of_the_points_back_into_their_lots_and_the_last_part_the_rest() -> None:
    shop = paid_with_points()
    lots = {lot.source: lot.expires_at for lot in shop.desk.lots.values()}
    refund(shop, 2, 5_000)
    assert shop.member().available == 50 + 1_000
    refund(shop, 3, 5_000)
    assert len(shop.facts(PointsReturned)) == 1
    refund(shop, 4, 10_000, OrderStatus.REFUNDED)
    assert shop.member().available == 2_000
    assert [(fact.points, fact.order) for fact in shop.facts(PointsReturned)] == [(1_000, "ord_2"), (1_000, "ord_2")]
    assert {lot.source: lot.expires_at for lot in shop.desk.lots.values()} == lots
    assert shop.member().redeemed == 0


def test_a_cancelled_order_brings_all_points_back_and_they_cannot_be_given_back_again() -> None:
    shop = paid_with_points()
    refund(shop, 2, 0, OrderStatus.CANCELLED)
    assert shop.member().available == 2_000
    [redemption] = shop.desk.redemptions.values()
    with pytest.raises(Refused, match="given back already"):
        shop.ask(lambda command, desk: reverse(command, desk, redemption.id))


def test_giving_the_rest_back_by_hand_after_a_part_came_back_gives_only_the_rest() -> None:
    shop = paid_with_points()
    refund(shop, 2, 2_500)
    [redemption] = shop.desk.redemptions.values()
    shop.ask(lambda command, desk: reverse(command, desk, redemption.id))
    assert (shop.member().available, shop.member().redeemed) == (2_000 + 75, 0)
    refund(shop, 3, 10_000, OrderStatus.REFUNDED)
    assert shop.member().available == 2_000


@pytest.mark.parametrize(("window", "left"), [(0, 0), (60, 1_200)])
def test_what_comes_back_after_its_expiry_lives_on_only_in_the_window_for_it(window: int, left: int) -> None:
    shop = Shop(programme(pending_days=0, payment=Payment(), reinstate_days=window, rules=()))
    shop.grant(1_200)
    shop.ask(lambda command, desk: redeem(command, desk, 1_200, Basket("sto_1/2", 1_200, "EUR")))
    shop.tell(order("2", line(10_000), tenders=TENDERS))
    shop.passes(days=380)
    refund(shop, 2, 10_000, OrderStatus.REFUNDED)
    [told] = shop.facts(PointsReturned)
    assert (told.points, told.expired) == (1_200, 1_200 - left)
    shop.passes(days=1)
    assert shop.member().available == left
    shop.passes(days=60)
    assert shop.member().available == 0
    assert sum(fact.points for fact in shop.facts(PointsExpired)) == 1_200


@given(st.lists(st.integers(0, 10_000), min_size=1, max_size=5), st.integers(1, 2_000))
def test_points_come_back_the_same_in_parts_as_at_once(parts: list[int], points: int) -> None:
    in_parts, at_once = paid_with_points(points), paid_with_points(points)
    steps = sorted(parts)
    for revision, back in enumerate(steps, 2):
        refund(in_parts, revision, back)
    refund(at_once, 2, steps[-1])
    assert in_parts.member().available == at_once.member().available
    remaining = [sorted(lot.remaining for lot in shop.desk.lots.values()) for shop in (in_parts, at_once)]
    assert remaining[0] == remaining[1]


def test_a_refund_of_nothing_brings_nothing_back() -> None:
    assert repaying.share_due(100, order("1", paid=START + DAY)) == 0
