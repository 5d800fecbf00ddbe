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
REMEMBERED = 16_384
"""Pairs of x and age, of all shops, of which is remembered what lies ahead: thousands of customers share each."""


class History(msgspec.Struct, frozen=True, gc=False):
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


def odds_of(risk: Column) -> Column:
    """Log-odds of a probability of no purchase, never quite sure."""
    held = np.clip(risk, SURE, 1.0 - SURE)
    return np.asarray(np.log(held) - np.log1p(-held))


def further_orders(risk: Column, orders: Column) -> Column:
    """Expected orders after the first, of those who come back; never quite none."""
    return np.asarray(np.maximum(orders / np.maximum(1.0 - risk, SURE) - 1.0, SURE))


class Ahead(msgspec.Struct, frozen=True, gc=False):
    """Of all who share x and age, if still there: chance to come back and orders by horizon, the worth of one order.

    The last horizon is the one that orders are discounted over.
    """

    back: list[float]
    orders: list[float]
    worth: float


Step = tuple[float, float, float, float]
"""The log-odds of no purchase within a horizon and what spend adds; orders after the first and what it makes of them.

Plain, since every event takes them apart, and a named one takes four times as long.
"""


class View(msgspec.Struct, frozen=True, gc=False):
    """What all who share x, t_x and age have ahead: the model's own risks and orders, and how either is corrected."""

    p_alive: float
    drop_out: float
    """Log-odds of having dropped out right after the last purchase; what silence adds is `silence`."""
    silence: float
    plain: tuple[float, ...]
    orders: tuple[float, ...]
    discounted: float
    worth: float
    steps: tuple[Step, ...]


class Outlook(msgspec.Struct, frozen=True, gc=False):
    """P(no purchase) and expected orders by horizon, the discounted orders of one, and what they were seen from."""

    risks: Sequence[float]
    orders: Sequence[float]
    discounted: float
    view: View


@lru_cache(maxsize=64)
def _moments(horizons: tuple[float, ...], far: float) -> Column:
    return np.concatenate([np.array(horizons, dtype=float), steps(far)])


def _log_odds(comes: float) -> float:
    """Of staying away, from the chance to come."""
    held = min(max(comes, SURE), 1.0 - SURE)
    return log((1.0 - held) / held)


