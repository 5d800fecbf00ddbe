"""What is served: the buying model, corrected by what its own matured forecasts of this shop taught.

A correction moves the log-odds of no purchase by a level, by how often somebody bought and by what she has spent, and
stretches the model's own log-odds; and it reshapes how many orders somebody makes who does come back. It does not look
at silence beyond the model, so that risk still rises with silence alone.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from math import exp, log, log1p
from typing import NamedTuple

import msgspec
import numpy as np

from services.scoring.models.buying import BuyingModel, discounted, steps
from services.scoring.models.histories import Column

SURE = 1e-9
"""Nobody is forecast with less doubt than this before a correction."""


class History(NamedTuple):
    """A customer's x, t_x and age, and `wealth`: spend so far in mean order values of her shop."""

    x: float
    t_x: float
    age: float
    wealth: float = 0.0


class Crowd(NamedTuple):
    """The same of many customers."""

    x: Column
    t_x: Column
    age: Column
    wealth: Column


class Correction(msgspec.Struct, frozen=True):
    """What forecasts `horizon` days ahead are corrected by, learned `matured` days ahead; all in natural logarithms."""

    horizon: int
    matured: int
    level: float
    stretch: float
    purchases: float
    spend: float
    further: float
    further_spend: float
    further_silence: float

    def towards(self, other: "Correction", share: float) -> "Correction":
        """A correction that far on the way to another."""
        mine, others = msgspec.structs.astuple(self), msgspec.structs.astuple(other)
        blend = [a + share * (b - a) for a, b in zip(mine[2:], others[2:], strict=True)]
        return Correction(self.horizon, self.matured, *blend)

    def shift(self, odds: float, x: float, wealth: float) -> float:
        """By how much the log-odds of no purchase change."""
        return self.level + self.stretch * odds + self.purchases * log1p(x) + self.spend * log1p(wealth)

    def more(self, silent: float, wealth: float) -> float:
        """By which factor orders after the first change."""
        return exp(self.further + self.further_spend * log1p(wealth) + self.further_silence * log1p(silent))


def odds_of(risk: Column) -> Column:
    """Log-odds of a probability of no purchase, never quite sure."""
    held = np.clip(risk, SURE, 1.0 - SURE)
    return np.asarray(np.log(held) - np.log1p(-held))


def further_orders(risk: Column, orders: Column) -> Column:
    """Expected orders after the first, of those who come back; never quite none."""
    return np.asarray(np.maximum(orders / np.maximum(1.0 - risk, SURE) - 1.0, SURE))


class Outlook(NamedTuple):
    """Of several horizons the probability of no purchase and the expected orders; and the discounted orders of one."""

    risks: list[float]
    orders: list[float]
    discounted: float


@lru_cache(maxsize=64)
def _moments(horizons: tuple[int, ...], far: float) -> Column:
    return np.concatenate([np.array(horizons, dtype=float), steps(far)])


