"""How points expire, other than a year after they came; what pending points wait for; who gives points to whom."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty import redemptions
from services.loyalty.expiry import Expiry
from shared.events.ingest import ActivityReported, OrderStatus
from shared.events.loyalty import OrderRated, PointsExpired, PointsExpiring
from tests.loyalty.shop import DAY, START, Shop, line, order, programme

MADRID = "Europe/Madrid"


def local(year: int, month: int, day: int) -> datetime:
    """Local midnight in Madrid, winter."""
    return datetime(year, month, day, tzinfo=UTC) - timedelta(hours=1)


@pytest.mark.parametrize(
    ("expiry", "came", "ends"),
    [
        (Expiry(months=3), datetime(2026, 1, 31, 12, tzinfo=UTC), local(2026, 5, 1) - timedelta(hours=1)),
        (Expiry(mode="period_end"), datetime(2026, 5, 9, tzinfo=UTC), local(2027, 1, 1)),
        (Expiry(mode="period_end", periods=1), datetime(2026, 5, 9, tzinfo=UTC), local(2028, 1, 1)),
        (Expiry(mode="period_end", per="month"), datetime(2026, 1, 31, 23, 30, tzinfo=UTC), local(2026, 3, 1)),
        (Expiry(mode="period_end", per="quarter"), datetime(2026, 11, 9, tzinfo=UTC), local(2027, 1, 1)),
        (Expiry(mode="fixed_dates", dates=("12-31", "06-30")), datetime(2026, 10, 1, tzinfo=UTC), local(2027, 1, 1)),
        (
            Expiry(mode="fixed_dates", dates=("12-31", "02-29"), least_days=60),
            datetime(2026, 12, 1, tzinfo=UTC),
            local(2027, 3, 1),
        ),
    ],
)
def test_points_expire_when_their_mode_says_so(expiry: Expiry, came: datetime, ends: datetime) -> None:
    assert expiry.ends(MADRID, came, came) == ends


def test_the_time_may_begin_when_points_can_first_be_spent() -> None:
    came = datetime(2026, 1, 10, 12, tzinfo=UTC)
    late = came + 30 * DAY
    assert Expiry(months=1).ends(MADRID, came, late) == local(2026, 2, 11)
    assert Expiry(months=1, starts="activation").ends(MADRID, came, late) == local(2026, 3, 10)


@pytest.mark.parametrize(
    "wrong", [{"mode": "fixed_dates"}, {"mode": "inactivity", "activities": frozenset()}, {"dates": ("02-30",)}]
)
def test_a_mode_without_what_it_goes_by_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=r"needs|day"):
        Expiry(**wrong)


@given(
    st.datetimes(datetime(2020, 1, 1), datetime(2050, 1, 1)),  # noqa: DTZ001 - made aware below
    st.sampled_from(["rolling", "period_end", "fixed_dates", "inactivity"]),
    st.sampled_from(["month", "quarter", "half_year", "year"]),
)
def test_points_are_never_gone_before_the_day_after_they_came(came: datetime, mode: Any, per: Any) -> None:
    moment = came.replace(tzinfo=UTC)
    ends = Expiry(mode=mode, per=per, months=1, dates=("03-31", "10-31")).ends(MADRID, moment, moment)
    assert ends > moment
    later = Expiry(mode=mode, per=per, months=1, dates=("03-31", "10-31")).ends(MADRID, moment + DAY, moment + DAY)
    assert later >= ends


SLIDING = programme(pending_days=0, expiry=Expiry(mode="inactivity", months=6), notice_days=30)


def test_every_activity_keeps_all_points_alive_and_standing_still_loses_them_after_a_notice() -> None:
    shop = Shop(SLIDING)
    shop.tell(order("1", line(10_000)))
    shop.passes(150)
    shop.tell(order("2", line(5_000), paid=shop.now))
    assert {lot.expires_at for lot in shop.lots()} == {datetime(2026, 11, 30, 23, tzinfo=UTC)}
    shop.passes(160)
    shop.redeem(10)
    shop.passes(175)
    assert shop.member().available == 140
    assert len(shop.facts(PointsExpiring)) == 2
    shop.passes(20)
    assert (shop.member().available, [fact.points for fact in shop.facts(PointsExpired)]) == (0, [140])


def test_what_is_no_chosen_activity_keeps_nothing_alive_and_late_news_shortens_nothing() -> None:
    shop = Shop(programme(pending_days=0, expiry=Expiry(mode="inactivity", months=6, activities=frozenset({"order"}))))
    shop.tell(order("1", line(10_000)))
    shop.passes(100)
    shop.redeem(10)
    shop.tell(order("2", line(1_000), paid=START + DAY))
    ends = {lot.expires_at for lot in shop.lots()}
    assert ends == {datetime(2026, 7, 2, 22, tzinfo=UTC)}
    shop.tell(order("3", line(1_000), paid=START + 90 * DAY))
    assert {lot.expires_at for lot in shop.lots()} == {datetime(2026, 10, 1, 22, tzinfo=UTC)}


AWAITED = programme(pending_until="delivered", pending_days=7, cancel_days=60)


def test_points_wait_until_the_order_is_delivered_and_some_days_more() -> None:
    shop = Shop(AWAITED)
    shop.tell(order("1", line(10_000)))
    shop.passes(30)
    assert (shop.member().pending, shop.member().available) == (100, 0)
    shop.tell(order("1", line(10_000), revision=2, fulfilled_at=shop.now))
    shop.passes(8)
    assert shop.member().pending == 100
    shop.tell(order("1", line(10_000), revision=3, delivered_at=shop.now, status=OrderStatus.DELIVERED))
    shop.passes(6)
    assert shop.member().pending == 100
    shop.passes(2)
    assert (shop.member().pending, shop.member().available) == (0, 100)


def test_points_of_an_order_that_is_never_delivered_are_taken_back_once_and_for_good() -> None:
    shop = Shop(AWAITED)
    shop.tell(order("1", line(10_000)))
    shop.passes(61)
    assert (shop.member().pending, shop.member().earned) == (0, 0)
    assert sum(move.points for move in shop.member().moves) == sum(move.spent for move in shop.member().moves) == 0
    assert [fact.change for fact in shop.facts(OrderRated)] == [100, -100]
    shop.tell(order("1", line(10_000), revision=2, delivered_at=shop.now, status=OrderStatus.DELIVERED))
    shop.tell(order("1", line(10_000, refunded=10_000), revision=3, status=OrderStatus.REFUNDED))
    shop.passes(100)
    assert (shop.member().pending, shop.member().available, shop.member().debt) == (0, 0, 0)
    context = shop.desk.ratings["acc_1", "ord_1"].context
    assert context is not None
    assert context.why == "not_in_time"


def test_a_refund_takes_waiting_points_first_and_nothing_wakes_up_afterwards() -> None:
    shop = Shop(AWAITED)
    shop.tell(order("1", line(10_000)))
    shop.tell(order("1", line(10_000, refunded=4_000), revision=2, status=OrderStatus.PARTLY_REFUNDED))
    assert shop.member().pending == 60
    shop.tell(order("1", line(10_000, refunded=10_000), revision=3, status=OrderStatus.REFUNDED))
    shop.passes(90)
    assert (shop.member().pending, shop.member().available) == (0, 0)


def test_points_may_wait_for_an_event_of_the_shops_own_about_their_order() -> None:
    shop = Shop(programme(pending_until="Return window closed", pending_days=0, cancel_days=60))
    for number in ("1", "2"):
        shop.tell(order(number, line(10_000), delivered_at=START))
    shop.hears(ActivityReported(name="return window closed", reference="ord_1"), "eva")
    shop.hears(ActivityReported(name="something else", reference="ord_1"))
    shop.passes(1)
    assert (shop.member().pending, shop.member().available) == (200, 0)
    shop.hears(ActivityReported(name="return window closed", reference="ord_1"))
    shop.passes(1)
    assert (shop.member().pending, shop.member().available) == (100, 100)
    shop.passes(60)
    assert (shop.member().pending, shop.member().available) == (0, 100)


def test_an_order_that_is_delivered_already_waits_for_nothing() -> None:
    shop = Shop(AWAITED)
    shop.tell(order("1", line(10_000), delivered_at=START, status=OrderStatus.DELIVERED))
    assert shop.lots()[0].awaits == ""
    shop.passes(8)
    assert shop.member().available == 100


def test_what_came_back_after_its_expiry_is_lengthened_once_however_many_parts_it_came_in() -> None:
    shop = Shop(programme(pending_days=0, expiry_months=1, reinstate_days=30))
    shop.tell(order("1", line(10_000)))
    first, second = shop.redeem(40), shop.redeem(60)
    shop.passes(40)
    shop.ask(lambda command, desk: redemptions.reverse(command, desk, first))
    [lot] = shop.lots()
    shop.passes(15)
    shop.ask(lambda command, desk: redemptions.reverse(command, desk, second))
    assert [(one.expires_at, one.remaining) for one in shop.lots()] == [(lot.expires_at, 100)]
    shop.passes(30)
    assert shop.member().available == 0
