"""Corrections: one customer as many, monotone in silence and horizon, learned only from what had matured."""

from itertools import pairwise
from math import isfinite

import msgspec
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.models.buying import BG, MBG
from services.scoring.models.cards import fit_rhythm
from services.scoring.models.forecast import Correction, Crowd, Forecast, History
from services.scoring.models.ledger import Ledger
from services.scoring.models.lessons import LEAST_CUSTOMERS, School, Trial, vetoed
from services.scoring.models.regression import regress
from tests.scoring.test_models import simulated

MODEL = MBG(0.525, 43.3, 0.891, 1.614)
weights = st.floats(-0.9, 0.9)
corrections = st.builds(
    Correction,
    horizon=st.just(30),
    matured=st.just(30),
    level=st.floats(-2, 2),
    stretch=weights,
    purchases=weights,
    spend=weights,
    further=weights,
    further_spend=st.floats(-0.3, 0.3),
    further_silence=st.floats(-0.3, 0.0),
)


def forecast_of(some: list[Correction], learned: list[bool], unlearned: BG | None) -> Forecast:
    spans = [(one, 30 * 3**at) for at, one in enumerate(some)]
    kept = zip(spans, learned, strict=False)
    return Forecast(
        MODEL,
        tuple(msgspec.structs.replace(one, horizon=days, matured=days * known) for (one, days), known in kept),
        unlearned,
    )


forecasts = st.builds(
    forecast_of,
    st.lists(corrections, min_size=1, max_size=4),
    st.lists(st.booleans(), min_size=4, max_size=4),
    st.sampled_from([None, BG(0.243, 30.9, 0.793, 2.426)]),
)
histories = st.tuples(
    st.sampled_from([0, 1, 7, 10_000]), st.integers(0, 900), st.integers(0, 3000), st.floats(0, 1e6)
).map(lambda row: History(row[0], row[1] if row[0] else 0, row[1] + row[2], row[3]))


@given(forecasts, histories)
def test_every_answer_is_finite_in_range_and_the_same_alone_as_among_many(forecast: Forecast, who: History) -> None:
    crowd = Crowd(*np.array([msgspec.structs.astuple(who)], dtype=float).T)
    before = (1.0, 0.0)
    for horizon in (1, 30, 60, 90, 365, 3000):
        risk, orders = forecast.p_no_purchase(who, horizon), forecast.expected_orders(who, horizon)
        assert 0.0 <= risk <= 1.0
        assert isfinite(orders)
        assert 1.0 - risk <= orders + 1e-9
        assert 0.0 <= forecast.outlook(who, (30,), horizon, 0.0003).discounted <= orders + 1e-6 * orders + 1e-9
        assert forecast.p_no_purchase_many(crowd, horizon)[0] == pytest.approx(risk, abs=1e-9)
        assert forecast.expected_orders_many(crowd, horizon)[0] == pytest.approx(orders, rel=1e-6)
        outlook = forecast.outlook(who, (30, 90), horizon, 0.0003)
        if horizon in {30, 90}:
            assert outlook.risks[(30, 90).index(horizon)] == risk
            assert outlook.orders[(30, 90).index(horizon)] == pytest.approx(orders, rel=1e-12)
        if horizon in {30, 90, 365}:
            assert risk <= before[0] + 1e-12
            assert orders >= before[1] - 1e-12
            before = (risk, orders)


@given(forecasts, histories)
def test_silence_alone_raises_risk(forecast: Forecast, who: History) -> None:
    older = [msgspec.structs.replace(who, age=who.age + days) for days in range(0, 2000, 100)]
    later = [forecast.p_no_purchase(one, 90) for one in older]
    assert all(one <= other + 1e-12 for one, other in pairwise(later))


def test_where_nothing_was_learned_the_risk_is_that_of_bg() -> None:
    bg, who = BG(0.243, 30.9, 0.793, 2.426), History(2, 100, 260, 3.0)
    level_only, learned = Correction(30, 0, -0.4, *(0.0,) * 6), Correction(90, 90, -0.4, *(0.0,) * 6)
    forecast = Forecast(MODEL, (level_only, learned), bg)
    assert forecast.p_no_purchase(who, 30) == pytest.approx(bg.p_no_purchase(2, 100, 260, 30), abs=1e-12)
    assert forecast.p_no_purchase(who, 90) == Forecast(MODEL, (learned,)).p_no_purchase(who, 90)


def test_between_two_horizons_a_correction_lies_between_theirs() -> None:
    near = Correction(30, 30, 0.0, *(0.0,) * 6)
    far = Correction(120, 120, 1.0, *(0.5,) * 6)
    forecast = Forecast(MODEL, (near, far))
    between = forecast.correction(60)
    assert between is not None
    assert (between.level, between.spend) == pytest.approx((0.5, 0.25))
    assert (forecast.correction(7), forecast.correction(500)) == (near, far)


