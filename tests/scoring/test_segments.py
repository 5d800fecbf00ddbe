"""Where customers stand, and that time alone moves them only one way."""

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.features import NOBODY, Habit
from services.scoring.models.forecast import Crowd
from services.scoring.segments import DEFINITIONS, Segment, remaining, remaining_many, segment_of
from tests.scoring.some import SERVED, TODAY, habit_of

CUTS = SERVED.cuts
BAR = CUTS.vip["EUR"]


def stands(habit: Habit, today: int = TODAY, stood: Segment | None = None) -> Segment:
    return segment_of(habit, remaining(SERVED, habit, today), CUTS, today, stood)


@pytest.mark.parametrize(
    ("habit", "segment"),
    [
        (NOBODY, Segment.PROSPECT),
        (habit_of(-3), Segment.NEW),
        (habit_of(-40), Segment.ACTIVE),
        (habit_of(-40, -10), Segment.ACTIVE),
        (habit_of(-60, -40, -20, -1), Segment.LOYAL),
        (habit_of(-60, -40, -20, -1, value=10_000), Segment.VIP),
        (habit_of(-160, -140, -120, -100), Segment.AT_RISK),
        (habit_of(-1060, -1040, -1020, -1000), Segment.LAPSED),
        (habit_of(-700), Segment.LAPSED),
    ],
)
def test_who_stands_where(habit: Habit, segment: Segment) -> None:
    assert stands(habit) is segment
    assert segment in DEFINITIONS


@given(st.lists(st.integers(-300, 0), min_size=1, max_size=6, unique=True))
def test_silence_leads_down_and_never_up(days: list[int]) -> None:
    habit, stood = habit_of(*days), None
    ladder = {Segment.AT_RISK: 1, Segment.LAPSED: 2}
    heights = []
    for later in range(0, 1200, 20):
        stood = stands(habit, TODAY + later, stood)
        heights.append(ladder.get(stood, 0))
    assert heights == sorted(heights)
    assert remaining(SERVED, habit, habit.last_day) == 1.0


def test_a_small_move_of_the_model_moves_nobody_back() -> None:
    habit = habit_of(-60, -40, -20, -1)
    for stood, left, then in [
        (Segment.AT_RISK, 0.55, Segment.AT_RISK),
        (Segment.LOYAL, 0.55, Segment.LOYAL),
        (Segment.LAPSED, 0.22, Segment.LAPSED),
        (Segment.AT_RISK, 0.22, Segment.AT_RISK),
        (Segment.LAPSED, 0.55, Segment.AT_RISK),
        (Segment.LAPSED, 0.7, Segment.LOYAL),
        (Segment.AT_RISK, 0.7, Segment.LOYAL),
    ]:
        assert segment_of(habit, left, CUTS, TODAY, stood) is then


def test_a_vip_keeps_her_place_when_the_bar_rises_a_little() -> None:
    habit = habit_of(-60, -40, -20, -1, value=BAR // 4)
    higher = msgspec.structs.replace(CUTS, vip={"EUR": BAR + BAR // 10})
    assert segment_of(habit, 1.0, higher, TODAY, Segment.VIP) is Segment.VIP
    assert segment_of(habit, 1.0, higher, TODAY) is Segment.LOYAL


@given(st.lists(st.tuples(st.integers(0, 50), st.integers(0, 900), st.integers(0, 900)), min_size=1, max_size=30))
def test_many_at_once_equal_one_by_one(rows: list[tuple[int, int, int]]) -> None:
    habits = [Habit(first_day=TODAY, last_day=TODAY + span, occasions=x + 1) for x, span, _ in rows]
    ages = [span + quiet for _, span, quiet in rows]
    columns = [[x, span, age, 0.0] for (x, span, _), age in zip(rows, ages, strict=True)]
    together = remaining_many(SERVED.forecast, Crowd(*np.array(columns, dtype=float).T))
    alone = [remaining(SERVED, habit, TODAY + age) for habit, age in zip(habits, ages, strict=True)]
    assert together == pytest.approx(alone, abs=1e-12)
