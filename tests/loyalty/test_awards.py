"""Points for other things than orders: activities, profiles, newsletters, yearly days; once, within caps and budget."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from services.loyalty.programmes import Budget
from services.loyalty.rules import Cap, Rule
from services.loyalty.rules.activity import Activity, Review, Survey
from services.loyalty.rules.dates import Anniversary, Birthday
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.profile import Newsletter, Profile
from services.loyalty.rules.spend import Spend
from shared.events.ingest import ActivityReported, ConsentChanged, CustomerErased, ProfileUpdated
from shared.events.loyalty import PointsEarned, TierUpgraded
from shared.events.scoring import SegmentEntered, SegmentLeft
from tests.loyalty.shop import DAY, LADDER, START, Shop, line, order, programme


def shop_with(*rules: Rule, **terms: Any) -> Shop:
    return Shop(programme(pending_days=0, rules=(Spend(), *rules), **terms))


def activity(name: str, reference: str = "", **properties: Any) -> ActivityReported:
    return ActivityReported(name=name, reference=reference, properties=properties)


def profile(**known: Any) -> ProfileUpdated:
    return ProfileUpdated(updated_at=START, **known)


def test_a_review_is_paid_once_whatever_is_told_of_it() -> None:
    shop = shop_with(Review(points=20, bonus=10))
    shop.hears(activity("Review", "r1"))
    shop.hears(activity("review", "r1", photo=True))
    shop.hears(activity("review", "r2", photo=True))
    shop.hears(activity("complaint", "r3"))
    assert shop.member().available == 20 + 30
    assert [(fact.rule, fact.points, fact.balance) for fact in shop.facts(PointsEarned)] == [
        ("review", 20, 20),
        ("review", 30, 50),
    ]
    assert [(award.rule, award.version, award.source) for award in shop.desk.awards.values()] == [
        ("review", 1, "r1"),
        ("review", 1, "r2"),
    ]


def test_caps_hold_within_a_local_day_and_begin_anew_with_the_next() -> None:
    shop = shop_with(
        Survey(points=5), Activity(name="visit", event="check_in", points=4, cap=Cap(points=6, per="week"))
    )
    for number in range(3):
        shop.hears(activity("survey", str(number)))
        shop.hears(activity("check_in", str(number)))
    assert shop.member().available == 5 + 6
    shop.passes(days=1)
    shop.hears(activity("survey", "9"))
    shop.hears(activity("check_in", "9"))
    assert shop.member().available == 5 + 6 + 5
    shop.passes(days=7)
    shop.hears(activity("check_in", "10"))
    assert shop.member().available == 5 + 6 + 5 + 4


def test_an_event_of_the_shops_own_counts_when_its_properties_are_as_asked() -> None:
    shop = shop_with(Activity(event="quiz", points=7, where={"passed": True}))
    shop.hears(activity("quiz", "1", passed=False))
    shop.hears(activity("quiz", "2", passed=True))
    assert shop.member().available == 7


def test_a_complete_profile_and_the_newsletter_are_paid_once() -> None:
    shop = shop_with(Profile(points=50, fields=frozenset({"first_name", "phone"})), Newsletter(points=30))
    shop.hears(profile(first_name="Ana"))
    assert shop.member().available == 0
    for _ in range(2):
        shop.hears(profile(first_name="Ana", phone="+34600000000"))
    for granted in (True, False, True):
        shop.hears(ConsentChanged(channel="email", granted=granted, at=shop.now))
    shop.hears(ConsentChanged(channel="sms", granted=True, at=shop.now))
    assert shop.member().available == 50 + 30


def test_a_profile_rule_names_only_fields_that_profiles_have() -> None:
    with pytest.raises(ValueError, match="a profile has the fields"):
        Profile(points=1, fields=frozenset({"shoe_size"}))


def test_the_birthday_is_paid_at_local_midnight_once_a_year() -> None:
    shop = shop_with(Birthday(points=100))
    shop.hears(profile(birthday="1990-03-10"))
    shop.passes(days=67.9)
    assert shop.member().available == 0
    shop.passes(days=0.2)
    assert shop.member().available == 100
    assert shop.facts(PointsEarned)[0].points == 100
    shop.passes(days=365)
    assert len(shop.facts(PointsEarned)) == 2


def test_a_birthday_moved_to_tomorrow_waits_and_is_not_paid_twice_a_year() -> None:
    shop = shop_with(Birthday(points=100, wait_days=30))
    shop.hears(profile(birthday="1990-02-20"))
    shop.passes(days=60)
    assert len(shop.facts(PointsEarned)) == 1
    tomorrow = (shop.now + DAY).strftime("%m-%d")
    shop.hears(profile(birthday=f"1990-{tomorrow}"))
    shop.passes(days=300)
    assert len(shop.facts(PointsEarned)) == 1
    shop.hears(profile(birthday="1990-12-30"))
    shop.passes(days=30)
    assert len(shop.facts(PointsEarned)) == 1


@pytest.mark.parametrize(
    ("leap", "days"),
    [("02-28", ["2026-02-28", "2027-02-28", "2028-02-29"]), ("03-01", ["2026-03-01", "2027-03-01", "2028-02-29"])],
)
def test_who_was_born_on_a_leap_day_is_paid_every_year(leap: Any, days: list[str]) -> None:
    shop = shop_with(Birthday(points=1, leap=leap))
    shop.hears(profile(birthday="2000-02-29"))
    shop.passes(days=365 * 2 + 100)
    paid = [award.awarded_at + timedelta(hours=1) for award in shop.desk.awards.values()]
    assert [moment.date().isoformat() for moment in paid] == days


def test_joining_is_paid_for_from_the_first_anniversary_on() -> None:
    shop = shop_with(Anniversary(points=10))
    shop.tell(order("1", line(100)))
    shop.passes(days=364)
    assert not shop.facts(PointsEarned)
    shop.passes(days=2)
    assert [fact.rule for fact in shop.facts(PointsEarned)] == ["anniversary"]


def test_points_for_an_activity_can_wait_and_move_the_tier() -> None:
    shop = shop_with(Review(points=150, pending_days=3), ladder=LADDER)
    shop.hears(activity("review", "1"))
    assert (shop.member().pending, shop.member().available, shop.member().tier) == (150, 0, "mid")
    assert [fact.tier for fact in shop.facts(TierUpgraded)] == ["mid"]
    shop.passes(days=3)
    assert shop.member().available == 150


def test_of_an_exclusive_group_one_rule_pays_for_one_fact() -> None:
    plain = Activity(name="plain", event="quiz", points=1, group="quiz")
    rich = Activity(name="rich", event="quiz", points=9, group="quiz", priority=5, segments=frozenset({"vip"}))
    shop = shop_with(plain, rich)
    shop.hears(activity("quiz", "1"))
    shop.hears(SegmentEntered(segment="vip"))
    shop.hears(activity("quiz", "2"))
    assert [fact.rule for fact in shop.facts(PointsEarned)] == ["plain", "rich"]


def test_an_order_is_rated_by_the_segments_known_when_it_was_first_rated() -> None:
    shop = Shop(programme(pending_days=0, rules=(Spend(), Spend(name="vip", award=2, segments=frozenset({"vip"})))))
    shop.hears(SegmentEntered(segment="vip"))
    shop.tell(order("1", line(1_000)))
    shop.hears(SegmentLeft(segment="vip"))
    shop.tell(order("2", line(1_000)))
    shop.tell(order("1", line(1_000, refunded=500), revision=2))
    assert shop.member().available == 15 + 10


def test_the_cap_of_an_order_rule_counts_what_earlier_orders_of_the_month_took() -> None:
    shop = Shop(programme(pending_days=0, rules=(Spend(cap=Cap(points=150, per="month")),)))
    for number in range(3):
        shop.tell(order(str(number), line(10_000)))
    assert [rating.points for rating in shop.desk.ratings.values()] == [100, 50, 0]
    shop.tell(order("0", line(10_000, refunded=10_000), revision=2))
    shop.tell(order("9", line(10_000)))
    assert shop.desk.ratings["acc_1", "ord_9"].points == 0
    shop.tell(order("feb", line(10_000), paid=START + 31 * DAY))
    assert shop.desk.ratings["acc_1", "ord_feb"].points == 100


def test_what_all_rules_together_give_a_member_can_be_capped() -> None:
    shop = shop_with(Review(points=50), cap=Cap(points=120, per="year"))
    shop.tell(order("1", line(10_000)))
    shop.hears(activity("review", "1"))
    shop.hears(activity("review", "2"))
    assert shop.member().available == 120


def test_a_budget_is_for_all_members_together_and_is_not_filled_again_by_refunds() -> None:
    shop = shop_with(Review(points=30), budget=Budget(points=140, per="ever"))
    shop.desk.budgets.loaded(("acc_1", f"{shop.terms.id}:ever:0"), 140)
    shop.tell(order("1", line(10_000)), "ana")
    shop.hears(activity("review", "1"), "eva")
    shop.tell(order("2", line(10_000)), "eva")
    assert (shop.member("ana").available, shop.member("eva").available) == (100, 40)
    shop.tell(order("1", line(10_000, refunded=10_000), revision=2), "ana")
    shop.tell(order("3", line(10_000)), "eva")
    shop.tell(order("2", line(50_000), revision=2), "eva")
    assert (shop.member("ana").available, shop.member("eva").available) == (0, 40)


def test_two_who_merge_were_paid_once_for_what_is_paid_once() -> None:
    shop = shop_with(Newsletter(points=30), Review(points=20), FirstOrder(award=100))
    for name in ("ana", "eva"):
        shop.hears(ConsentChanged(channel="email", granted=True, at=shop.now), name)
        shop.hears(activity("review", f"of_{name}"), name)
        shop.tell(order(f"of_{name}", line(1_000)), name)
    shop.merge("ana", "eva")
    assert shop.member("ana").available == 30 + 2 * 20 + 100 + 2 * 10
    assert shop.member("ana").earned == shop.member("ana").available
    shop.hears(activity("review", "of_eva"), "ana")
    shop.tell(order("of_eva", line(1_000, refunded=1_000), revision=2), "ana")
    assert shop.member("ana").available == 30 + 2 * 20 + 100 + 10


def test_what_happened_before_the_programme_began_or_to_an_erased_member_brings_nothing() -> None:
    shop = shop_with(Review(points=20), Birthday(points=5))
    shop.hears(activity("review", "1"), at=datetime(2025, 1, 1, tzinfo=UTC))
    shop.hears(profile(birthday="1990-03-10"))
    shop.hears(CustomerErased(at=shop.now))
    shop.hears(activity("review", "2"))
    shop.passes(days=200)
    assert (shop.member().available, shop.member().birthday, shop.timers) == (0, "", {})
