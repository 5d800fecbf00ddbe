"""The models against what was published, against simulation, and against their own other form."""

from math import isfinite

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import quad
from scipy.optimize import approx_fprime
from scipy.stats import beta, spearmanr

from services.scoring.models.buying import BG, MBG, BuyingModel, discounted, steps
from services.scoring.models.cards import (
    MODELS,
    PURSE,
    RHYTHM,
    Status,
    fit_purse,
    fit_rhythm,
    prior_rhythm,
    rank_correlation,
)
from services.scoring.models.fitting import climb
from services.scoring.models.histories import Column, Histories, distinct_pairs
from services.scoring.models.likelihood import Likelihood
from services.scoring.models.spending import Spend
from tests.scoring import cdnow

FITTED = {MBG: MBG(0.525, 43.3, 0.891, 1.614), BG: BG(0.243, 30.9, 0.793, 2.426)}
ANY_MODEL = st.sampled_from(MODELS)


def test_bg_on_the_published_sample() -> None:
    model, card = fit_rhythm(BG, cdnow.histories(), prior=None)
    assert card.log_likelihood == pytest.approx(-9582.4, abs=0.05)
    assert [round(value, 3) for value in (model.r, model.alpha, model.a, model.b)] == [0.243, 4.414, 0.793, 2.426]
    assert card.status is Status.FITTED


def test_gamma_gamma_on_the_published_sample() -> None:
    model, _ = fit_purse(cdnow.repeat_spend(), prior=None)
    assert [model.p, model.q, model.v] == pytest.approx([6.25, 3.74, 15.44], abs=0.01)


def test_the_weak_prior_hardly_moves_the_published_sample() -> None:
    free, _ = fit_rhythm(MBG, cdnow.histories(), prior=None)
    held, card = fit_rhythm(MBG, cdnow.histories())
    assert held.p_no_purchase(2, 30.4, 38.9, 39.0) == pytest.approx(free.p_no_purchase(2, 30.4, 38.9, 39.0), abs=0.003)
    assert min(card.curvature) > 1


def simulated(
    model: BuyingModel, customers: int, age: float, seed: int
) -> tuple[Column, Column, Column, NDArray[np.bool]]:
    """x, t_x, buying rate and whether still there, of customers who live by the model's assumptions."""
    dice = np.random.default_rng(seed)
    rate = dice.gamma(model.r, 1.0 / model.alpha, customers)
    quits = dice.beta(model.a, model.b, customers)
    x, t_x, clock = np.zeros(customers), np.zeros(customers), np.zeros(customers)
    alive = dice.random(customers) > quits * model.chances
    going = np.flatnonzero(alive)
    while len(going):
        clock[going] += dice.exponential(1.0, len(going)) / np.maximum(rate[going], 1e-300)
        going = going[clock[going] <= age]
        x[going] += 1
        t_x[going] = clock[going]
        gone = dice.random(len(going)) < quits[going]
        alive[going[gone]] = False
        going = going[~gone]
    return x, t_x, rate, alive


@pytest.mark.parametrize("model", [MBG(2.0, 60.0, 0.5, 4.0), BG(2.0, 60.0, 0.5, 4.0)], ids=["mbg", "bg"])
def test_p_no_purchase_against_simulation_for_every_x(model: BuyingModel) -> None:
    age, horizon = 180.0, 90.0
    x, t_x, rate, alive = simulated(model, 3_000_000, age, seed=7)
    quiet = np.where(alive, np.exp(-rate * horizon), 1.0)
    claimed = model.p_no_purchase_many(x, t_x, np.full_like(x, age), horizon)
    for count in range(11):
        rows = x == count
        assert rows.sum() > 60_000
        assert claimed[rows].mean() == pytest.approx(quiet[rows].mean(), abs=0.003), count
    assert claimed[x > 10].mean() == pytest.approx(quiet[x > 10].mean(), abs=0.003)


