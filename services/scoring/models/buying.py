"""When customers buy again: the beta-geometric family of models and what follows from a fitted one.

A customer buys at her own Poisson rate, Gamma(r, alpha) over customers, and after a purchase drops out for good with
her own probability, Beta(a, b) over customers. x counts repeat purchases, t_x is the time from the first to the last,
age the time from the first until now. BG/NBD: Fader, Hardie and Lee, Marketing Science 24 (2005). MBG/NBD: Batislam,
Denizel and Filiztekin, International Journal of Research in Marketing 24 (2007).
"""

from dataclasses import dataclass
from functools import lru_cache
from math import exp, expm1, inf, log, log1p
from typing import ClassVar

import numpy as np

from services.scoring.models.histories import Column, distinct_pairs
from services.scoring.models.quadrature import beta_points

_STEPS, _SHARES = np.polynomial.legendre.leggauss(8)


@lru_cache(maxsize=256)
def steps(horizon: float) -> Column:
    """The moments within a horizon, and its end, at which purchases have to be known to discount them."""
    return np.append((_STEPS + 1.0) * (horizon / 2.0), horizon)


@lru_cache(maxsize=256)
def _discounts(horizon: float, rate: float) -> list[float]:
    early = _SHARES * np.exp(-rate * steps(horizon)[:-1]) * (rate * horizon / 2.0)
    return [*early.tolist(), exp(-rate * horizon)]


def discounted(orders: list[float], horizon: float, rate: float) -> float:
    """Purchases by the moments of `steps`, each worth exp(-rate * time until it): by parts, with Gauss-Legendre."""
    return sum(many * worth for many, worth in zip(orders, _discounts(horizon, rate), strict=True))


@dataclass(frozen=True, slots=True)
class BuyingModel:
    """Parameters, and the answers that a history of (x, t_x, age) gets from them; times in one unit, that of alpha."""

    r: float
    alpha: float
    a: float
    b: float
    name: ClassVar[str]
    chances: ClassVar[int]
    """Chances to drop out that a customer had already taken when x was 0."""

    def drop_out_habit(self, x: float) -> float:
        """Log-odds of having dropped out right after the last purchase; minus infinity if she had no chance to yet."""
        survived = x + self.chances
        return log(self.a / (self.b + survived - 1)) if survived else -inf

    def silence(self, x: float, t_x: float, age: float) -> float:
        """What the silence since the last purchase adds to those log-odds, measured at her own rhythm."""
        return (self.r + x) * log1p((age - t_x) / (self.alpha + t_x))

    def p_alive(self, x: float, t_x: float, age: float) -> float:
        """Probability of not having dropped out yet; a side figure, not the churn risk."""
        odds = self.drop_out_habit(x) + self.silence(x, t_x, age)
        return 1.0 / (1.0 + exp(odds)) if odds < 700 else 0.0

    def p_no_purchase(self, x: float, t_x: float, age: float, horizon: float) -> float:
        """Probability of no purchase in the next horizon: dropped out, or alive and silent. This is the churn risk."""
        return 1.0 - self.p_alive(x, t_x, age) * self.back_if_alive(x, age, horizon)

    def back_if_alive(self, x: float, age: float, horizon: float) -> float:
        """Probability that somebody who is still there buys in the next horizon."""
        return -expm1(-(self.r + x) * log1p(horizon / (self.alpha + age)))

    def expected_orders(self, x: float, t_x: float, age: float, horizon: float) -> float:
        """Expected purchases in the next horizon."""
        return self.p_alive(x, t_x, age) * float(self.orders_if_alive(x, age, np.array([horizon]))[0])

    def orders_if_alive(self, x: float, age: float, horizons: Column) -> Column:
        """Expected purchases in the next of each of several horizons of somebody who is still there."""
        return self._reached(x, horizons / (self.alpha + age))

    def p_alive_many(self, x: Column, t_x: Column, age: Column) -> Column:
        """`p_alive` of many customers at once."""
        survived = x + self.chances
        with np.errstate(over="ignore"):
            odds = np.exp((self.r + x) * np.log1p((age - t_x) / (self.alpha + t_x)))
            odds *= np.where(survived > 0, self.a / (self.b + np.maximum(survived, 1.0) - 1.0), 0.0)
        return np.asarray(1.0 / (1.0 + odds))

    def p_no_purchase_many(self, x: Column, t_x: Column, age: Column, horizon: float) -> Column:
        """`p_no_purchase` of many customers at once."""
        return np.asarray(1.0 - self.p_alive_many(x, t_x, age) * self.back_if_alive_many(x, age, horizon))

    def back_if_alive_many(self, x: Column, age: Column, horizon: float) -> Column:
        """`back_if_alive` of many customers at once."""
        return np.asarray(-np.expm1(-(self.r + x) * np.log1p(horizon / (self.alpha + age))))

    def expected_orders_many(self, x: Column, t_x: Column, age: Column, horizon: float) -> Column:
        """`expected_orders` of many customers at once."""
        return np.asarray(self.p_alive_many(x, t_x, age) * self.orders_if_alive_many(x, age, horizon))

    def orders_if_alive_many(self, x: Column, age: Column, horizon: float) -> Column:
        """`orders_if_alive` of many customers within one horizon, each distinct (x, age) worked out once."""
        counts, ages, place = distinct_pairs(x, age)
        answers = np.empty(len(counts))
        for rows in np.split(np.arange(len(counts)), np.flatnonzero(np.diff(counts)) + 1) if len(counts) else ():
            answers[rows] = self._reached(float(counts[rows[0]]), horizon / (self.alpha + ages[rows]))
        return np.asarray(answers[place])

    def _reached(self, x: float, spans: Column) -> Column:
        """Of somebody who is still there, in spans of time measured in alpha plus her age."""
        p, weights = beta_points(self.a, self.b + x + self.chances)
        return np.asarray(np.expm1(np.log1p(spans[:, None] * p) * -(self.r + x)) @ (weights / -p))


class BG(BuyingModel):
    """BG/NBD: nobody drops out before the first repeat purchase."""

    name = "bg"
    chances = 0


class MBG(BuyingModel):
    """MBG/NBD: dropping out is possible right after the very first purchase. The default."""

    name = "mbg"
    chances = 1
