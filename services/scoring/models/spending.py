"""What an order is worth: the Gamma-Gamma model (Fader and Hardie, note 025, 2013).

Order values of one customer are Gamma(p, nu), and nu is Gamma(q, v) over customers. It is fitted on all orders, the
first one included, which ranks customers better than the textbook's repeat orders only.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, psi

from services.scoring.models.histories import Column

_TAIL = 0.99
_TAIL_ROOM = 3.0


@dataclass(frozen=True, slots=True)
class GammaGamma:
    """Parameters, in the money unit that v is in; q above 1, since below it the mean does not exist."""

    p: float
    q: float
    v: float

    @property
    def shop_mean(self) -> float:
        """Mean order value over customers."""
        return self.p * self.v / (self.q - 1.0)

    def trust(self, orders: float) -> float:
        """Weight of a customer's own mean against the shop's, between 0 and 1."""
        return self.p * orders / (self.p * orders + self.q - 1.0)

    @property
    def doubt(self) -> float:
        """How many orders of her own it takes before her mean counts as much as the shop's."""
        return (self.q - 1.0) / self.p

    def doubting(self, doubt: float) -> "GammaGamma":
        """The same shop mean and q, with another doubt."""
        p = (self.q - 1.0) / doubt
        return GammaGamma(p, self.q, self.v * self.p / p)

    def expected_value(self, orders: float, total: float) -> float:
        """Expected value of a customer's next order, from how many she made and what they came to."""
        return self.p * (self.v + total) / (self.p * orders + self.q - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """What a Gamma-Gamma model is fitted on: how many orders a customer made, and their mean value.

    With `logs`, the sum of the logarithms of the values of each, the spread within customers speaks for itself; from
    means alone it is inferred, and single orders are trusted too much.
    """

    orders: Column
    mean: Column
    logs: Column | None = None

    def positive(self) -> "Spend":
        """The same without those who paid nothing, about whom the model has nothing to say."""
        return self.chosen(self.mean > 0)

    def chosen(self, rows: NDArray[np.bool]) -> "Spend":
        """Some of the customers."""
        return Spend(self.orders[rows], self.mean[rows], None if self.logs is None else self.logs[rows])

    def winsorised(self) -> "Spend":
        """The same with means cut off at three times their 99th percentile."""
        if not len(self.mean):
            return self
        cap = _TAIL_ROOM * float(np.quantile(self.mean, _TAIL, method="lower"))
        return self._with_mean(np.minimum(self.mean, cap))

    def scaled(self, unit: float) -> "Spend":
        """The same with money measured in this many of the old unit."""
        return self._with_mean(self.mean / unit)

    def _with_mean(self, mean: Column) -> "Spend":
        logs = None if self.logs is None else self.logs + self.orders * np.log(mean / self.mean)
        return Spend(self.orders, mean, logs)

    def digest(self) -> str:
        """SHA-256 of the rows: the same data, the same model card."""
        logs = [] if self.logs is None else [self.logs]
        return hashlib.sha256(np.stack([self.orders, self.mean, *logs]).tobytes()).hexdigest()

    def value_and_gradient(self, parameters: ArrayLike) -> tuple[float, Column]:
        """Log-likelihood, and its derivative by p, q - 1 and v (q - 1, so that q stays above 1)."""
        p, above, v = np.asarray(parameters, dtype=float)
        q, x, total = above + 1.0, self.orders, self.orders * self.mean
        shape, whole = p * x, np.log(v + total)
        within, by_p = self._within(p)
        value = within + gammaln(shape + q) - gammaln(q) + q * np.log(v) - (shape + q) * whole
        shared = psi(shape + q)
        by_p += x * (shared - whole)
        by_q = shared - psi(q) + np.log(v) - whole
        by_v = q / v - (shape + q) / (v + total)
        return float(value.sum()), np.array([by_p.sum(), by_q.sum(), by_v.sum()])

    def _within(self, p: float) -> tuple[Column, Column]:
        """The part that a customer's values have of their own, and its derivative by p."""
        x, shape = self.orders, p * self.orders
        if self.logs is not None:
            return (p - 1.0) * self.logs - x * gammaln(p), self.logs - x * psi(p)
        value = (shape - 1.0) * np.log(self.mean) + shape * np.log(x) - gammaln(shape)
        return value, x * (np.log(x * self.mean) - psi(shape))
