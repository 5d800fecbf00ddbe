"""Ladders of every kind: by what they count, how long, how members fall, who is warned, what is paid for."""

from datetime import UTC, date, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty import standings
from services.loyalty.impact import Count
from services.loyalty.memberships import Membership
from services.loyalty.records import Member, Move
from services.loyalty.rules.spend import Spend
from services.loyalty.tiers import Ladder, Tier, standing
from shared.events.ingest import OrderStatus
from shared.events.loyalty import TierDowngraded, TierDowngradeScheduled, TierExtended, TierUpgraded
from shared.events.scoring import SegmentEntered, SegmentLeft
from tests.loyalty.shop import CLIMB, START, Shop, line, order, programme

STEPS = (Tier(name="low"), Tier(name="mid", threshold=100), Tier(name="top", threshold=400))


def ladder(**given_: Any) -> Ladder:
    return Ladder(**{"tiers": STEPS, "window_days": 100, "grace_days": 10, **given_})


def day(year: int, month: int, of: int) -> int:
    return date(year, month, of).toordinal()


def came(when: int, points: int) -> Move:
    return Move(when, when, points)


def test_a_calendar_window_ends_with_the_year_whenever_points_came() -> None:
    yearly = ladder(window="calendar", grace_days=0)
    moves = (came(day(2026, 2, 1), 150), came(day(2026, 12, 30), 300))
    assert standing(moves, yearly, day(2026, 12, 31)) == (2, day(2027, 1, 1))
    assert standing(moves, yearly, day(2027, 1, 1)).level == 0
    spring = ladder(window="calendar", window_starts="04-01", grace_days=0)
    assert standing(moves, spring, day(2026, 4, 1)).level == 0
    assert standing(moves, spring, day(2026, 12, 31)) == (1, day(2027, 4, 1))


def test_a_window_of_membership_years_ends_on_the_day_of_joining() -> None:
    own = ladder(window="anniversary", grace_days=0)
    moves = (came(day(2026, 5, 1), 150),)
    assert standing(moves, own, day(2026, 5, 2), day(2025, 9, 14)) == (1, day(2026, 9, 14))
    assert standing(moves, own, day(2026, 5, 2), day(2024, 2, 29)) == (1, day(2027, 2, 28))
    later = ladder(window="anniversary", grace_days=0, leap="03-01")
    assert standing(moves, later, day(2026, 5, 2), day(2024, 2, 29)) == (1, day(2027, 3, 1))


def test_what_counts_for_a_lifetime_never_goes() -> None:
    assert standing((came(5, 150),), ladder(window="lifetime"), 700_000) == (1, None)


@pytest.mark.parametrize(
    ("to", "falls"),
    [("day", (2026, 3, 15)), ("month", (2026, 4, 1)), ("quarter", (2026, 4, 1)), ("year", (2027, 1, 1))],
)
def test_grace_runs_to_the_end_of_its_period(to: Any, falls: tuple[int, int, int]) -> None:
    rounded = ladder(window_days=10, grace_days=20, grace_to=to)
    assert standing((came(day(2026, 2, 13), 100),), rounded, day(2026, 3, 1)).falls_on == day(*falls)


def test_a_member_may_fall_by_one_step_at_a_time_or_never() -> None:
    moves = (came(1, 400),)
    slow = ladder(downgrade="one_step")
    assert [standing(moves, slow, today).level for today in (110, 111, 120, 121, 122)] == [2, 1, 1, 0, 0]
    assert standing(moves, slow, 111).falls_on == 121
    assert standing(moves, ladder(downgrade="never"), 10_000) == (2, None)
    assert standing(moves, ladder(), 111) == (0, None)


@given(
    st.lists(st.builds(came, st.integers(1, 400), st.integers(1, 300)), max_size=8),
    st.integers(1, 900),
    st.sampled_from(["rolling", "calendar", "anniversary", "lifetime"]),
    st.sampled_from(["day", "month", "year"]),
)
def test_slower_downgrades_never_leave_anybody_lower(moves: list[Move], today: int, window: Any, to: Any) -> None:
    folded = tuple(sorted(moves))
    levels = [
        standing(folded, ladder(window=window, grace_to=to, downgrade=how), today, 100).level
        for how in ("full", "one_step", "never")
    ]
    assert levels == sorted(levels)


