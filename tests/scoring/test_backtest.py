"""The served model on real history it has not seen: CDNOW, refitted on what a day knew, judged on what followed.

The figures are those of the day that splits the data in two halves of 39 weeks, unless a test says otherwise.
"""

from datetime import date
from functools import cache

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import rankdata, spearmanr

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import fit_rhythm
from services.scoring.models.histories import Column
from services.scoring.models.ledger import Ledger, Snapshot
from services.scoring.refit import Known, refit
from services.scoring.scores import Served
from tests.scoring import cdnow

HALF = date(1997, 9, 30).toordinal()
HORIZON = 273


@cache
def served(today: int, one_of: int = 1) -> Served:
    """What would have been served after the refit of a day, to every so-manieth customer's shop."""
    customer, day, value = (column[rows(one_of)] for column in cdnow.purchases())
    known = day <= today
    return refit(what_was_known(today, customer[known], day[known], value[known]), Served()).served


def what_was_known(today: int, customer: NDArray[np.int64], day: NDArray[np.int64], value: NDArray[np.int64]) -> Known:
    """Purchases as a refit gets them."""
    numbers = np.unique(customer, return_inverse=True)[1]
    days, dollars = [today] * int(numbers.max() + 1), ["USD"] * len(numbers)
    return Known(days, numbers.tolist(), day.tolist(), value.tolist(), dollars)


def rows(one_of: int) -> NDArray[np.bool]:
    return np.asarray(cdnow.purchases()[0] % one_of == 0)


@cache
def snapshot(today: int, horizon: int, one_of: int = 1) -> Snapshot:
    """Everybody on a day, wealth in what is served that day's units, with what followed."""
    customer, day, value = (column[rows(one_of)] for column in cdnow.purchases())
    ledger = Ledger.of(customer // one_of, day, value, np.full(len(day), "USD"))
    found = ledger.at(today, horizon)
    unit = served(today, one_of).units["USD"] / ledger.spells["USD"].unit
    return Snapshot(found.who._replace(wealth=found.who.wealth / unit), found.orders)


def loss(risk: Column, seen: Snapshot) -> float:
    """Mean squared error of P(no purchase): the Brier score."""
    return float(((risk - seen.silent) ** 2).mean())


def plain_risk(kind: type[BuyingModel], seen: Snapshot, horizon: int = HORIZON) -> Column:
    """P(no purchase) of a buying model alone."""
    return fit_rhythm(kind, seen.histories)[0].p_no_purchase_many(*seen.who[:3], horizon)


def test_churn_risk_ranks_and_is_calibrated() -> None:
    seen = snapshot(HALF, HORIZON)
    risk, silent = served(HALF).forecast.p_no_purchase_many(seen.who, HORIZON), seen.silent
    ones = silent.sum()
    others = len(silent) - ones
    auc = (rankdata(risk)[silent == 1].sum() - ones * (ones + 1) / 2) / (ones * others)
    tenths = np.array_split(np.argsort(risk), 10)
    calibration_error = sum(len(one) * abs(silent[one].mean() - risk[one].mean()) for one in tenths) / len(risk)
    assert auc >= 0.771
    assert loss(risk, seen) <= 0.1595
    assert calibration_error <= 0.03


def test_expected_orders() -> None:
    seen = snapshot(HALF, HORIZON)
    claimed = served(HALF).forecast.expected_orders_many(seen.who, HORIZON)
    assert float(np.sqrt(((claimed - seen.orders) ** 2).mean())) <= 1.706
    assert np.corrcoef(claimed, seen.orders)[0, 1] >= 0.68
    assert abs(claimed.sum() / seen.orders.sum() - 1.0) <= 0.1


def gini(value: Column, ranking: Column) -> float:
    """Area between the running share of value, best ranked first, and the diagonal."""
    order = np.argsort(-ranking, kind="stable")
    return float((np.cumsum(value[order]) / value.sum()).mean() - 0.5)


def test_lifetime_value_finds_who_is_worth_most() -> None:
    seen, model = snapshot(HALF, HORIZON), served(HALF).spending("USD")
    assert model is not None
    customer, day, cents = cdnow.purchases()
    later = (day > HALF) & (day <= HALF + HORIZON)
    value = np.bincount(customer[later], cents[later], len(seen.orders)).astype(float)
    who, spent = Ledger.of(customer, day, cents, np.full(len(day), "USD")).spells["USD"].spend(HALF)
    each = np.full(len(value), model.shop_mean)
    each[who] = model.expected_value(spent.orders, spent.orders * spent.mean)  # type: ignore[arg-type] # column-wise
    worth = served(HALF).forecast.expected_orders_many(seen.who, HORIZON) * each
    best = np.argsort(-worth, kind="stable")[: len(worth) // 10]
    assert value[best].sum() / value.sum() >= 0.524
    assert spearmanr(worth, value)[0] >= 0.449
    assert gini(value, worth) / gini(value, value) >= 0.719


@pytest.mark.parametrize("one_of", [5, 60], ids=["4,714 customers", "393 customers"])
@pytest.mark.parametrize("day", range(60, 481, 60))
def test_never_worse_than_bg_nbd_by_more_than_a_trifle(day: int, one_of: int) -> None:
    today = date(1997, 1, 1).toordinal() + day
    for horizon in (30, 90, 180):
        if today + horizon <= date(1998, 6, 30).toordinal():
            seen = snapshot(today, horizon, one_of)
            risk = served(today, one_of).forecast.p_no_purchase_many(seen.who, horizon)
            assert loss(risk, seen) <= loss(plain_risk(BG, seen, horizon), seen) + 0.0005, horizon


def test_churn_risk_is_not_one_minus_p_alive() -> None:
    seen = snapshot(HALF, HORIZON)
    assert loss(1.0 - fit_rhythm(BG, seen.histories)[0].p_alive_many(*seen.who[:3]), seen) > 0.5


@pytest.mark.parametrize("customers", [10, 50])
def test_a_small_shop_is_served_nearly_as_well(customers: int) -> None:
    dice, seen = np.random.default_rng(0), snapshot(HALF, HORIZON)
    best = loss(served(HALF).forecast.p_no_purchase_many(seen.who, HORIZON), seen)
    excess = [loss(_small(dice.choice(len(seen.orders), customers, replace=False), seen), seen) for _ in range(25)]
    assert float(np.mean(excess)) / best < 1.04
    assert max(excess) / best < 1.15


def _small(chosen: NDArray[np.int64], seen: Snapshot) -> Column:
    """Everybody's risk by what a shop with only those customers would serve."""
    customer, day, cents = cdnow.purchases()
    kept = np.isin(customer, chosen) & (day <= HALF)
    made = refit(what_was_known(HALF, customer[kept], day[kept], cents[kept]), Served()).served
    return made.forecast.p_no_purchase_many(seen.who, HORIZON)


def test_mbg_alone_is_what_the_correction_mends() -> None:
    seen = snapshot(HALF, HORIZON)
    risk = served(HALF).forecast.p_no_purchase_many(seen.who, HORIZON)
    assert loss(risk, seen) < min(loss(plain_risk(kind, seen), seen) for kind in (MBG, BG)) - 0.005
