"""Log-likelihood of the beta-geometric family, with its gradient, on distinct rows."""

from dataclasses import dataclass, field
from math import log

import numpy as np
from numpy.typing import ArrayLike, NDArray
from scipy.special import gammaln, psi

from services.scoring.models.histories import Column, Histories


@dataclass(slots=True, eq=False)
class Likelihood:
    """Of (r, alpha, a, b) given histories; `chances` as in the model. Gamma functions are taken once per distinct x."""

    rows: Histories
    chances: int
    _counts: Column = field(init=False)
    _sharing: Column = field(init=False)
    _place: NDArray[np.int64] = field(init=False)

    def __post_init__(self) -> None:
        counts, place = np.unique(self.rows.x, return_inverse=True)
        self._place = place
        self._counts, self._sharing = counts, np.bincount(place, weights=self.rows.weight).astype(float)

    def value_and_gradient(self, parameters: ArrayLike) -> tuple[float, Column]:
        """Log-likelihood, and its derivative by r, alpha, a and b."""
        r, alpha, a, b = (float(value) for value in np.asarray(parameters))
        value, by_drop_out = self._drop_out(r, alpha, a, b)
        silence, by_silence = self._silence(r, alpha, a, b)
        return value + silence, by_drop_out + by_silence

    def _drop_out(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Column]:
        """The part that depends on x alone."""
        x, many = self._counts, self._sharing
        survived = x + self.chances
        value = gammaln(r + x) - gammaln(r) + r * np.log(alpha)
        value += gammaln(b + survived) - gammaln(b) + gammaln(a + b) - gammaln(a + b + survived)
        shared = psi(a + b) - psi(a + b + survived)
        gradient = [psi(r + x) - psi(r) + np.log(alpha), r / alpha + 0 * x, shared, shared + psi(b + survived) - psi(b)]
        return float(many @ value), np.array([many @ column for column in gradient])

    def _silence(self, r: float, alpha: float, a: float, b: float) -> tuple[float, Column]:
        """The part that depends on times: still there and quiet, or gone after the last purchase (if that could be)."""
        rows, many = self.rows, self.rows.weight
        last_chance = np.maximum(self._counts + self.chances, 1.0) - 1.0
        could_go = np.where(self._counts + self.chances > 0, log(a) - np.log(b + last_chance), -np.inf)[self._place]
        now, last, shape = np.log(alpha + rows.age), np.log(alpha + rows.t_x), r + rows.x
        odds = could_go + shape * (now - last)
        small = np.exp(-np.abs(odds))
        gone = np.where(odds > 0.0, 1.0, small) / (1.0 + small)
        value = np.maximum(odds, 0.0) + np.log1p(small) - shape * now
        by_r = gone * (now - last) - now
        by_alpha = -shape * ((1.0 - gone) / (alpha + rows.age) + gone / (alpha + rows.t_x))
        weighed = many * gone
        by_b = -np.bincount(self._place, weights=weighed, minlength=len(last_chance)) @ (1.0 / (b + last_chance))
        return float(many @ value), np.array([many @ by_r, many @ by_alpha, float(weighed.sum()) / a, by_b])
