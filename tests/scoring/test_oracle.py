"""The models against `lifetimes`, an independent implementation of the same papers, at the same parameters."""

import warnings
from typing import Any

import numpy as np
import pytest

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import fit_purse, fit_rhythm
from services.scoring.models.likelihood import Likelihood
from tests.scoring import cdnow

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    from lifetimes import BetaGeoFitter, GammaGammaFitter, ModifiedBetaGeoFitter  # type: ignore[import-untyped]

ROWS = np.array(
    [(x, t_x, age) for x in (0, 1, 3, 12) for age in (1.0, 20.0, 38.9) for t_x in {0.0, 0.6 * age, age} if x or not t_x]
)
X, T_X, AGE = ROWS.T
FITTERS = [(BG, BetaGeoFitter), (MBG, ModifiedBetaGeoFitter)]


def oracle_of(model: BuyingModel, fitter: type[Any]) -> Any:
    """Theirs with our parameters."""
    oracle = fitter()
    oracle.params_ = {name: getattr(model, name) for name in ("r", "alpha", "a", "b")}
    return oracle


@pytest.mark.parametrize(("kind", "fitter"), FITTERS, ids=["bg", "mbg"])
def test_p_alive_and_expected_orders_are_theirs(kind: type[BuyingModel], fitter: type[Any]) -> None:
    model = fit_rhythm(kind, cdnow.histories(), prior=None)[0]
    oracle = oracle_of(model, fitter)
    assert model.p_alive_many(X, T_X, AGE) == pytest.approx(
        oracle.conditional_probability_alive(X, T_X, AGE), abs=1e-12
    )
    for horizon in (1.0, 13.0, 52.0):
        theirs = oracle.conditional_expected_number_of_purchases_up_to_time(horizon, X, T_X, AGE)
        assert model.expected_orders_many(X, T_X, AGE, horizon) == pytest.approx(theirs, rel=1e-8)


@pytest.mark.parametrize(("kind", "fitter"), FITTERS, ids=["bg", "mbg"])
def test_the_fit_is_at_least_as_likely_as_theirs(kind: type[BuyingModel], fitter: type[Any]) -> None:
    rows = cdnow.histories()
    model, card = fit_rhythm(kind, rows, prior=None)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = fitter().fit(rows.x, rows.t_x, rows.age).params_
    likelihood = Likelihood(rows, kind.chances).value_and_gradient([theirs[name] for name in ("r", "alpha", "a", "b")])
    assert card.log_likelihood >= likelihood[0] - 0.001
    assert [model.r, model.alpha] == pytest.approx([theirs["r"], theirs["alpha"]], rel=0.02)


def test_gamma_gamma_is_theirs() -> None:
    spend = cdnow.repeat_spend()
    model, _ = fit_purse(spend, prior=None)
    oracle = GammaGammaFitter()
    oracle.params_ = {"p": model.p, "q": model.q, "v": model.v}
    theirs = np.asarray(oracle.conditional_expected_average_profit(spend.orders, spend.mean))
    ours = [model.expected_value(n, n * mean) for n, mean in zip(spend.orders, spend.mean, strict=True)]
    assert ours == pytest.approx(theirs, rel=1e-9)