@pytest.mark.parametrize("model", [MBG(2.0, 60.0, 0.5, 4.0), BG(2.0, 60.0, 0.5, 4.0)], ids=["mbg", "bg"])
def test_expected_orders_against_simulation(model: BuyingModel) -> None:
    early = simulated(model, 1_000_000, 180.0, seed=3)
    later = simulated(model, 1_000_000, 180.0, seed=4)
    claimed = model.expected_orders_many(early[0], early[1], np.full_like(early[0], 180.0), 0.0)
    assert claimed.max() == 0.0
    newcomer = model.expected_orders(0, 0.0, 0.0, 180.0)
    assert newcomer == pytest.approx((early[0].mean() + later[0].mean()) / 2, rel=0.01)


@given(
    ANY_MODEL,
    st.sampled_from([0.02, 0.3, 1.0, 5.0]),
    st.sampled_from([0.05, 1.0, 300.0]),
    st.sampled_from([0.02, 0.5, 1.0, 4.0]),
    st.sampled_from([0.02, 0.4, 1.0, 9.0]),
    st.sampled_from([0, 1, 3, 80, 10_000]),
    st.sampled_from([0.0, 0.5, 1.0]),
    st.sampled_from([0, 1, 400, 3000]),
)
def test_every_answer_is_finite_and_in_its_range(  # noqa: PLR0917 - a grid of corners
    kind: type[BuyingModel], r: float, alpha: float, a: float, b: float, x: int, last: float, age: int
) -> None:
    model, t_x = kind(r, alpha, a, b), last * age
    xs, last_days, ages = np.array([[x], [t_x], [age]], dtype=float)
    for horizon in (1.0, 90.0, 730.0):
        p0, orders = model.p_no_purchase(x, t_x, age, horizon), model.expected_orders(x, t_x, age, horizon)
        assert 0.0 <= p0 <= 1.0
        assert isfinite(orders)
        assert 1.0 - p0 <= orders + 1e-9
        assert 0.0 <= _discounted(model, x, t_x, age, horizon, 0.0003) <= orders + 1e-9
        assert model.p_no_purchase_many(xs, last_days, ages, horizon)[0] == pytest.approx(p0, abs=1e-12)
        assert model.expected_orders_many(xs, last_days, ages, horizon)[0] == pytest.approx(orders, rel=1e-9)


@pytest.mark.parametrize("model", FITTED.values(), ids=["mbg", "bg"])
@pytest.mark.parametrize(("x", "t_x", "age"), [(0, 0, 0), (0, 0, 300), (3, 200, 260), (40, 500, 510)])
def test_expected_orders_against_plain_integration(model: BuyingModel, x: int, t_x: float, age: float) -> None:
    def at(p: float) -> float:
        return float(-np.expm1(-(model.r + x) * np.log1p(p * 180.0 / (model.alpha + age))) / p)

    density = beta(model.a, model.b + x + model.chances)
    total = quad(lambda u: at(float(density.ppf(u))), 0, 1, limit=400)[0]
    assert model.expected_orders(x, t_x, age, 180.0) == pytest.approx(model.p_alive(x, t_x, age) * total, rel=1e-5)


def test_discounting_against_a_sum_of_days() -> None:
    model, rate = FITTED[MBG], 0.1 / 365
    orders = np.array([model.expected_orders(4, 200, 220, float(day)) for day in range(366)])
    by_hand = float(np.diff(orders) @ np.exp(-rate * (np.arange(365) + 0.5)))
    assert _discounted(model, 4, 200, 220, 365.0, rate) == pytest.approx(by_hand, rel=1e-5)


def _discounted(model: BuyingModel, x: int, t_x: float, age: float, horizon: float, rate: float) -> float:
    later = model.orders_if_alive(x, age, steps(horizon)).tolist()
    return model.p_alive(x, t_x, age) * discounted(later, horizon, rate)


