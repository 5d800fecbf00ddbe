"""Rules beside each other: multipliers, exclusive groups, caps, windows, conditions, and why each gave what it gave."""

from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from services.loyalty.records import Context
from services.loyalty.rules import Cap, LineFilter, OrderRule
from services.loyalty.rules.first_order import FirstOrder
from services.loyalty.rules.multiplier import Multiplier
from services.loyalty.rules.spend import Spend
from services.loyalty.rules.window import Window
from services.loyalty.stacking import Sum, planned, stacked
from shared.events.ingest import Line, Tender
from tests.loyalty.shop import line, order

MOST = 10**12
SHOES = LineFilter(categories=frozenset({"shoes"}))
BASKET = (line(1_000, name="shoe", categories=("shoes",)), line(2_050, name="hat", categories=("hats",)))


def context(**found: Any) -> Context:
    at = found.pop("accrued_at", datetime(2026, 3, 4, 12, tzinfo=UTC))
    return Context(program="prg_1", version=1, accrued_at=at, **found)


def rated(*rules: OrderRule, **found: Any) -> Sum:
    return stacked(order("1", *BASKET), context(**found), planned(rules), MOST)


def told(found: Sum) -> dict[str, tuple[int, str]]:
    return {part.rule: (part.points, part.why) for part in found.parts}


def test_a_multiplier_adds_to_what_the_lines_it_matches_bring() -> None:
    assert rated(Spend(), Multiplier(percent=300, lines=SHOES)).points == 30 + 20


def test_multipliers_add_up_and_the_tier_multiplies_the_whole() -> None:
    twice, half_more = Multiplier(name="a", percent=200), Multiplier(name="b", percent=150, lines=SHOES)
    assert rated(Spend(), twice, half_more, percent=150).points == (30 + 30 + 5) * 150 // 100


def test_the_order_in_which_rules_are_written_does_not_matter_where_none_exclude_each_other() -> None:
    rules = (Multiplier(percent=200, lines=SHOES), Spend(), FirstOrder(award=50))
    assert rated(*rules, first_order=True).points == rated(*reversed(rules), first_order=True).points == 90


def test_of_an_exclusive_group_the_highest_priority_that_brings_anything_counts() -> None:
    low = Multiplier(name="low", percent=400, group="sale", priority=1)
    high = Multiplier(name="high", percent=200, group="sale", priority=2, lines=SHOES)
    assert told(rated(Spend(), low, high)) == {
        "spend": (30, ""),
        "low": (0, "beaten_by:high"),
        "high": (10, ""),
    }
    nothing = Multiplier(name="high", percent=200, group="sale", priority=2, tiers=frozenset({"gold"}))
    assert told(rated(Spend(), low, nothing))["low"] == (90, "")


def test_of_two_basic_rules_in_a_group_only_the_better_placed_is_multiplied() -> None:
    plain, rich = Spend(group="base"), Spend(name="rich", award=5, group="base", priority=9)
    assert rated(plain, rich, Multiplier(percent=200)).points == 300


def test_points_for_the_first_order_come_once_and_are_no_matter_of_tier() -> None:
    rules = (Spend(), FirstOrder(award=100, least=2_000))
    assert rated(*rules, first_order=True, percent=200).points == 60 + 100
    assert told(rated(*rules))["first_order"] == (0, "not_the_first_order")
    assert rated(FirstOrder(award=100, least=5_000), first_order=True).points == 0


@pytest.mark.parametrize(
    ("rule", "found", "why"),
    [
        (Spend(tiers=frozenset({"gold"})), {"tier": "silver"}, "other_tier"),
        (Spend(segments=frozenset({"vip"})), {"segments": ("new",)}, "other_segment"),
        (Spend(without_segments=frozenset({"new"})), {"segments": ("new",)}, "excluded_segment"),
        (Spend(window=Window(until=date(2026, 3, 3))), {}, "outside_window"),
        (Spend(lines=LineFilter(products=frozenset({"other"}))), {}, "nothing_matches"),
        (Spend(per=10_000), {}, "below_one_step"),
        (Multiplier(percent=200, lines=SHOES), {}, "nothing_to_multiply"),
    ],
)
def test_a_rule_that_brings_nothing_says_why(rule: OrderRule, found: dict[str, Any], why: str) -> None:
    assert [part.why for part in rated(rule, **found).parts] == [why]


@pytest.mark.parametrize(
    ("rule", "found"),
    [
        (Spend(tiers=frozenset({"gold"})), {"tier": "gold"}),
        (Spend(segments=frozenset({"vip", "loyal"})), {"segments": ("loyal", "x")}),
        (Spend(without_segments=frozenset({"new"})), {"segments": ("vip",)}),
        (Spend(window=Window(since=date(2026, 3, 4), until=date(2026, 3, 4))), {}),
    ],
)
def test_a_rule_whose_conditions_hold_counts(rule: OrderRule, found: dict[str, Any]) -> None:
    assert rated(rule, **found).points == 30


def test_a_cap_cuts_what_a_rule_brings_and_says_so() -> None:
    capped = Spend(cap=Cap(points=100, per="month"))
    assert told(rated(capped, rooms={"spend": 12})) == {"spend": (12, "capped")}
    assert told(rated(capped, rooms={})) == {"spend": (30, "")}


WEEKEND_NIGHTS = Window(weekdays=frozenset({"sat"}), hour=22, to_hour=2)


