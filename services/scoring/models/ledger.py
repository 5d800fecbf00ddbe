"""A shop's purchases as columns, and what was known on any day of them: forecasts are tried on days gone by."""

from dataclasses import dataclass
from typing import Self

import numpy as np
from numpy.typing import NDArray

from services.scoring.models.forecast import Crowd
from services.scoring.models.histories import Column, Histories
from services.scoring.models.spending import Spend

Ints = NDArray[np.int64]

_DAYS = 1 << 24


@dataclass(frozen=True, slots=True, eq=False)
class Spells:
    """Sums of one currency's purchases by customer and day, ordered by both; only days on which anything was paid."""

    customer: Ints
    day: Ints
    value: Column

    def spend(self, until: int) -> tuple[Ints, Spend]:
        """Who paid up to a day, and on how many days how much."""
        seen = self.day <= until
        who, place = np.unique(self.customer[seen], return_inverse=True)
        value = self.value[seen]
        days = np.bincount(place, minlength=len(who)).astype(float)
        total = np.bincount(place, weights=value, minlength=len(who))
        logs = np.bincount(place, weights=np.log(value), minlength=len(who)).astype(float)
        return who, Spend(days, total / np.maximum(days, 1.0), logs)

    @property
    def unit(self) -> float:
        """Mean paid on a day."""
        return float(self.value.mean())


@dataclass(frozen=True, slots=True, eq=False)
class Snapshot:
    """What was known at the end of a day of who had bought by then, and how many days each bought on afterwards."""

    who: Crowd
    orders: Column

    @property
    def histories(self) -> Histories:
        """What a buying model would have been fitted on."""
        x, t_x, age = (column.astype(np.int64) for column in self.who[:3])
        return Histories.of_days(x, t_x, age)

    @property
    def silent(self) -> Column:
        """1 for who did not buy afterwards, else 0."""
        return np.asarray(self.orders == 0, dtype=float)


@dataclass(frozen=True, slots=True, eq=False)
class Ledger:
    """The days on which each customer bought, ordered by customer and day, and what she paid in each currency."""

    customer: Ints
    day: Ints
    wealth: Column
    spells: dict[str, Spells]

    @classmethod
    def of(cls, customer: Ints, day: Ints, value: Ints, currency: NDArray[np.str_]) -> Self:
        """From purchases in any order; customers are numbers from 0, days ordinal, values in minor units."""
        spells = {}
        wealth = np.zeros(len(customer))
        for name in np.unique(currency[value > 0]):
            rows = (currency == name) & (value > 0)
            who, when, paid = _by_day(customer[rows], day[rows], value[rows].astype(float))
            spells[str(name)] = Spells(who, when, paid)
            wealth[rows] = value[rows] / spells[str(name)].unit
        who, when, worth = _by_day(customer, day, wealth)
        return cls(who, when, worth, spells)

    @property
    def first_day(self) -> int:
        """When the shop made its first sale."""
        return int(self.day.min())

    def thinned(self, most: int) -> Self:
        """Every n-th customer only, so that at most so many are left."""
        step = -(-(int(self.customer.max()) + 1) // most)
        if step <= 1:
            return self
        kept = self.customer % step == 0
        spells = {name: Spells(*_every(one, step)) for name, one in self.spells.items()}
        return type(self)(self.customer[kept] // step, self.day[kept], self.wealth[kept], spells)

    def at(self, today: int, horizon: int = 0) -> Snapshot:
        """As of the end of a day, with what followed in the next `horizon` days."""
        known = self.day <= today
        customer, day, wealth = self.customer[known], self.day[known], self.wealth[known]
        who, first, days = np.unique(customer, return_index=True, return_counts=True)
        age, span = today - day[first], day[first + days - 1] - day[first]
        spent = np.add.reduceat(wealth, first) if len(first) else np.zeros(0)
        crowd = Crowd((days - 1).astype(float), span.astype(float), age.astype(float), spent)
        return Snapshot(crowd, self._bought(who, today, horizon))

    def _bought(self, who: Ints, today: int, horizon: int) -> Column:
        later = self.customer[(self.day > today) & (self.day <= today + horizon)]
        days = np.bincount(later, minlength=int(who.max(initial=-1)) + 1)
        return np.asarray(days[who], dtype=float)


def _by_day(customer: Ints, day: Ints, amount: Column) -> tuple[Ints, Ints, Column]:
    """Amounts summed by customer and day, ordered by both."""
    keys, place = np.unique(customer * _DAYS + day, return_inverse=True)
    return keys // _DAYS, keys % _DAYS, np.bincount(place, weights=amount, minlength=len(keys)).astype(float)


def _every(spells: Spells, step: int) -> tuple[Ints, Ints, Column]:
    kept = spells.customer % step == 0
    return spells.customer[kept] // step, spells.day[kept], spells.value[kept]