def test_silence_raises_churn_risk_and_bg_lets_nobody_drop_out_before_a_second_purchase() -> None:
    for model in FITTED.values():
        risks = [model.p_no_purchase(3, 100, age, 90.0) for age in range(100, 800, 50)]
        assert risks == sorted(risks)
    assert FITTED[BG].p_alive(0, 0, 500) == 1.0
    assert FITTED[MBG].p_alive(0, 0, 500) < 0.5


@pytest.mark.parametrize("kind", MODELS)
def test_gradient_of_the_likelihood(kind: type[BuyingModel]) -> None:
    rows = Histories.of_days(np.array([0, 0, 1, 7, 2]), np.array([0, 0, 40, 90, 9]), np.array([5, 90, 77, 100, 9]))
    likelihood, at = Likelihood(rows, kind.chances), np.array([0.6, 11.0, 0.7, 1.9])
    numeric = approx_fprime(at, lambda *point: likelihood.value_and_gradient(*point)[0], 1e-7)
    assert likelihood.value_and_gradient(at)[1] == pytest.approx(numeric, rel=1e-4)
    spend, where = Spend(np.array([1.0, 2.0, 9.0]), np.array([10.0, 33.0, 21.0])), np.array([5.0, 2.0, 14.0])
    numeric = approx_fprime(where, lambda *point: spend.value_and_gradient(*point)[0], 1e-7)
    assert spend.value_and_gradient(where)[1] == pytest.approx(numeric, rel=1e-4, abs=1e-6)


@given(st.lists(st.tuples(st.integers(0, 30), st.integers(0, 50), st.integers(0, 50)), min_size=1, max_size=60))
def test_equal_rows_are_counted_once(rows: list[tuple[int, int, int]]) -> None:
    x, t_x, quiet = np.array(rows).T
    compressed = Histories.of_days(x, t_x, t_x + quiet)
    assert compressed.customers == len(rows)
    assert len(compressed.x) == len({tuple(row) for row in rows})
    assert compressed.mean_age == pytest.approx((t_x + quiet).mean())


@given(st.lists(st.tuples(st.integers(0, 9), st.sampled_from([0.0, 1.0, 7.5, 300.0])), max_size=30), st.booleans())
def test_distinct_pairs_with_and_without_sorting(rows: list[tuple[int, float]], whole: bool) -> None:
    x, age = np.array([(x, np.floor(age) if whole else age) for x, age in rows], dtype=float).reshape(-1, 2).T
    counts, ages, place = distinct_pairs(x, age)
    assert sorted({*zip(x, age, strict=True)}) == list(zip(counts, ages, strict=True))
    assert np.array_equal(counts[place], x)
    assert np.array_equal(ages[place], age)


def some_shop(customers: int, seed: int = 1) -> tuple[NDArray[np.int64], ...]:
    x, t_x, _, _ = simulated(FITTED[MBG], customers, 270.0, seed)
    return x.astype(np.int64), t_x.astype(np.int64), np.full(customers, 270, dtype=np.int64)


def test_one_reseller_does_not_move_the_fit() -> None:
    x, t_x, age = some_shop(2000)
    with_her = Histories.of_days(np.append(x, 5000), np.append(t_x, 269), np.append(age, 270))
    plain, _ = fit_rhythm(MBG, Histories.of_days(x, t_x, age))
    moved, card = fit_rhythm(MBG, with_her)
    assert card.status is Status.FITTED
    assert moved.r == pytest.approx(plain.r, rel=0.1)


def with_one_more(customers: int, x: int, t_x: int) -> Histories:
    everybody = some_shop(2000)
    return Histories.of_days(
        *(np.append(column[:customers], one) for column, one in zip(everybody, (x, t_x, 270), strict=True))
    )