@pytest.mark.parametrize(
    ("window", "moment", "holds"),
    [
        (Window(weekdays=frozenset({"wed"})), datetime(2026, 3, 4, 12, tzinfo=UTC), True),
        (Window(weekdays=frozenset({"wed"})), datetime(2026, 3, 5, 12, tzinfo=UTC), False),
        (Window(since=date(2026, 3, 4)), datetime(2026, 3, 4, 4, 59, tzinfo=UTC), False),
        (Window(since=date(2026, 3, 4)), datetime(2026, 3, 4, 5, 0, tzinfo=UTC), True),
        (Window(hour=9, to_hour=17), datetime(2026, 3, 4, 13, 59, tzinfo=UTC), False),
        (Window(hour=9, to_hour=17), datetime(2026, 3, 4, 21, 59, tzinfo=UTC), True),
        (Window(hour=9, to_hour=17), datetime(2026, 3, 4, 22, 0, tzinfo=UTC), False),
        (WEEKEND_NIGHTS, datetime(2026, 3, 8, 4, 0, tzinfo=UTC), True),
        (WEEKEND_NIGHTS, datetime(2026, 3, 8, 6, 30, tzinfo=UTC), True),
        (WEEKEND_NIGHTS, datetime(2026, 3, 7, 6, 30, tzinfo=UTC), False),
        (WEEKEND_NIGHTS, datetime(2026, 3, 8, 7, 30, tzinfo=UTC), False),
    ],
)
def test_windows_are_read_off_the_stores_own_clock(window: Window, moment: datetime, holds: bool) -> None:
    assert window.holds("America/New_York", moment) is holds


def test_tax_and_discounts_count_only_when_asked_for_and_shrink_with_the_refund() -> None:
    taxed = order("1", line(1_000, tax=210, discount=500))
    half = order("1", line(1_000, refunded=500, tax=210, discount=500))

    def points(rule: Spend, bought: Any) -> int:
        return stacked(bought, context(), planned((rule,)), MOST).points

    assert [points(rule, taxed) for rule in (Spend(), Spend(tax=True), Spend(before_discount=True))] == [10, 12, 15]
    assert [points(rule, half) for rule in (Spend(), Spend(tax=True), Spend(before_discount=True))] == [5, 6, 7]


AMOUNTS = st.lists(st.tuples(st.integers(0, 5_000), st.integers(0, 100), st.booleans()), min_size=1, max_size=4)


@given(AMOUNTS, st.integers(101, 400), st.integers(0, 200), st.integers(0, 300))
def test_what_is_given_back_never_raises_what_an_order_earns(
    amounts: list[Any], percent: int, tier: int, room: int
) -> None:
    rules = (
        Spend(),
        Multiplier(percent=percent, lines=SHOES),
        FirstOrder(award=50, least=100),
        Spend(name="capped", per=7, cap=Cap(points=9)),
    )
    found = context(percent=tier, room=room, first_order=True, rooms={"capped": 9})

    def points(*, kept: bool) -> int:
        lines = [
            line(net, name=str(n), refunded=0 if kept else net * back // 100, categories=("shoes",) if shoe else ())
            for n, (net, back, shoe) in enumerate(amounts)
        ]
        return stacked(order("1", *lines), found, planned(rules), MOST).points

    assert 0 <= points(kept=False) <= points(kept=True) <= room


FILTERS = st.sampled_from(
    [
        LineFilter(),
        SHOES,
        LineFilter(without_categories=frozenset({"shoes"})),
        LineFilter(kinds=frozenset({"product", "shipping"})),
        LineFilter(products=frozenset({"p1"}), kinds=frozenset({"shipping"})),
    ]
)
SPENDS = st.builds(
    Spend,
    per=st.sampled_from([1, 70, 300]),
    lines=FILTERS,
    rounding=st.sampled_from(["order", "line"]),
    points_paid=st.booleans(),
    tax=st.booleans(),
)
LINES = st.builds(
    line,
    st.integers(0, 5_000),
    product=st.sampled_from(["p1", "p2"]),
    kind=st.sampled_from(["product", "shipping"]),
    categories=st.sampled_from([(), ("shoes",), ("hats",)]),
    tax=st.integers(0, 500),
)


@given(
    st.lists(LINES, max_size=5),
    st.lists(SPENDS, min_size=1, max_size=3),
    st.lists(FILTERS, min_size=1, max_size=3),
    st.booleans(),
)
def test_a_multiplier_multiplies_what_an_order_of_only_its_lines_would_earn(
    lines: list[Line], spends: list[Spend], filters: list[LineFilter], paid_with_points: bool
) -> None:
    tenders = (Tender(kind="points", amount=500), Tender(kind="cash", amount=1_000)) if paid_with_points else ()
    basic = tuple(replace(spend, name=f"basic {n}") for n, spend in enumerate(spends))
    doubled = tuple(Multiplier(name=f"double {n}", percent=200, lines=which) for n, which in enumerate(filters))
    parts = told(stacked(order("1", *lines, tenders=tenders), context(), planned(basic + doubled), MOST))
    for rule in doubled:
        some = [one for n, one in enumerate(lines) if rule.lines.choice(lines) >> n & 1]
        alone = stacked(order("1", *some, tenders=tenders), context(), planned(basic), MOST)
        assert parts[rule.name][0] == alone.points
