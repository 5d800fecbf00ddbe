"""Gauss-Jacobi points for a mean over a Beta distribution (Golub and Welsch 1969)."""

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from scipy.linalg import eigh_tridiagonal

Points = tuple[NDArray[np.float64], NDArray[np.float64]]

_POINTS = 40
_SMALLEST = 1e-14  # an eigenvalue that should be a tiny positive number may come out as a negative one


@lru_cache(maxsize=4096)
def beta_points(a: float, c: float) -> Points:
    """Points in (0, 1) and weights that sum to 1, exact for polynomials below degree 80 under Beta(a, c)."""
    n = np.arange(_POINTS, dtype=float)
    total = a + c - 2.0
    double = 2.0 * n[1:] + total
    diagonal = np.empty(_POINTS)
    diagonal[0] = (a - c) / (total + 2.0)
    diagonal[1:] = (a - c) * total / (double * (double + 2.0))
    off = np.empty(_POINTS - 1)
    off[0] = 4.0 * a * c / ((total + 2.0) ** 2 * (total + 3.0))  # the general form is 0/0 at a + c = 1
    k, late = n[2:], double[1:]
    off[1:] = 4.0 * k * (k + c - 1.0) * (k + a - 1.0) * (k + total) / (late**2 * (late + 1.0) * (late - 1.0))
    values, vectors = eigh_tridiagonal((1.0 + diagonal) / 2.0, np.sqrt(off) / 2.0)
    return np.clip(values, _SMALLEST, 1.0), vectors[0] ** 2
