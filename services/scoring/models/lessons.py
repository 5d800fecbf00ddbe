"""What a shop's own past teaches about forecasts of it: corrections learned and tried on days gone by.

A forecast matures when its horizon is over. Every origin below is a day on which it had matured by the day it is
learned for, and everything is fitted on what was known at that origin.
"""

from dataclasses import dataclass

import msgspec
import numpy as np

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import fit_rhythm
from services.scoring.models.forecast import Correction, Crowd, Forecast, further_orders, odds_of
from services.scoring.models.histories import Column
from services.scoring.models.ledger import Ledger, Snapshot
from services.scoring.models.regression import regress

LEAST_CUSTOMERS = 1000
LEAST_AGE = 45
"""Days a shop must have sold before an origin."""
ORIGINS = 4
STEP = 45
"""Days between origins."""
SEASON = 150.0
"""Days over which a season averages out: the level of a shorter horizon is luck rather than a lesson."""
MOST_CUSTOMERS = 50_000
TOLERANCE = {"brier": 0.0005, "log_loss": 0.0015}
"""By how much more than BG/NBD's a correction's mean loss may come to."""
_RIDGE = 5.0


class Trial(msgspec.Struct, frozen=True):
    """A matured forecast from `origin` (ordinal day): mean squared error and log loss of each forecaster."""

    origin: int
    horizon: int
    customers: int
    brier: dict[str, float]
    log_loss: dict[str, float]

    def excess(self, loss: str) -> float:
        """By how much the corrected forecast lost more than BG/NBD's."""
        losses: dict[str, float] = getattr(self, loss)
        return losses["corrected"] - losses[BG.name]


class Lesson(msgspec.Struct, frozen=True):
    """What to correct forecasts of one horizon by, whether more than a level was learned, and the trials it stood."""

    correction: Correction
    learned: bool
    trials: tuple[Trial, ...] = ()


def vetoed(trials: tuple[Trial, ...]) -> bool:
    """Whether trials speak against a correction; a shop too young for any trial has it on trust."""
    means = {loss: float(np.mean([one.excess(loss) for one in trials])) for loss in TOLERANCE} if trials else {}
    return any(excess > TOLERANCE[loss] for loss, excess in means.items())


@dataclass(frozen=True, slots=True, eq=False)
class Past:
    """A day in a shop's past: what was known, what the two models made of it, what came of it."""

    snapshot: Snapshot
    mbg: BuyingModel
    bg: BuyingModel

    def risk(self, horizon: int) -> tuple[Column, Column]:
        """P(no purchase) by MBG and by BG."""
        who = self.snapshot.who[:3]
        return self.mbg.p_no_purchase_many(*who, horizon), self.bg.p_no_purchase_many(*who, horizon)

    def orders(self, horizon: int) -> Column:
        """Expected orders by MBG."""
        return self.mbg.expected_orders_many(*self.snapshot.who[:3], horizon)