@given(
    st.lists(st.builds(came, st.integers(1, 300), st.integers(1, 300)), max_size=8),
    st.integers(1, 700),
    st.sampled_from(["rolling", "calendar", "anniversary"]),
    st.sampled_from(["full", "one_step"]),
)
def test_a_tier_falls_on_the_day_that_was_announced(moves: list[Move], today: int, window: Any, how: Any) -> None:
    folded = tuple(sorted(move for move in moves if move.day <= today))
    terms = ladder(window=window, downgrade=how, grace_to="month")
    now = standing(folded, terms, today, 50)
    if now.falls_on is None:
        assert now.level == 0
    else:
        assert standing(folded, terms, now.falls_on - 1, 50).level == now.level
        assert standing(folded, terms, now.falls_on, 50).level < now.level


def climbing(**of: Any) -> Shop:
    return Shop(programme(pending_days=0, expiry_months=None, ladder=ladder(window_days=60, **of)))


def test_a_ladder_by_money_counts_what_was_kept_and_not_the_points() -> None:
    shop = Shop(
        programme(
            pending_days=0,
            rules=(Spend(award=5),),
            ladder=ladder(
                by="spend",
                tiers=(
                    Tier(name="low"),
                    Tier(name="mid", threshold=10_000),
                ),
            ),
        )
    )
    shop.tell(order("1", line(6_000)))
    assert shop.member().tier == "low"
    shop.tell(order("2", line(5_000)))
    assert shop.member().tier == "mid"
    shop.tell(order("2", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED))
    shop.passes(11)
    assert shop.member().tier == "low"


def test_a_ladder_by_orders_counts_each_that_stands_once() -> None:
    shop = Shop(programme(ladder=ladder(by="orders", tiers=(Tier(name="low"), Tier(name="mid", threshold=2)))))
    shop.tell(order("1", line(100)))
    shop.tell(order("1", line(100), revision=2))
    shop.tell(order("2", line(50)))
    shop.tell(order("2", line(50), revision=2, status=OrderStatus.CANCELLED))
    shop.passes(11)
    assert shop.member().tier == "low"
    shop.tell(order("3", line(1), paid=shop.now))
    assert shop.member().tier == "mid"


def test_an_order_that_earns_no_points_counts_for_a_ladder_of_money() -> None:
    shop = Shop(programme(rules=(Spend(per=10**9),), ladder=ladder(by="spend")))
    shop.tell(order("1", line(500)))
    assert (shop.member().tier, shop.member().earned) == ("top", 0)


def test_a_segment_brings_its_tier_for_as_long_as_one_is_in_it() -> None:
    tiers = (Tier(name="low"), Tier(name="mid", threshold=10**6, segments=frozenset({"vip"})))
    shop = Shop(programme(ladder=ladder(tiers=tiers)))
    shop.tell(order("1", line(100)))
    shop.hears(SegmentEntered(segment="vip"))
    assert shop.member().tier == "mid"
    shop.passes(400)
    assert shop.member().tier == "mid"
    shop.hears(SegmentLeft(segment="vip"))
    shop.passes(1)
    assert shop.member().tier == "low"
    assert (len(shop.facts(TierUpgraded)), len(shop.facts(TierDowngraded))) == (1, 1)


def test_who_will_fall_is_warned_once_with_what_is_missing() -> None:
    shop = climbing(warn_days=14)
    shop.tell(order("1", line(15_000)))
    shop.passes(50)
    assert shop.facts(TierDowngradeScheduled) == []
    shop.passes(10)
    [warned] = shop.facts(TierDowngradeScheduled)
    assert (warned.tier, warned.falls_to, warned.missing) == ("mid", "low", 100)
    assert warned.falls_at == datetime(2026, 3, 11, 23, tzinfo=UTC)
    shop.passes(15)
    assert shop.member().tier == "low"
    assert len(shop.facts(TierDowngradeScheduled)) == 1


def test_who_was_warned_and_buys_enough_is_told_that_the_tier_stays() -> None:
    shop = climbing(warn_days=14)
    shop.tell(order("1", line(15_000)))
    shop.passes(60)
    shop.tell(order("2", line(12_000), paid=shop.now))
    [kept] = shop.facts(TierExtended)
    assert (kept.tier, kept.until) == ("mid", datetime(2026, 5, 10, 22, tzinfo=UTC))
    shop.passes(20)
    assert shop.member().tier == "mid"


