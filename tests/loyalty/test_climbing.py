"""A member on the ladder of tiers, in memory."""

from services.loyalty.redemptions import adjust
from shared.events.loyalty import TierDowngraded, TierUpgraded
from tests.loyalty.shop import CLIMB, DAY, START, Shop, line, order


def test_a_tier_is_reached_at_once_and_multiplies_only_what_comes_after() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    assert shop.member().available == 100
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierUpgraded)] == [("mid", "low")]
    shop.passes(days=1)
    shop.tell(order("2", line(10_000), paid=shop.now))
    assert shop.member().available == 250


def test_the_tier_falls_when_the_grace_period_is_over_and_never_by_spending() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.redeem(100)
    assert shop.member().tier == "mid"
    shop.passes(days=69)
    assert shop.member().tier == "mid"
    shop.passes(days=2)
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierDowngraded)] == [("low", "mid")]
    shop.passes(days=400)
    assert len(shop.facts(TierDowngraded)) == 1


def test_a_late_order_is_rated_with_the_tier_at_the_time_it_was_paid() -> None:
    shop = Shop(CLIMB)
    shop.passes(days=5)
    shop.tell(order("1", line(10_000), paid=shop.now))
    shop.tell(order("0", line(10_000), paid=START))
    assert shop.member().available == 200


def test_a_refund_in_the_multiplied_rate_of_its_award() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.passes(days=1)
    shop.tell(order("2", line(10_000), paid=START + DAY))
    shop.passes(days=200)
    assert shop.member().tier == "low"
    shop.tell(order("2", line(10_000, refunded=5_000), revision=2, paid=START + DAY))
    assert shop.member().available == 250 - 75


def test_points_by_hand_move_the_tier_only_when_they_qualify() -> None:
    shop = Shop(CLIMB)
    shop.grant(150)
    assert (shop.member().available, shop.member().tier) == (150, "low")
    shop.ask(lambda command, desk: adjust(command, desk, 150, "thanks", "ops", qualifies=True))
    assert (shop.member().available, shop.member().tier) == (300, "mid")
    shop.ask(lambda command, desk: adjust(command, desk, -350, "mistake", "ops"))
    assert shop.member().available == -50


def test_a_tier_that_falls_while_an_order_is_open_does_not_touch_that_order() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.passes(days=65)
    shop.tell(order("open", line(2_000), paid=shop.now))
    assert shop.member().available == 100 + 30
    shop.passes(days=10)
    assert shop.member().tier == "low"
    shop.tell(order("open", line(4_000), revision=2, paid=START + 65 * DAY))
    assert shop.member().available == 100 + 60
    shop.tell(order("next", line(2_000), paid=shop.now))
    assert shop.member().available == 100 + 60 + 20


def test_a_refund_below_the_threshold_takes_the_tier_after_its_grace_period_and_once() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(10_000)))
    shop.passes(days=2)
    shop.tell(order("1", line(10_000, refunded=9_000), revision=2))
    assert (shop.member().tier, shop.member().available) == ("mid", 10)
    shop.passes(days=9)
    assert shop.member().tier == "mid"
    shop.passes(days=100)
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierDowngraded)] == [("low", "mid")]
