"""Maximum a posteriori fits on log parameters, with what a model card has to say about them."""

from collections.abc import Callable
from dataclasses import dataclass
from math import exp

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

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
    def cost(logs: Column) -> tuple[float, Column]:
        value, gradient = likelihood(np.exp(logs))
        penalty, pull = prior.penalty(logs) if prior else (0.0, np.zeros_like(logs))
        return penalty - value, pull - gradient * np.exp(logs)

    found = minimize(cost, start, jac=True, method="L-BFGS-B", bounds=bounds, options={"ftol": 1e-13, "gtol": 1e-6})
    free = np.array([low < at < high for at, (low, high) in zip(found.x, bounds, strict=True)])
    slope = np.asarray(cost(found.x)[1])[free]
    flat_enough = float(np.abs(slope).max(initial=0.0)) < 1e-3 * max(1.0, abs(float(found.fun)))
    return Fit(
        parameters=tuple(float(value) for value in np.exp(found.x)),
        gradient_norm=float(np.linalg.norm(slope)),
        curvature=_curvature(cost, found.x, free),
        converged=bool(found.success) or flat_enough,
    )


def _curvature(cost: Objective, logs: Column, free: NDArray[np.bool], step: float = 1e-4) -> tuple[float, ...]:
    """In the directions that are not held back by a bound."""
    axes = np.eye(len(logs))[free]
    columns = [(cost(logs + step * axis)[1] - cost(logs - step * axis)[1])[free] / (2 * step) for axis in axes]
    hessian = np.array(columns)
    if not len(axes) or not np.isfinite(hessian).all():
        return (float("-inf"),)
    return tuple(float(value) for value in np.linalg.eigvalsh((hessian + hessian.T) / 2))