CLUB = Membership(name="club", tier="top", products=frozenset({"club-12"}), months=12)
PAID = programme(pending_days=0, memberships=(CLUB,), ladder=ladder(window_days=60))


def fee(**more: Any) -> Any:
    return line(5_000, product="club-12", **more)


def test_a_membership_brings_its_tier_until_its_paid_day_and_its_fee_earns_nothing() -> None:
    shop = Shop(PAID)
    shop.tell(order("1", fee(), line(2_000, name="l2")))
    assert (shop.member().tier, shop.member().available) == ("top", 20)
    shop.passes(364)
    assert shop.member().tier == "top"
    shop.passes(2)
    assert shop.member().tier == "low"


def test_a_renewal_begins_when_the_first_year_is_over() -> None:
    shop = Shop(PAID)
    shop.tell(order("1", fee()))
    shop.passes(300)
    shop.tell(order("2", fee(), paid=shop.now))
    shop.passes(400)
    assert shop.member().tier == "top"
    shop.passes(31)
    assert shop.member().tier == "low"


def test_a_membership_that_is_given_back_ends_and_an_earned_tier_holds() -> None:
    shop = Shop(PAID)
    shop.tell(order("1", fee()))
    shop.tell(order("2", line(12_000)))
    assert shop.member().tier == "top"
    shop.tell(order("1", fee(refunded=5_000, refunded_quantity=1), revision=2, status=OrderStatus.REFUNDED))
    shop.passes(1)
    assert (shop.member().tier, shop.member().passes) == ("mid", ())


def test_a_membership_moves_with_its_order_and_survives_a_merge() -> None:
    shop = Shop(PAID)
    shop.tell(order("1", fee()))
    shop.tell(order("1", fee(), revision=2), "eva")
    shop.passes(1)
    assert (shop.member("ana").tier, shop.member("eva").tier) == ("low", "top")
    shop.merge("ana", "eva")
    assert shop.member("ana").tier == "top"
    shop.passes(370)
    assert shop.member("ana").tier == "low"


def test_a_membership_of_a_tier_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="not on the ladder"):
        programme(memberships=(CLUB,))


def test_what_another_ladder_would_do_is_counted_before_it_is_in_force() -> None:
    today = day(2026, 1, 10)
    members = [
        Member("acc_1", f"cus_{n}", START, tier=tier, moves=(came(today - 5, points),), segments=segments)
        for n, (tier, points, segments) in enumerate(
            [("low", 60, ()), ("mid", 150, ("vip",)), ("top", 500, ("vip", "new")), ("gone", 0, ())]
        )
    ]
    steps = (Tier(name="low"), Tier(name="mid", threshold=50), Tier(name="top", threshold=600))
    count = Count(CLIMB, programme(ladder=ladder(tiers=steps)), today)
    for member in members:
        count.add(member)
    told = count.told()
    assert (told.members, told.rise, told.fall) == (4, 1, 1)
    assert {(one.segment, one.before, one.after): one.members for one in told.moves} == {
        ("none", "low", "mid"): 1,
        ("none", "gone", "low"): 1,
        ("vip", "mid", "mid"): 1,
        ("vip", "top", "mid"): 1,
        ("new", "top", "mid"): 1,
    }


def test_a_changed_ladder_reaches_members_who_do_nothing() -> None:
    shop = climbing()
    shop.tell(order("1", line(15_000)))
    shop.adopt(ladder=ladder(tiers=(Tier(name="low"), Tier(name="mid", threshold=200))))
    shop.fires("programme.follow")
    shop.passes(1)
    assert shop.member().tier == "low"
    now = standings.place(shop.member(), shop.terms, day(2026, 1, 2))
    assert (now.level, START + timedelta(days=1)) == (0, shop.now)


def test_a_ladder_may_count_the_friends_that_a_member_brought() -> None:
    steps = (Tier(name="low"), Tier(name="mid", threshold=2))
    friendly = ladder(by="referrals", tiers=steps, grace_days=0)
    moves = (Move(5, 5, 0, friends=1), Move(9, 9, 30, friends=1), Move(20, 20, 0, friends=-1))
    assert [standing(moves, friendly, today).level for today in (8, 9, 19, 20)] == [0, 1, 1, 0]