@dataclass(frozen=True, slots=True)
class Forecast:
    """A buying model with its corrections by horizon, shortest first; without any it speaks for itself."""

    model: BuyingModel
    corrections: Sequence[Correction] = ()

    def correction(self, horizon: float) -> Correction | None:
        """The one for a horizon, between two horizons by the logarithm of their length."""
        before = None
        for one in self.corrections:
            if one.horizon == horizon:
                return one
            if one.horizon > horizon:
                share = log(horizon / before.horizon) / log(one.horizon / before.horizon) if before else 1.0
                return before.towards(one, share) if before else one
            before = one
        return before

    def p_no_purchase(self, who: History, horizon: float) -> float:
        """Probability of no purchase in the next `horizon` days, never above that of a shorter time: the churn risk."""
        alive = self.model.p_alive(*who[:3])
        return min(self._risk(who, alive, one) for one in self._up_to(horizon))

    def _up_to(self, horizon: float) -> list[float]:
        return [*(one.horizon for one in self.corrections if one.horizon < horizon), horizon]

    def _risk(self, who: History, alive: float, horizon: float) -> float:
        plain = 1.0 + alive * self.model.quiet(who.x, who.age, horizon)
        one = self.correction(horizon)
        if one is None:
            return plain
        held = min(max(plain, SURE), 1.0 - SURE)
        odds = log(held) - log1p(-held)
        return _share(odds + one.shift(odds, who.x, who.wealth))

    def expected_orders(self, who: History, horizon: float) -> float:
        """Expected orders in the next `horizon` days, never below those of a shorter time."""
        until = self._up_to(horizon)
        alive = self.model.p_alive(*who[:3])
        plain = (alive * self.model.orders_if_alive(who.x, who.age, np.array(until))).tolist()
        return self._course(who, alive, until, plain)[1][-1]

    def _course(
        self, who: History, alive: float, horizons: Sequence[float], plain: list[float]
    ) -> tuple[list[float], list[float]]:
        """Risk and orders of growing horizons, from the model's orders."""
        risk, most = 1.0, 0.0
        risks, orders = list[float](), list[float]()
        for horizon, known in zip(horizons, plain, strict=True):
            risk = min(risk, self._risk(who, alive, horizon))
            most = max(most, self._orders(who, alive, horizon, known, risk))
            risks.append(risk)
            orders.append(most)
        return risks, orders

    def _orders(self, who: History, alive: float, horizon: float, plain: float, risk: float) -> float:
        one = self.correction(horizon)
        if one is None:
            return plain
        back = max(-alive * self.model.quiet(who.x, who.age, horizon), SURE)
        further = max(plain / back - 1.0, SURE)
        return (1.0 - risk) * (1.0 + further * one.more(who.age - who.t_x, who.wealth))

    def outlook(self, who: History, horizons: tuple[int, ...], far: float, rate: float) -> Outlook:
        """All that is served of a customer at once; `horizons` in order, those of corrections among them.

        Orders within `far` days count exp(-rate * days until each).
        """
        alive = self.model.p_alive(*who[:3])
        plain = (alive * self.model.orders_if_alive(who.x, who.age, _moments(horizons, far))).tolist()
        near, later = plain[: len(horizons)], plain[len(horizons) :]
        risks, orders = self._course(who, alive, horizons, near)
        total = discounted(later, far, rate)
        if self.corrections and later[-1] > 0.0:
            total *= self._orders(who, alive, far, later[-1], self._risk(who, alive, far)) / later[-1]
        return Outlook(risks, orders, total)

    def p_no_purchase_many(self, who: Crowd, horizon: float) -> Column:
        """`p_no_purchase` of many customers at once."""
        risk = self._risk_many(who, horizon)
        for one in self.corrections:
            if one.horizon < horizon:
                risk = np.minimum(risk, self._risk_many(who, one.horizon))
        return risk

    def _risk_many(self, who: Crowd, horizon: float) -> Column:
        plain = self.model.p_no_purchase_many(who.x, who.t_x, who.age, horizon)
        one = self.correction(horizon)
        if one is None:
            return plain
        odds = odds_of(plain)
        shift = one.level + one.stretch * odds + one.purchases * np.log1p(who.x) + one.spend * np.log1p(who.wealth)
        return np.asarray(1.0 / (1.0 + np.exp(-(odds + shift))))

    def expected_orders_many(self, who: Crowd, horizon: float) -> Column:
        """`expected_orders` of many customers at once."""
        orders = self._orders_many(who, horizon)
        for one in self.corrections:
            if one.horizon < horizon:
                orders = np.maximum(orders, self._orders_many(who, one.horizon))
        return orders

    def _orders_many(self, who: Crowd, horizon: float) -> Column:
        plain = self.model.expected_orders_many(who.x, who.t_x, who.age, horizon)
        one = self.correction(horizon)
        if one is None:
            return plain
        further = further_orders(self.model.p_no_purchase_many(who.x, who.t_x, who.age, horizon), plain)
        silent = np.log1p(who.age - who.t_x)
        further *= np.exp(one.further + one.further_spend * np.log1p(who.wealth) + one.further_silence * silent)
        return np.asarray((1.0 - self.p_no_purchase_many(who, horizon)) * (1.0 + further))


def _share(odds: float) -> float:
    return 1.0 / (1.0 + exp(-odds)) if odds > 0 else 1.0 - 1.0 / (1.0 + exp(odds))
