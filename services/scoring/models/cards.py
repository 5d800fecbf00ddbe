"""Fits with the card that goes with each: what was fitted, on what, how well, and whether it may be served."""

from dataclasses import dataclass, replace
from enum import StrEnum
from math import log

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.fitting import Fit, Prior, climb
from services.scoring.models.histories import Histories
from services.scoring.models.likelihood import Likelihood
from services.scoring.models.spending import GammaGamma, Spend

MODELS: tuple[type[BuyingModel], ...] = (MBG, BG)

LEAST_REPEATERS = 10
_FIRST_AGE = 90.0
_LEAST_AGE = 14.0

RHYTHM = Prior((log(0.5), log(0.3), log(0.8), log(2.0)), (1.0, 1.0, 0.8, 0.8))
"""Of r, alpha in units of mean age, a and b: weak, and the same for a shop of any pace."""
PURSE = Prior((log(4.0), log(2.5), log(0.6)), (1.0, 0.8, 1.0))
"""Of p, q - 1 and v in units of mean order value."""

_RELATED = 0.3
_LOOKED_AT = 2
_TOO_FAR = 3.0  # standard errors
_MOST_OF_PURSE = (5.0, 5.0, 7.0)  # a shop with a single price has no spread at all: p and q would run away


class Status(StrEnum):
    """How far a served figure may be trusted: `degraded` is the last good fit, kept because a newer one failed."""

    PRIOR = "prior"
    FITTED = "fitted"
    DEGRADED = "degraded"


@dataclass(frozen=True, slots=True)
class Card:
    """What there is to know about a fit; gradient and curvature are in log parameters, the prior included."""

    status: Status
    customers: int
    repeaters: int
    log_likelihood: float
    gradient_norm: float
    curvature: tuple[float, ...]
    converged: bool
    data: str
    warnings: tuple[str, ...] = ()

    @property
    def sound(self) -> bool:
        """Whether it may replace the parameters that are being served."""
        return self.status is not Status.DEGRADED


def prior_rhythm(model: type[BuyingModel], mean_age: float = 0.0) -> BuyingModel:
    """The model of a shop that has too few repeat customers to learn from; ages in days."""
    unit = max(mean_age, _LEAST_AGE) if mean_age else _FIRST_AGE
    r, alpha, a, b = RHYTHM.centre
    return model(r, alpha * unit, a, b)


def prior_purse(mean_value: float = 1.0) -> GammaGamma:
    """The order values of a shop about which only the mean is known."""
    p, above, v = PURSE.centre
    return GammaGamma(p, above + 1.0, v * mean_value)


def fit_rhythm(
    model: type[BuyingModel], histories: Histories, prior: Prior | None = RHYTHM
) -> tuple[BuyingModel, Card]:
    """Fit a buying model; below ten repeat customers the prior is served, an unsound fit is marked degraded."""
    rows = histories.winsorised()
    if prior and rows.repeaters < LEAST_REPEATERS:
        return prior_rhythm(model, rows.mean_age), _prior_card(rows)
    unit = rows.mean_age
    likelihood = Likelihood(rows.scaled(unit), model.chances)
    fit = climb(
        likelihood.value_and_gradient, prior, [(0.5, 0.3, 0.8, 2.0), (1.0, 1.0, 1.0, 1.0), (0.2, 0.1, 0.2, 4.0)]
    )
    r, alpha, a, b = fit.parameters
    fitted = model(r, alpha * unit, a, b)
    value = fit.value - float(rows.weight @ rows.x) * log(unit)
    card = _card(fit, rows.customers, rows.repeaters, value, rows.digest())
    return fitted, replace(card, warnings=_led(fit, likelihood))


def _led(fit: Fit, likelihood: Likelihood) -> tuple[str, ...]:
    """One customer must not lead the whole shop; looked for where most was bought or silence came most abruptly."""
    rows = likelihood.rows
    abrupt = rows.x * (rows.age - rows.t_x) / (fit.parameters[1] + rows.t_x)
    last = max(len(rows.x) - _LOOKED_AT, 0)
    places = np.unique([np.argpartition(column, last)[last:] for column in (rows.x, abrupt)])
    alone = (rows.at(int(place)) for place in places)
    shifts = [fit.moved_by(Likelihood(one, likelihood.chances).value_and_gradient(fit.parameters)[1]) for one in alone]
    furthest = max(shifts, default=0.0)
    return (f"one customer moves the fit by {furthest:.1f} standard errors",) if furthest > _TOO_FAR else ()


def fit_purse(spend: Spend, prior: Prior | None = PURSE) -> tuple[GammaGamma, Card]:
    """Fit order values above zero; below ten customers the prior around their mean is served."""
    rows = spend.positive().winsorised()
    if prior and len(rows.orders) < LEAST_REPEATERS:
        mean = float(rows.mean.mean()) if len(rows.mean) else 1.0
        return prior_purse(mean), Card(Status.PRIOR, len(rows.orders), 0, 0.0, 0.0, (), True, rows.digest())
    unit = float(rows.mean.mean())
    fit = climb(rows.scaled(unit).value_and_gradient, prior, [(4.0, 2.5, 0.6), (1.0, 1.0, 1.0)], _MOST_OF_PURSE)
    p, above, v = fit.parameters
    value = rows.value_and_gradient([p, above, v * unit])[0]
    repeaters = int((rows.orders > 1).sum())
    card = _card(fit, len(rows.orders), repeaters, value, rows.digest())
    return GammaGamma(p, above + 1.0, v * unit), replace(card, warnings=_warnings(rows))


def _warnings(rows: Spend) -> tuple[str, ...]:
    """The model takes order value to be unrelated to how often somebody buys."""
    if float(np.ptp(rows.orders)) == 0.0 or float(np.ptp(rows.mean)) == 0.0:
        return ()
    related = rank_correlation(rows.orders, rows.mean)
    return (f"order value goes with frequency: rank correlation {related:.2f}",) if abs(related) > _RELATED else ()


def rank_correlation(one: NDArray[np.float64], other: NDArray[np.float64]) -> float:
    """Spearman's; its scipy twin would cost every start of the program half a second of imports."""
    return float(np.corrcoef(_ranks(one), _ranks(other))[0, 1])


def _ranks(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """From 1 up; equal values share the mean of theirs."""
    _, place, times = np.unique(values, return_inverse=True, return_counts=True)
    return np.asarray((np.cumsum(times) - (times - 1) / 2)[place])


def _prior_card(rows: Histories) -> Card:
    return Card(Status.PRIOR, int(rows.customers), int(rows.repeaters), 0.0, 0.0, (), True, rows.digest())


def _card(fit: Fit, customers: float, repeaters: float, value: float, data: str) -> Card:
    status = Status.FITTED if fit.sound else Status.DEGRADED
    return Card(status, int(customers), int(repeaters), value, fit.gradient_norm, fit.curvature, fit.converged, data)
