"""Maximum a posteriori fits on log parameters, with what a model card has to say about them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.histories import Column

Objective = Callable[[NDArray[np.float64]], tuple[float, Column]]

_WIDEST = 12.0
_SUSPECT = 8.0
_FLAT = 1e-8


@dataclass(frozen=True, slots=True)
class Prior:
    """Independent normal distributions of the log parameters."""

    mean: tuple[float, ...]
    deviation: tuple[float, ...]

    @property
    def centre(self) -> tuple[float, ...]:
        """The parameters at its mode."""
        return tuple(exp(value) for value in self.mean)

    def penalty(self, logs: Column) -> tuple[float, Column]:
        """Minus the log density, constants left out, and its gradient."""
        away = (logs - np.array(self.mean)) / np.array(self.deviation)
        return 0.5 * float(away @ away), away / np.array(self.deviation)


@dataclass(frozen=True, slots=True)
class Fit:
    """Where a fit ended; it may be served only if it is sound."""

    parameters: tuple[float, ...]
    gradient_norm: float
    curvature: tuple[float, ...]
    """Eigenvalues of the Hessian in the log parameters that are not at a bound, smallest first."""
    converged: bool
    value: float = 0.0
    """The log-likelihood there, the prior left out."""
    covariance: NDArray[np.float64] | None = None
    """Of the log parameters, by the inverse of the Hessian; none at a bound or where it is not curved."""

    def moved_by(self, gradient: Column) -> float:
        """How many standard errors the furthest parameter moves without a part of the data, by one Newton step.

        `gradient` is that part's, of its log-likelihood by the parameters.
        """
        if self.covariance is None:
            return 0.0
        shift = self.covariance @ (gradient * np.array(self.parameters))
        return float(np.abs(shift / np.sqrt(np.diag(self.covariance))).max())

    @property
    def sound(self) -> bool:
        """Converged to finite parameters at a point that is curved in every direction and not at the edge."""
        logs = np.log(np.array(self.parameters))
        inside = bool(np.isfinite(logs).all()) and float(np.abs(logs).max()) < _SUSPECT
        return self.converged and inside and self.curvature[0] > _FLAT


def climb(
    likelihood: Objective, prior: Prior | None, starts: list[tuple[float, ...]], most: tuple[float, ...] = ()
) -> Fit:
    """The best parameters from the first start that leads to a sound fit, else from the last start.

    `most` bounds the log parameters from above.
    """
    bounds = [(-_WIDEST, top) for top in most or (_WIDEST,) * len(starts[0])]
    with np.errstate(all="ignore"):  # what is not finite is found out by `sound`
        fit = _climb_from(likelihood, prior, np.log(np.array(starts[0])), bounds)
        for start in starts[1:]:
            if fit.sound:
                return fit
            fit = _climb_from(likelihood, prior, np.log(np.array(start)), bounds)
    return fit


def _climb_from(likelihood: Objective, prior: Prior | None, start: Column, bounds: list[tuple[float, float]]) -> Fit:
    from scipy.optimize import minimize  # slow to import, and only the worker that refits needs it

    def cost(logs: Column) -> tuple[float, Column]:
        value, gradient = likelihood(np.exp(logs))
        penalty, pull = prior.penalty(logs) if prior else (0.0, np.zeros_like(logs))
        return penalty - value, pull - gradient * np.exp(logs)

    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-6})
    free = np.array([low < at < high for at, (low, high) in zip(found.x, bounds, strict=True)])
    slope = np.asarray(found.jac)[free]
    flat_enough = float(np.abs(slope).max(initial=0.0)) < 1e-3 * max(1.0, abs(float(found.fun)))
    hessian = _hessian(cost, found.x, np.asarray(found.jac), free)
    curvature = _curvature(hessian)
    return Fit(
        parameters=tuple(float(value) for value in np.exp(found.x)),
        gradient_norm=float(np.linalg.norm(slope)),
        curvature=curvature,
        converged=bool(found.success) or flat_enough,
        value=(prior.penalty(found.x)[0] if prior else 0.0) - float(found.fun),
        covariance=np.asarray(np.linalg.inv(hessian), float) if free.all() and curvature[0] > _FLAT else None,
    )


def _hessian(cost: Objective, logs: Column, slope: Column, free: NDArray[np.bool]) -> NDArray[np.float64]:
    """In the directions that are not held back by a bound, by differences from the slope."""
    step = 1e-5
    axes = np.eye(len(logs))[free]
    columns = [(cost(logs + step * axis)[1] - slope)[free] / step for axis in axes]
    hessian = np.array(columns)
    return np.asarray((hessian + hessian.T) / 2)


def _curvature(hessian: NDArray[np.float64]) -> tuple[float, ...]:
    if not hessian.size or not np.isfinite(hessian).all():
        return (float("-inf"),)
    return tuple(float(value) for value in np.linalg.eigvalsh(hessian))
