"""What an order is worth: the Gamma-Gamma model (Fader and Hardie, note 025, 2013).

Order values of one customer are Gamma(p, nu), and nu is Gamma(q, v) over customers. It is fitted on all orders, the
first one included, which ranks customers better than the textbook's repeat orders only.
"""

import hashlib
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike
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

    def expected_value(self, orders: float, total: float) -> float:
        """Expected value of a customer's next order, from how many she made and what they came to."""
        return self.p * (self.v + total) / (self.p * orders + self.q - 1.0)


@dataclass(frozen=True, slots=True, eq=False)
class Spend:
    """What a Gamma-Gamma model is fitted on: how many orders a customer made, and their mean value."""

    orders: Column
    mean: Column

    def positive(self) -> "Spend":
        """The same without those who paid nothing, about whom the model has nothing to say."""
        return Spend(self.orders[self.mean > 0], self.mean[self.mean > 0])

    def winsorised(self) -> "Spend":
        """The same with means cut off at three times their 99th percentile."""
        if not len(self.mean):
            return self
        cap = _TAIL_ROOM * float(np.quantile(self.mean, _TAIL, method="lower"))
        return Spend(self.orders, np.minimum(self.mean, cap))

    def scaled(self, unit: float) -> "Spend":
        """The same with money measured in this many of the old unit."""
        return Spend(self.orders, self.mean / unit)

    def digest(self) -> str:
        """SHA-256 of the rows: the same data, the same model card."""
        return hashlib.sha256(np.stack([self.orders, self.mean]).tobytes()).hexdigest()

    def value_and_gradient(self, parameters: ArrayLike) -> tuple[float, Column]:
        """Log-likelihood, and its derivative by p, q - 1 and v (q - 1, so that q stays above 1)."""
        p, above, v = np.asarray(parameters, dtype=float)
        q, x, total = above + 1.0, self.orders, self.orders * self.mean
        shape, whole = p * x, np.log(v + total)
        value = gammaln(shape + q) - gammaln(shape) - gammaln(q) + q * np.log(v)
        value += (shape - 1.0) * np.log(self.mean) + shape * np.log(x) - (shape + q) * whole
        shared = psi(shape + q)
        by_p = x * (shared - psi(shape) + np.log(total) - whole)
        by_q = shared - psi(q) + np.log(v) - whole
        by_v = q / v - (shape + q) / (v + total)
        return float(value.sum()), np.array([by_p.sum(), by_q.sum(), by_v.sum()])
