"""Tiers as a fold over qualifying points."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.records import Move
from services.loyalty.tiers import Ladder, Tier, added, qualifying, standing

LADDER = Ladder(
    tiers=(Tier(name="bronze"), Tier(name="silver", threshold=100), Tier(name="gold", threshold=300)),
    window_days=100,
    grace_days=10,
)


def earned(day: int, points: int) -> Move:
    return Move(day, day, points)


def test_a_higher_tier_is_reached_on_the_day() -> None:
    moves = (earned(1, 60), earned(5, 50))
    assert standing(moves, LADDER, 4).level == 0
    assert standing(moves, LADDER, 5) == (1, 111)


def test_a_lost_tier_is_kept_until_the_grace_period_is_over() -> None:
    moves = (earned(1, 300),)
    assert standing(moves, LADDER, 100) == (2, 111)
    assert standing(moves, LADDER, 101) == (2, 111)
    assert standing(moves, LADDER, 110).level == 2
    assert standing(moves, LADDER, 111) == (0, None)


def test_points_within_the_grace_period_save_the_tier() -> None:
    moves = (earned(1, 300), earned(105, 300))
    assert standing(moves, LADDER, 120) == (2, 215)


def test_the_fall_is_to_what_is_still_earned() -> None:
    moves = (earned(1, 250), earned(50, 120))
    assert standing(moves, LADDER, 111).level == 1


def test_a_refund_is_judged_inside_the_grace_period() -> None:
    moves = added((earned(1, 300),), Move(20, 1, -250))
    assert standing(moves, LADDER, 19).level == 2
    assert standing(moves, LADDER, 20) == (2, 30)
    assert standing(moves, LADDER, 30).level == 0


def test_a_refund_leaves_the_window_with_what_it_took_back() -> None:
    moves = (earned(1, 300), Move(90, 1, -300), earned(95, 120))
    assert qualifying(moves, LADDER, 96) == 120
    assert qualifying(moves, LADDER, 101) == 120


def test_without_grace_the_tier_falls_at_once() -> None:
    ladder = Ladder(tiers=LADDER.tiers, window_days=100, grace_days=0)
    assert standing((earned(1, 300),), ladder, 101).level == 0


def test_one_tier_is_where_everybody_stays() -> None:
    assert standing((earned(1, 300),), Ladder(tiers=(Tier(name="all"),)), 50) == (0, None)


@pytest.mark.parametrize(
    "tiers",
    [
        (Tier(name="a", threshold=1),),
        (Tier(name="a"), Tier(name="b", threshold=5), Tier(name="c", threshold=5)),
        (Tier(name="a"), Tier(name="a", threshold=5)),
    ],
)
def test_a_ladder_that_does_not_rise_is_refused(tiers: tuple[Tier, ...]) -> None:
    with pytest.raises(ValueError, match=r"rise|same name"):
        Ladder(tiers=tiers)


MOVES = st.lists(
    st.builds(
        lambda day, later, points: Move(day + later, day, points), *(st.integers(0, 150),) * 2, st.integers(-200, 200)
    ),
    max_size=12,
)


@given(MOVES, st.randoms(use_true_random=False))
def test_the_order_in_which_points_are_told_does_not_matter(moves: list[Move], chance: object) -> None:
    shuffled = list(moves)
    chance.shuffle(shuffled)  # type: ignore[attr-defined]
    one_by_one = list(accumulate(shuffled, added, initial=()))[-1]  # type: ignore[arg-type]
    assert one_by_one == added((), *moves)


def by_the_day(moves: tuple[Move, ...], today: int) -> int:
    """The level as somebody would work it out by going through the calendar."""
    level, points, falls_on = 0, 0, None
    for day in range(today + 1):
        for before_the_day in (True, False):
            if falls_on == day and not before_the_day:
                level, falls_on = LADDER.earned(points), None
            seen = [m for m in moves if m.day < m.accrued + LADDER.window_days]
            points = sum(
                m.points
                for m in seen
                if (m.day < day or (m.day == day and not before_the_day)) and day < m.accrued + 100
            )
            if LADDER.earned(points) >= level:
                level, falls_on = LADDER.earned(points), None
            elif falls_on is None:
                falls_on = day + LADDER.grace_days
    return level


@given(st.lists(st.builds(earned, st.integers(0, 300), st.integers(1, 200)), max_size=10), st.integers(0, 450))
def test_the_fold_is_what_a_walk_through_the_calendar_finds(moves: list[Move], today: int) -> None:
    folded = added((), *moves)
    assert standing(folded, LADDER, today).level == by_the_day(folded, today)


@given(st.lists(st.builds(earned, st.integers(0, 200), st.integers(1, 200)), max_size=10), st.integers(0, 350))
def test_the_announced_fall_is_the_day_of_the_fall(moves: list[Move], today: int) -> None:
    folded = tuple(move for move in added((), *moves) if move.day <= today)
    now = standing(folded, LADDER, today)
    if now.falls_on is None:
        assert now.level == 0
    else:
        assert standing(folded, LADDER, now.falls_on - 1).level == now.level
        assert standing(folded, LADDER, now.falls_on).level < now.level
