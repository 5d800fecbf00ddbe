"""Spending, giving back, setting aside and expiry, in memory."""

from datetime import UTC, datetime

import pytest

from services.loyalty import holds, terms
from services.loyalty.redemptions import reverse
from shared.errors import Refused
from shared.events.loyalty import PointsExpired, PointsExpiring, PointsRedeemed
from tests.loyalty.shop import AT_ONCE, DAY, START, Shop, line, order, programme


def test_points_expire_once_at_the_end_of_the_last_local_day_after_one_notice() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)))
    shop.redeem(40)
    shop.passes(days=365 + 1)
    assert [(fact.points, fact.balance) for fact in shop.facts(PointsExpired)] == [(60, 0)]
    assert [fact.points for fact in shop.facts(PointsExpiring)] == [60]
    shop.passes(days=400)
    assert len(shop.facts(PointsExpired)) == 1


def test_a_lot_that_was_spent_wholly_gets_no_expiry() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(10_000)))
    shop.redeem(100)
    shop.passes(days=800)
    assert not shop.facts(PointsExpired)


def test_what_expires_soonest_is_spent_first_and_what_never_expires_last() -> None:
    shop = Shop(programme(pending_days=0, expiry_months=None))
    shop.tell(order("never", line(1_000)))
    shop.desk.versions["acc_1"] = Shop(AT_ONCE).desk.versions["acc_1"]
    shop.passes(days=3)
    shop.tell(order("late", line(1_000), paid=shop.now))
    shop.tell(order("soon", line(1_000), paid=START + DAY))
    shop.redeem(15)
    assert {lot.source: lot.remaining for lot in shop.lots()} == {"ord_never": 10, "ord_late": 5}


def test_a_reversed_redemption_goes_back_into_its_lots_with_their_expiry() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    shop.tell(order("2", line(2_000)))
    before = {lot.id: (lot.remaining, lot.expires_at) for lot in shop.lots()}
    redemption = shop.redeem(25)
    assert [fact.points for fact in shop.facts(PointsRedeemed)] == [25]
    shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert {lot.id: (lot.remaining, lot.expires_at) for lot in shop.lots()} == before
    with pytest.raises(Refused) as again:
        shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert again.value.code == "already_reversed"


def test_points_that_come_back_after_their_expiry_expire_at_once() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    redemption = shop.redeem(10)
    shop.passes(days=500)
    shop.ask(lambda command, desk: reverse(command, desk, redemption))
    assert shop.member().available == 10
    shop.passes(days=0)
    assert shop.member().available == 0
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]


def test_held_points_outlive_their_expiry_until_they_are_released() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    shop.passes(days=365)
    hold = shop.hold(10, minutes=60 * 48)
    shop.passes(days=1.5)
    assert (shop.member().held, shop.member().available) == (10, 0)
    shop.ask(lambda command, desk: holds.release(command, desk, hold))
    shop.passes(days=0)
    assert (shop.member().held, shop.member().available) == (0, 0)
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]


def test_a_hold_that_is_over_cannot_be_captured_even_before_its_timer_has_run() -> None:
    shop = Shop(AT_ONCE)
    shop.grant(10)
    hold = shop.hold(10)
    shop.now += DAY
    with pytest.raises(Refused) as over:
        shop.ask(lambda command, desk: holds.capture(command, desk, hold))
    assert over.value.code == "hold_expired"


@pytest.mark.parametrize("earned", [datetime(2025, 3, 8, 12, tzinfo=UTC), datetime(2025, 11, 1, 12, tzinfo=UTC)])
def test_points_that_run_out_on_the_day_the_clocks_change_expire_once_at_local_midnight(earned: datetime) -> None:
    shop = Shop(programme(pending_days=0, zone="America/New_York", start=earned))
    shop.now = earned
    shop.tell(order("1", line(1_000), paid=earned))
    shop.passes(days=366.5)
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]
    [written] = [row for row in shop.desk.transactions.rows if row.kind == "expire"]
    assert written.occurred_at == terms.midnight("America/New_York", terms.local_day("America/New_York", earned) + 366)


def test_an_expiry_whose_timer_fires_twice_takes_the_points_once() -> None:
    shop = Shop(AT_ONCE)
    shop.tell(order("1", line(1_000)))
    due = min(entry for entry in shop.timers.values() if entry[1].startswith("points.expire:"))
    shop.passes(days=400)
    shop.timers[due[1]] = due
    shop.passes(days=0)
    assert [fact.points for fact in shop.facts(PointsExpired)] == [10]
