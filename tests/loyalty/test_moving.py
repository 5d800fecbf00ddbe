"""Orders that change hands and customers who merge: points go along, what was spent stays."""

from services.loyalty import imports, redemptions
from services.loyalty.redemptions import Basket
from shared.events.ingest import OrderStatus
from shared.events.loyalty import PointsReturned, TierUpgraded
from tests.loyalty.shop import AT_ONCE, CLIMB, Shop, line, order


def test_an_order_that_moves_takes_its_points_along_and_leaves_what_was_spent() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)), "ana")
    shop.redeem(80, "ana")
    shop.tell(order("1", line(10_000), revision=2), "eva")
    assert (shop.member("ana").available, shop.member("eva").available) == (-80, 100)
    assert (shop.member("ana").earned, shop.member("eva").earned) == (0, 100)
    shop.tell(order("1", line(10_000, refunded=10_000), revision=3), "eva")
    assert shop.member("eva").available == 0


def test_the_debt_of_one_is_paid_by_the_points_of_the_other_when_they_merge() -> None:
    for survivor, loser in (("ana", "eva"), ("eva", "ana")):
        shop = Shop(AT_ONCE)
        shop.tell(order("1", line(10_000)), "ana")
        shop.redeem(80, "ana")
        shop.tell(order("1", line(10_000, refunded=10_000), revision=2), "ana")
        shop.tell(order("2", line(20_000)), "eva")
        shop.merge(survivor, loser)
        assert (shop.member(survivor).available, shop.member(survivor).debt) == (120, 0)
        assert [lot.remaining for lot in shop.lots(survivor)] == [120]


def test_a_merge_brings_the_tier_that_both_reach_together() -> None:
    shop = Shop(CLIMB)
    shop.tell(order("1", line(6_000)), "ana")
    shop.tell(order("2", line(6_000)), "eva")
    shop.merge("ana", "eva")
    assert shop.member("ana").tier == "mid"
    assert [(fact.tier, fact.previous) for fact in shop.facts(TierUpgraded)] == [("mid", "low")]


def test_an_emptied_lot_of_a_merged_customer_is_filled_again_for_the_survivor() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)), "eva")
    shop.redeem(100, "eva")
    shop.merge("ana", "eva")
    shop.tell(order("1", line(12_000), revision=2), "ana")
    assert (shop.member("ana").available, shop.member("eva").available) == (20, 0)
    assert [lot.remaining for lot in shop.lots("ana")] == [20]


def test_points_that_paid_an_order_come_back_to_whoever_paid_when_the_order_has_moved_to_another() -> None:
    shop = Shop(AT_ONCE)
    shop.grant(500)
    shop.ask(lambda command, desk: redemptions.redeem(command, desk, 200, Basket("sto_1/9")))
    shop.hears_order(order("9", line(10_000)))
    shop.hears_order(order("9", line(10_000), revision=2), "eva")
    shop.hears_order(order("9", line(10_000, refunded=10_000), revision=3, status=OrderStatus.REFUNDED), "eva")
    assert (shop.member("ana").available, shop.member("eva").available) == (500, 0)
    assert [fact.points for fact in shop.facts(PointsReturned)] == [200]


def test_balances_brought_along_under_one_reference_both_stay_when_their_members_merge() -> None:
    shop = Shop(AT_ONCE)
    row = imports.Row(customer="x", points=70, reference="opening")
    for name in ("ana", "eva"):
        shop.ask(lambda command, desk: imports.take(command, desk, row), name)
    shop.merge("ana", "eva")
    assert shop.member("ana").available == 140
    assert shop.ask(lambda command, desk: imports.take(command, desk, row), "ana") is False
    assert sorted(award.source for award in shop.desk.awards.values()) == ["opening", "opening of cus_eva"]
