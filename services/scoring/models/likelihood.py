"""Log-likelihood of the beta-geometric family, with its gradient, on distinct rows."""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike
from scipy.special import expit, gammaln, psi

from services.scoring.models.histories import Column, Histories


@dataclass(slots=True, eq=False)
class Likelihood:
    """Of (r, alpha, a, b) given histories; `chances` as in the model. Gamma functions are taken once per distinct x."""

    rows: Histories
    chances: int
    _counts: Column = field(init=False)
    _sharing: Column = field(init=False)

    def __post_init__(self) -> None:
        counts, place = np.unique(self.rows.x, return_inverse=True)
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
        last_chance = np.maximum(rows.x + self.chances, 1.0) - 1.0
        possible = rows.x + self.chances > 0
        now, last, shape = np.log(alpha + rows.age), np.log(alpha + rows.t_x), r + rows.x
        odds = np.where(possible, np.log(a) - np.log(b + last_chance) + shape * (now - last), -np.inf)
        gone = expit(odds)
        value = np.logaddexp(0.0, odds) - shape * now
        by_r = gone * (now - last) - now
        by_alpha = -shape * ((1.0 - gone) / (alpha + rows.age) + gone / (alpha + rows.t_x))
        gradient = [by_r, by_alpha, gone / a, -gone / (b + last_chance)]
        return float(many @ value), np.array([many @ column for column in gradient])
