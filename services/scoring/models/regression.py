"""Ridge-penalised regressions around an offset: how far what happened departs from what was forecast."""

from typing import Literal

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.histories import Column

_STEPS = 60
_CLOSE = 1e-9
_STEEP = 30.0

Link = Literal["logit", "log"]


def regress(design: NDArray[np.float64], target: Column, offset: Column, ridge: float, link: Link) -> Column | None:
    """Weights of the columns of `design` that explain `target` beyond `offset`, by Newton's method; zero by default.

    `logit` is for a share that something happened, `log` for a count (Poisson). None when it does not converge.
    """
    weights = np.zeros(design.shape[1])
    penalty = np.full(design.shape[1], ridge)
    for _ in range(_STEPS):
        expected, spread = _mean(np.clip(offset + design @ weights, -_STEEP, _STEEP), link)
        slope = design.T @ (target - expected) - penalty * weights
        step = np.linalg.solve((design * spread[:, None]).T @ design + np.diag(penalty), slope)
        if not np.isfinite(step).all():
            return None
        weights += step
        if float(np.abs(step).max()) < _CLOSE:
            return weights
    return None


def _mean(score: Column, link: Link) -> tuple[Column, Column]:
    """Mean and variance."""
    if link == "log":
        mean = np.exp(score)
        return mean, mean
    share = 1.0 / (1.0 + np.exp(-score))
    return share, share * (1.0 - share)