def a_ledger(customers: int, days: int = 400, seed: int = 3) -> Ledger:
    """A shop of customers who live by MBG, each won on some day of the first hundred."""
    dice = np.random.default_rng(seed)
    x, t_x, _, _ = simulated(MODEL, customers, float(days - 100), seed)
    won = dice.integers(0, 100, customers)
    who = np.repeat(np.arange(customers), x.astype(int) + 1)
    place = np.arange(len(who)) - np.searchsorted(who, who)
    day = 1000 + won[who] + np.where(x[who] > 0, t_x[who] * place / np.maximum(x[who], 1), 0.0).astype(int)
    return Ledger.of(who, day, dice.integers(500, 5000, len(who)), np.full(len(who), "EUR"))


def school(ledger: Ledger, today: int) -> School:
    known = ledger.at(today).histories
    return School(ledger, {today: (fit_rhythm(MBG, known)[0], fit_rhythm(BG, known)[0])})


def test_too_few_customers_teach_nothing_but_a_level() -> None:
    lesson = school(a_ledger(LEAST_CUSTOMERS - 300), 1400).lesson(1400, 90)
    assert not lesson.learned
    level_only = msgspec.structs.replace(lesson.correction, level=0.0, further=0.0)
    assert level_only == Correction(90, 0, *(0.0,) * 7)
    assert lesson.correction.further == pytest.approx(0.0, abs=1e-6)


def test_a_level_alone_makes_the_mean_risk_that_of_bg() -> None:
    ledger, today = a_ledger(400), 1400
    lesson, past = school(ledger, today).lesson(today, 90), school(ledger, today).past(today, 0)
    risk = Forecast(past.mbg, (lesson.correction,)).p_no_purchase_many(past.snapshot.who, 90)
    assert risk.mean() == pytest.approx(past.risk(90)[1].mean(), abs=1e-9)


def test_a_shop_that_lives_by_the_model_is_hardly_corrected() -> None:
    ledger, today = a_ledger(4000), 1400
    past, lesson = school(ledger, today).past(today, 0), school(ledger, today).lesson(today, 90)
    assert lesson.learned
    assert all(trial.origin + trial.horizon <= today for trial in lesson.trials)
    who = past.snapshot.who
    moved = Forecast(past.mbg, (lesson.correction,)).p_no_purchase_many(who, 90) - past.risk(90)[0]
    assert float(np.abs(moved).mean()) < 0.06


def test_what_comes_later_changes_nothing_of_what_was_known() -> None:
    ledger, today = a_ledger(3000), 1200
    known = ledger.day <= today
    shuffled = np.where(known, ledger.day, np.random.default_rng(0).permutation(ledger.day[~known])[0])
    kinds = np.full(len(ledger.day), "EUR")
    free = np.zeros(len(ledger.day), dtype=np.int64)  # what is paid later would change the unit of wealth
    original, changed = (Ledger.of(ledger.customer, days, free, kinds) for days in (ledger.day, shuffled))
    first, second = (school(one, today).learn(today, 60) for one in (original, changed))
    assert first is not None
    assert first == second
    for one, other in zip(original.at(today).who, changed.at(today).who, strict=True):
        assert np.array_equal(one, other)


def trial(**brier: float) -> Trial:
    return Trial(1, 30, 5000, {"bg": 0.16, **brier}, {"bg": 0.49, "corrected": 0.49})


def test_trials_that_lost_against_bg_veto_a_correction() -> None:
    assert not vetoed(())
    assert not vetoed((trial(corrected=0.1604), trial(corrected=0.15)))
    assert vetoed((trial(corrected=0.1606),))
    assert vetoed((msgspec.structs.replace(trial(corrected=0.1), log_loss={"bg": 0.49, "corrected": 0.5}),))


def test_regressions_find_what_made_the_data_and_say_when_they_cannot() -> None:
    dice = np.random.default_rng(1)
    design = np.stack([np.ones(40_000), dice.normal(size=40_000)], axis=1)
    offset = dice.normal(size=40_000)
    score = offset + design @ np.array([-0.4, 0.7])
    happened = (dice.random(40_000) < 1.0 / (1.0 + np.exp(-score))).astype(float)
    assert regress(design, happened, offset, 1.0, "logit") == pytest.approx([-0.4, 0.7], abs=0.05)
    counted = dice.poisson(np.exp(score)).astype(float)
    assert regress(design, counted, offset, 1.0, "log") == pytest.approx([-0.4, 0.7], abs=0.05)
    assert regress(design, happened, np.full(40_000, np.nan), 1.0, "logit") is None


@pytest.mark.parametrize(("most", "left"), [(100, 100), (40, 34), (1, 1)])
def test_a_large_shop_is_learned_from_by_a_part_of_its_customers(most: int, left: int) -> None:
    ledger = a_ledger(100).thinned(most)
    assert len(np.unique(ledger.customer)) == left
    assert ledger.customer.max() == left - 1
    assert len(ledger.spells["EUR"].spend(2000)[0]) == left