class School:
    """All lessons of one shop; each day of its past is fitted once."""

    def __init__(self, ledger: Ledger, fitted: dict[int, tuple[BuyingModel, BuyingModel]]) -> None:
        self._ledger = ledger.thinned(MOST_CUSTOMERS)
        self._fitted = dict(fitted)

    def lesson(self, today: int, horizon: int) -> Lesson:
        """What to correct forecasts from `today` by; too little or bad experience leaves but BG/NBD's level."""
        correction = self.learn(today, horizon)
        level_only = _levelled(Correction(horizon, 0, *(0.0,) * 7), self.past(today, 0))
        if correction is None:
            return Lesson(level_only, learned=False)
        found = (self._trial(origin, correction.matured) for origin in self.origins(today, horizon))
        trials = tuple(trial for trial in found if trial)
        return Lesson(level_only if vetoed(trials) else correction, not vetoed(trials), trials)

    def origins(self, today: int, horizon: int) -> list[int]:
        """Days with matured forecasts, newest first; a horizon longer than half the past is cut to that half."""
        matured = self._matured(today, horizon)
        least = self._ledger.first_day + max(0.75 * matured, LEAST_AGE)
        newest = today - matured
        return [day for day in range(newest, newest - ORIGINS * STEP, -STEP) if matured and day >= least]

    def _matured(self, today: int, horizon: int) -> int:
        return max(min(horizon, (today - self._ledger.first_day) // 2), 0)

    def past(self, day: int, horizon: int) -> Past:
        """A day as it was known then."""
        snapshot = self._ledger.at(day, horizon)
        if day not in self._fitted:
            self._fitted[day] = (fit_rhythm(MBG, snapshot.histories)[0], fit_rhythm(BG, snapshot.histories)[0])
        return Past(snapshot, *self._fitted[day])

    def learn(self, today: int, horizon: int) -> Correction | None:
        """The correction of forecasts from a day, out of what had matured by then; None if that is too little."""
        matured = self._matured(today, horizon)
        days = [self.past(day, matured) for day in self.origins(today, horizon)]
        days = [past for past in days if len(past.snapshot.orders) >= LEAST_CUSTOMERS]
        if not days:
            return None
        come_back, further = _come_back(days, matured), _further(days, matured)
        if come_back is None or further is None:
            return None
        raw = Correction(horizon, matured, *come_back, *further)
        return _levelled(raw, self.past(today, 0))

    def _trial(self, origin: int, horizon: int) -> Trial | None:
        """A forecast made at an origin as it would have been served, and what came of it."""
        correction = self.learn(origin, horizon)
        if correction is None:
            return None
        past = self.past(origin, horizon)
        plain, bg = past.risk(horizon)
        corrected = Forecast(past.mbg, (correction,)).p_no_purchase_many(past.snapshot.who, horizon)
        risks, silent = {MBG.name: plain, BG.name: bg, "corrected": corrected}, past.snapshot.silent
        brier = {name: float(((risk - silent) ** 2).mean()) for name, risk in risks.items()}
        against = 1.0 - 2.0 * silent
        log_loss = {name: float(np.logaddexp(0.0, against * odds_of(risk)).mean()) for name, risk in risks.items()}
        return Trial(origin, horizon, len(silent), brier, log_loss)


def _come_back(days: list[Past], horizon: int) -> tuple[float, ...] | None:
    """Level, stretch, purchases and spend."""
    odds = np.concatenate([odds_of(past.risk(horizon)[0]) for past in days])
    who = _crowd(days)
    design = np.stack([np.ones_like(odds), odds, np.log1p(who.x), np.log1p(who.wealth)], axis=1)
    silent = np.concatenate([past.snapshot.silent for past in days])
    weights = regress(design, silent, odds, _RIDGE * len(days), "logit")
    if weights is None or weights[1] <= -1.0:  # a forecast that is worse than its opposite teaches nothing
        return None
    return tuple(weights.tolist())


def _further(days: list[Past], horizon: int) -> tuple[float, ...] | None:
    """Level, spend and silence, of the orders after the first of those who came back; silence never adds orders."""
    who, orders = _crowd(days), np.concatenate([past.snapshot.orders for past in days])
    known = np.concatenate([past.orders(horizon) for past in days])
    expected = further_orders(np.concatenate([past.risk(horizon)[0] for past in days]), known)
    back = orders > 0
    design = np.stack([np.ones_like(orders), np.log1p(who.wealth), np.log1p(who.age - who.t_x)], axis=1)[back]
    target, offset, ridge = orders[back] - 1.0, np.log(expected[back]), _RIDGE * len(days)
    weights = regress(design, target, offset, ridge, "log")
    if weights is None or weights[2] <= 0.0:
        return None if weights is None else tuple(weights.tolist())
    weights = regress(design[:, :2], target, offset, ridge, "log")
    return None if weights is None else (*weights.tolist(), 0.0)


def _crowd(days: list[Past]) -> Crowd:
    return Crowd(*(np.concatenate(columns) for columns in zip(*(past.snapshot.who for past in days), strict=True)))


def _levelled(raw: Correction, today: Past) -> Correction:
    """The same with its levels for today: what was learned of the level of risk counts the less the shorter ago.

    The rest of the way it is BG/NBD's, which errs less there than MBG/NBD's; the mean number of further orders is left
    as the model has it.
    """
    plain, bg = today.risk(raw.horizon)
    who, odds = today.snapshot.who, odds_of(plain)
    moved = odds + raw.level + raw.stretch * odds + raw.purchases * np.log1p(who.x) + raw.spend * np.log1p(who.wealth)
    learned = raw.matured**2 / (raw.matured**2 + SEASON**2)
    target = learned * _logit(_expit(moved).mean()) + (1.0 - learned) * _logit(bg.mean())
    level = raw.level + _lift(moved, float(_expit(np.asarray(target))))
    levelled = msgspec.structs.replace(raw, level=level, further=0.0)
    back = 1.0 - Forecast(today.mbg, (levelled,)).p_no_purchase_many(who, raw.horizon)
    further = back * further_orders(plain, today.orders(raw.horizon))
    shape = raw.further_spend * np.log1p(who.wealth) + raw.further_silence * np.log1p(who.age - who.t_x)
    return msgspec.structs.replace(levelled, further=float(np.log(further.sum() / (further * np.exp(shape)).sum())))


def _lift(odds: Column, mean: float) -> float:
    """What to add to log-odds so that their mean share is as given."""
    low, high = -20.0, 20.0
    for _ in range(60):
        middle = (low + high) / 2.0
        low, high = (middle, high) if _expit(odds + middle).mean() < mean else (low, middle)
    return (low + high) / 2.0


def _expit(odds: Column) -> Column:
    return np.asarray(1.0 / (1.0 + np.exp(-odds)))


def _logit(share: float) -> float:
    return float(odds_of(np.asarray(share)))
