"""What a buying model is fitted on: purchase histories as columns, equal rows counted once."""

import hashlib
from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

Column = NDArray[np.float64]

_ROOM = 1 << 20  # more days than any shop has been open (2,800 years)
_TABLE = 1 << 22
_TAIL = 0.99
_TAIL_ROOM = 3.0
_LEAST_CAP = 12.0


def distinct_pairs(x: Column, age: Column) -> tuple[Column, Column, NDArray[np.int64]]:
    """Distinct (x, age) ordered by both, and the place of each row among them; whole days need no sorting."""
    days = int(age.max(initial=0.0)) + 1
    size = (int(x.max(initial=0.0)) + 1) * days
    keys = (x * days + age).astype(np.int64)
    if size > _TABLE or not (np.array_equal(age, np.floor(age)) and np.array_equal(x, np.floor(x))):
        pairs, place = np.unique(x + 1j * age, return_inverse=True)
        return pairs.real, pairs.imag, place
    there = np.zeros(size, dtype=bool)
    there[keys] = True
    places = np.cumsum(there) - 1
    found = np.flatnonzero(there)
    return (found // days).astype(float), (found % days).astype(float), places[keys]


@dataclass(frozen=True, slots=True, eq=False)
class Histories:
    """Distinct (x repeat occasions, t_x first to last, age first to today) with the customers that share them."""

    x: Column
    t_x: Column
    age: Column
    weight: Column

    @classmethod
    def of_days(cls, x: NDArray[np.int64], t_x: NDArray[np.int64], age: NDArray[np.int64]) -> Self:
        """Count equal rows once; times are whole days, ages are at least their t_x."""
        key = (np.minimum(x, _ROOM - 1) * _ROOM + t_x) * _ROOM + age
        distinct, weight = np.unique(key, return_counts=True)
        rest, days = np.divmod(distinct, _ROOM)
        repeats, last = np.divmod(rest, _ROOM)
        return cls(repeats.astype(float), last.astype(float), days.astype(float), weight.astype(float))

    @property
    def customers(self) -> float:
        """How many customers the rows stand for."""
        return float(self.weight.sum())

    @property
    def repeaters(self) -> float:
        """How many of them bought on a second day."""
        return float(self.weight[self.x > 0].sum())

    @property
    def mean_age(self) -> float:
        """Mean age in the rows' own unit; zero when there is nobody."""
        return float(self.weight @ self.age / self.customers) if len(self.x) else 0.0

    def winsorised(self) -> Self:
        """The same with x cut off at three times its 99th percentile, since one reseller halves r for a whole shop."""
        if not len(self.x):
            return self
        order = np.argsort(self.x)
        below = np.cumsum(self.weight[order]) - 1
        tail = self.x[order][np.searchsorted(below, np.floor(_TAIL * (self.customers - 1)))]
        cap = max(_LEAST_CAP, _TAIL_ROOM * float(tail))
        return type(self)(np.minimum(self.x, cap), self.t_x, self.age, self.weight)

    def at(self, place: int) -> Self:
        """One customer of a row."""
        one = slice(place, place + 1)
        return type(self)(self.x[one], self.t_x[one], self.age[one], np.ones(1))

    def scaled(self, unit: float) -> Self:
        """The same with times measured in this many of the old unit."""
        return type(self)(self.x, self.t_x / unit, self.age / unit, self.weight)

    def digest(self) -> str:
        """SHA-256 of the rows: the same data, the same model card."""
        columns = np.stack([self.x, self.t_x, self.age, self.weight])
        return hashlib.sha256(columns.tobytes()).hexdigest()
