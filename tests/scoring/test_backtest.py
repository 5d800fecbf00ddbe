"""The served model on real history it has not seen: CDNOW, fitted on 39 weeks, judged on the 39 that follow."""

from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import fit_rhythm
from services.scoring.models.histories import Column, Histories
from tests.scoring import cdnow

HORIZON = 273.0


@cache
def halves() -> tuple[Column, Column, Column, Column]:
    """x, t_x and age at the split, and orders afterwards, as floats."""
    x, t_x, age, orders = cdnow.split_in_half()
    return x.astype(float), t_x.astype(float), age.astype(float), orders.astype(float)


def brier(model: BuyingModel) -> float:
    """Mean squared error of P(no purchase) over everybody."""
    x, t_x, age, orders = halves()
    return float(((model.p_no_purchase_many(x, t_x, age, HORIZON) - (orders == 0)) ** 2).mean())


def fitted(kind: type[BuyingModel], chosen: slice | NDArray[np.int64] = slice(None)) -> BuyingModel:
    """A model fitted on all customers, or on some."""
    x, t_x, age, _ = (column[chosen].astype(np.int64) for column in halves())
    return fit_rhythm(kind, Histories.of_days(x, t_x, age))[0]


def test_churn_risk_ranks_and_is_calibrated() -> None:
    x, t_x, age, orders = halves()
    model = fitted(MBG)
    silent, ranks = orders == 0, rankdata(model.p_no_purchase_many(x, t_x, age, HORIZON))
    ones, others = silent.sum(), (~silent).sum()
    auc = (ranks[silent].sum() - ones * (ones + 1) / 2) / (ones * others)
    assert auc > 0.75
    assert brier(model) < 0.167
    assert brier(model) < brier(fitted(BG)) + 0.001


def test_churn_risk_is_not_one_minus_p_alive() -> None:
    x, t_x, age, orders = halves()
    dead = 1.0 - fitted(BG).p_alive_many(x, t_x, age)
    assert float(((dead - (orders == 0)) ** 2).mean()) > 0.5


def test_expected_orders() -> None:
    x, t_x, age, orders = halves()
    claimed = fitted(MBG).expected_orders_many(x, t_x, age, HORIZON)
    assert np.corrcoef(claimed, orders)[0, 1] > 0.66
    assert float(np.sqrt(((claimed - orders) ** 2).mean())) < 1.75


@pytest.mark.parametrize("customers", [10, 50])
def test_a_small_shop_is_served_nearly_as_well(customers: int) -> None:
    dice = np.random.default_rng(0)
    everybody, best = len(halves()[0]), brier(fitted(MBG))
    excess = [brier(fitted(MBG, dice.choice(everybody, customers, replace=False))) / best - 1 for _ in range(25)]
    assert float(np.mean(excess)) < 0.04
    assert max(excess) < 0.15