@dataclass(frozen=True, eq=False, slots=True)
class Forecast:
    """A buying model with its corrections by horizon, shortest first; without any it speaks for itself."""

    model: BuyingModel
    corrections: tuple[Correction, ...] = ()
    unlearned: BuyingModel | None = None
    """Whose P(no purchase) is served within horizons for which nothing was learned."""

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

    @lru_cache(maxsize=REMEMBERED)  # noqa: B019 - forecasts are few and live as long as their model is served
    def _ahead(self, x: float, age: float, horizons: tuple[float, ...], far: float, rate: float) -> Ahead:
        orders = self.model.orders_if_alive(x, age, _moments(horizons, far)).tolist()
        near, later = orders[: len(horizons)], orders[len(horizons) :]
        back = [self.model.back_if_alive(x, age, horizon) for horizon in (*horizons, far)]
        worth = discounted(later, far, rate) / later[-1] if later[-1] > 0.0 else 0.0
        return Ahead(back, [*near, later[-1]], worth)

    @lru_cache(maxsize=REMEMBERED)  # noqa: B019 - as above
    def _view(self, x: float, t_x: float, age: float, horizons: tuple[float, ...], far: float, rate: float) -> View:
        model, ahead = self.model, self._ahead(x, age, horizons, far, rate)
        alive, silent = model.p_alive(x, t_x, age), log1p(age - t_x)
        plain = tuple(1.0 - alive * back for back in ahead.back)
        *orders, late = [alive * many for many in ahead.orders]
        steps = tuple(
            (*self._odds(x, t_x, age, horizon, alive * back), *self._further(silent, horizon, many / back))
            for horizon, back, many in zip((*horizons, far), ahead.back, ahead.orders, strict=True)
        )
        drop_out, silence = model.drop_out_habit(x), model.silence(x, t_x, age)
        return View(alive, drop_out, silence, plain[:-1], tuple(orders), late * ahead.worth, ahead.worth, steps)

    @lru_cache(maxsize=REMEMBERED)  # noqa: B019 - as above
    def _chances(self, x: float, t_x: float, age: float, horizon: float) -> tuple[tuple[float, float], ...]:
        alive = self.model.p_alive(x, t_x, age)
        return tuple(
            self._odds(x, t_x, age, one, alive * self.model.back_if_alive(x, age, one)) for one in self._up_to(horizon)
        )

    def _up_to(self, horizon: float) -> tuple[float, ...]:
        return (*(one.horizon for one in self.corrections if one.horizon < horizon), horizon)

    def _odds(self, x: float, t_x: float, age: float, horizon: float, comes: float) -> tuple[float, float]:
        one = self.correction(horizon)
        if one is None:
            return 0.0, 0.0
        if self.unlearned and not one.matured:
            return _log_odds(1.0 - self.unlearned.p_no_purchase(x, t_x, age, horizon)), 0.0
        return one.level + one.purchases * log1p(x) + (1.0 + one.stretch) * _log_odds(comes), one.spend

    def _further(self, silent: float, horizon: float, orders: float) -> tuple[float, float]:
        one = self.correction(horizon)
        if one is None:
            return 0.0, 0.0
        return max(orders - 1.0, SURE) * exp(one.further + one.further_silence * silent), one.further_spend

    def p_no_purchase(self, who: History, horizon: float) -> float:
        """Probability of no purchase in the next `horizon` days, never above that of a shorter time: the churn risk."""
        x, t_x, age = who.x, who.t_x, who.age
        if not self.corrections:
            return self.model.p_no_purchase(x, t_x, age, horizon)
        rich = log1p(who.wealth)
        return min([_share(odds + spend * rich) for odds, spend in self._chances(x, t_x, age, horizon)])

    def expected_orders(self, who: History, horizon: float) -> float:
        """Expected orders in the next `horizon` days, never below those of a shorter time."""
        return self.outlook(who, self._up_to(horizon), horizon, 0.0).orders[-1]

    def outlook(self, who: History, horizons: tuple[float, ...], far: float, rate: float) -> Outlook:
        """All that is served of a customer at once; `horizons` in order, those of corrections among them.

        Orders within `far` days count exp(-rate * days until each).
        """
        view = self._view(who.x, who.t_x, who.age, horizons, far, rate)
        if not self.corrections:
            return Outlook(view.plain, view.orders, view.discounted, view)
        return _corrected(view, log1p(who.wealth))

    def p_no_purchase_many(self, who: Crowd, horizon: float) -> Column:
        """`p_no_purchase` of many customers at once."""
        risk = self._risk_many(who, horizon)
        for one in self.corrections:
            if one.horizon < horizon:
                risk = np.minimum(risk, self._risk_many(who, one.horizon))
        return risk

    def _risk_many(self, who: Crowd, horizon: float) -> Column:
        one = self.correction(horizon)
        if one is None:
            return self.model.p_no_purchase_many(who.x, who.t_x, who.age, horizon)
        if self.unlearned and not one.matured:
            return np.clip(self.unlearned.p_no_purchase_many(who.x, who.t_x, who.age, horizon), SURE, 1.0 - SURE)
        back = self.model.back_if_alive_many(who.x, who.age, horizon)
        comes = np.clip(self.model.p_alive_many(who.x, who.t_x, who.age) * back, SURE, 1.0 - SURE)
        odds = one.level + one.purchases * np.log1p(who.x) + (1.0 + one.stretch) * np.log((1.0 - comes) / comes)
        return np.asarray(1.0 / (1.0 + np.exp(-(odds + one.spend * np.log1p(who.wealth)))))

    def expected_orders_many(self, who: Crowd, horizon: float) -> Column:
        """`expected_orders` of many customers at once."""
        orders = self._orders_many(who, horizon)
        for one in self.corrections:
            if one.horizon < horizon:
                orders = np.maximum(orders, self._orders_many(who, one.horizon))
        return orders

    def _orders_many(self, who: Crowd, horizon: float) -> Column:
        one = self.correction(horizon)
        if one is None:
            return self.model.expected_orders_many(who.x, who.t_x, who.age, horizon)
        back = self.model.back_if_alive_many(who.x, who.age, horizon)
        further = np.maximum(self.model.orders_if_alive_many(who.x, who.age, horizon) / back - 1.0, SURE)
        silent = np.log1p(who.age - who.t_x)
        further *= np.exp(one.further + one.further_spend * np.log1p(who.wealth) + one.further_silence * silent)
        return np.asarray((1.0 - self.p_no_purchase_many(who, horizon)) * (1.0 + further))


def _corrected(view: View, rich: float) -> Outlook:
    """Written out, since every event comes through here."""
    least, most, risk, more = 1.0, 0.0, 1.0, 0.0
    risks, orders = list[float](), list[float]()
    for odds, spend, further, further_spend in view.steps:
        moved = odds + spend * rich
        risk = 1.0 / (1.0 + exp(-moved)) if moved > -700.0 else 0.0
        more = 1.0 + further * exp(further_spend * rich)
        least = risk if risk < least else least  # noqa: FURB136 - min and max are slow
        found = (1.0 - least) * more
        most = found if found > most else most  # noqa: FURB136
        risks.append(least)
        orders.append(most)
    return Outlook(risks[:-1], orders[:-1], (1.0 - risk) * more * view.worth, view)


def _share(odds: float) -> float:
    return 1.0 / (1.0 + exp(-odds)) if odds > -700.0 else 0.0