def test_a_customer_who_leads_the_fit_is_warned_of() -> None:
    for customers, x in ((60, 12), (300, 40), (2000, 40)):
        (warning,) = fit_rhythm(MBG, with_one_more(customers, x, 1))[1].warnings
        assert warning.startswith("one customer moves the fit by ")
    assert fit_rhythm(MBG, with_one_more(2000, 5000, 269))[1].warnings == ()
    assert fit_rhythm(MBG, Histories.of_days(*some_shop(300)))[1].warnings == ()


def test_how_far_a_customer_moves_the_fit_is_what_leaving_her_out_does() -> None:
    starts: list[tuple[float, ...]] = [(0.5, 0.3, 0.8, 2.0)]
    rows = with_one_more(300, 12, 1).scaled(270.0)
    her = int(np.argmax(rows.x))
    others = Histories(*(np.delete(column, her) for column in (rows.x, rows.t_x, rows.age, rows.weight)))
    fit, left = (climb(Likelihood(some, MBG.chances).value_and_gradient, RHYTHM, starts) for some in (rows, others))
    assert fit.covariance is not None
    moved = np.log(left.parameters) - np.log(fit.parameters)
    truly = float(np.abs(moved / np.sqrt(np.diag(fit.covariance))).max())
    alone = Likelihood(rows.at(her), MBG.chances).value_and_gradient(fit.parameters)[1]
    assert fit.moved_by(alone) == pytest.approx(truly, rel=0.25)


def test_a_shop_with_few_repeaters_gets_the_prior() -> None:
    model, card = fit_rhythm(MBG, Histories.of_days(*(np.array(column) for column in ([0] * 30, [0] * 30, [60] * 30))))
    assert card.status is Status.PRIOR
    assert model == prior_rhythm(MBG, 60.0)
    empty = np.array([], dtype=np.int64)
    assert fit_rhythm(MBG, Histories.of_days(empty, empty, empty))[1].status is Status.PRIOR
    assert fit_purse(Spend(np.array([]), np.array([])))[1].status is Status.PRIOR
    assert fit_purse(Spend(np.array([1.0]), np.array([50.0])))[0].shop_mean == pytest.approx(48.0, rel=0.1)


@pytest.mark.parametrize("seed", range(8))
def test_fifty_customers_are_enough(seed: int) -> None:
    x, t_x, age = some_shop(50, seed)
    model, card = fit_rhythm(MBG, Histories.of_days(x, t_x, age))
    everyone = some_shop(20_000, seed=99)
    xs, last_days, ages = (column.astype(float) for column in everyone)
    risk, truth = (one.p_no_purchase_many(xs, last_days, ages, 90.0) for one in (model, FITTED[MBG]))
    assert card.sound
    assert float(((risk - truth) ** 2).mean()) < 0.01


def test_a_flat_likelihood_is_called_degraded() -> None:
    all_gone = Histories.of_days(np.full(50, 40), np.full(50, 40), np.full(50, 40))
    assert fit_rhythm(MBG, all_gone, prior=None)[1].status is Status.DEGRADED
    assert fit_rhythm(MBG, all_gone, prior=RHYTHM)[1].status is Status.FITTED


def test_gamma_gamma_shrinks_towards_the_shop() -> None:
    model, _ = fit_purse(cdnow.repeat_spend(), prior=PURSE)
    assert model.expected_value(0, 0.0) == pytest.approx(model.shop_mean)
    assert model.shop_mean < model.expected_value(2, 2 * 200.0) < 200.0
    assert model.trust(1) < model.trust(20) < 1.0


@given(st.lists(st.tuples(st.integers(0, 5), st.floats(1.0, 4.0).map(lambda value: round(value, 1))), min_size=3))
def test_rank_correlation_with_ties(pairs: list[tuple[int, float]]) -> None:
    one, other = np.array(pairs, float).T
    assume(np.ptp(one) > 0 and np.ptp(other) > 0)
    assert rank_correlation(one, other) == pytest.approx(float(spearmanr(one, other)[0]), abs=1e-12)
