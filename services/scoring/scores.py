"""A customer's scores at a day, each with the reasons for it, as a pure function of habit, model and day."""

from math import log

import msgspec

from services.scoring.features import Habit
from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import Status, prior_purse, prior_rhythm
from services.scoring.models.spending import GammaGamma

HORIZONS = (30, 90, 180)
RISK_HORIZON = 90
YEAR = 365.0


class Terms(msgspec.Struct, frozen=True):
    """What lifetime value is reckoned with: days ahead, discount a year, and the share of net that is profit."""

    horizon: int = 365
    discount: float = 0.1
    margin: float = 1.0


class Cuts(msgspec.Struct, frozen=True):
    """Published cut-points between quintiles (four each), fixed until the next refit; spend is per currency."""

    recency: tuple[float, ...] = ()
    frequency: tuple[float, ...] = ()
    spend: dict[str, tuple[float, ...]] = {}
    vip: dict[str, int] = {}


class Served(msgspec.Struct, frozen=True):
    """The model in force for an account: parameters of rhythm (r, alpha, a, b in days) and of purses (p, q, v)."""

    version: int = 0
    kind: str = MBG.name
    rhythm: tuple[float, ...] = ()
    status: str = Status.PRIOR.value
    purses: dict[str, tuple[float, float, float]] = {}
    cuts: Cuts = Cuts()

    @property
    def buying(self) -> BuyingModel:
        """The buying model; the prior's before any fit."""
        model = BG if self.kind == BG.name else MBG
        return model(*self.rhythm) if self.rhythm else prior_rhythm(model)

    def spending(self, currency: str) -> GammaGamma | None:
        """The order values in a currency; None when nothing was ever paid in it."""
        found = self.purses.get(currency)
        return GammaGamma(*found) if found else None


class Reason(msgspec.Struct, frozen=True):
    """Why a score is what it is: a stable code and the numbers that its sentence needs."""

    code: str
    numbers: dict[str, float | int | None]


class Scores(msgspec.Struct, frozen=True):
    """Everything served about one customer at the shop-local day `as_of` (ordinal); money in minor units."""

    as_of: int
    status: str
    model: int
    p_no_purchase: dict[str, float]
    p_alive: float
    expected_orders: dict[str, float]
    order_value: int | None
    clv: int | None
    currency: str
    if_bought_today: float
    rfm: tuple[int, int, int] | None
    reasons: tuple[Reason, ...]


def score(habit: Habit, served: Served, today: int, terms: Terms | None = None) -> Scores | None:
    """All scores of a customer; None for who never bought, of whom a buying model knows nothing."""
    if not habit.occasions:
        return None
    terms = terms or Terms()
    model, purses = served.buying, served.spending(habit.currency) or _own_purse(habit)
    history = (habit.repeats, habit.span, habit.age(today))
    value = purses.expected_value(habit.purse.days, habit.purse.total) if purses else None
    return Scores(
        as_of=today,
        status=served.status,
        model=served.version,
        p_no_purchase={str(days): model.p_no_purchase(*history, days) for days in HORIZONS},
        p_alive=model.p_alive(*history),
        expected_orders={str(days): model.expected_orders(*history, days) for days in HORIZONS},
        order_value=None if value is None else round(value),
        clv=None if value is None else round(value * terms.margin * _orders(model, history, terms)),
        currency=habit.currency,
        if_bought_today=if_bought(habit, model, today),
        rfm=rfm(habit, served.cuts, today),
        reasons=tuple(_reasons(habit, model, purses, today)),
    )


def _orders(model: BuyingModel, history: tuple[int, int, int], terms: Terms) -> float:
    return model.discounted_orders(*history, terms.horizon, log(1.0 + terms.discount) / YEAR)


def _own_purse(habit: Habit) -> GammaGamma | None:
    """Before any fit, a customer's own mean is all that is known of the shop's."""
    purse = habit.purse
    return prior_purse(purse.total / purse.days) if purse.days else None


def if_bought(habit: Habit, model: BuyingModel, today: int) -> float:
    """Her churn risk, had she bought today: what a successful message is worth."""
    age = habit.age(today)
    repeats = habit.repeats + (habit.last_day < today)
    return model.p_no_purchase(repeats, age, age, RISK_HORIZON)


def churn_risk(habit: Habit, model: BuyingModel, today: int) -> float:
    """P(no purchase in the next 90 days)."""
    return model.p_no_purchase(habit.repeats, habit.span, habit.age(today), RISK_HORIZON)


def _reasons(habit: Habit, model: BuyingModel, purses: GammaGamma | None, today: int) -> list[Reason]:
    """The log-odds of having dropped out split exactly in two, and whose mean the order value leans on."""
    x, span, age = habit.repeats, habit.span, habit.age(today)
    usual = round(span / x, 1) if x else None
    silence: dict[str, float | int | None] = {
        "days": age - span,
        "usual_gap": usual,
        "log_odds": model.silence(x, span, age),
    }
    reasons = [Reason("silence", silence)]
    if x + model.chances:
        reasons.append(Reason("drop_out_habit", {"purchases": x + 1, "log_odds": model.drop_out_habit(x)}))
    if habit.purse.days and purses:
        own = round(habit.purse.total / habit.purse.days)
        trust: dict[str, float | int | None] = {
            "own_mean": own,
            "shop_mean": round(purses.shop_mean),
            "weight": purses.trust(habit.purse.days),
        }
        reasons.append(Reason("own_order_value", trust))
    return reasons


def rfm(habit: Habit, cuts: Cuts, today: int) -> tuple[int, int, int] | None:
    """Quintiles 1 (worst) to 5 of recency, frequency and spend; None before cut-points are known."""
    spend = cuts.spend.get(habit.currency)
    if not cuts.recency or not spend:
        return None
    silent = habit.age(today) - habit.span
    return (
        5 - _above(cuts.recency, silent),
        1 + _above(cuts.frequency, habit.occasions),
        1 + _above(spend, habit.purse.total),
    )


def _above(cuts: tuple[float, ...], value: float) -> int:
    """How many cut-points lie below a value: equal values always share a quintile."""
    return sum(cut < value for cut in cuts)
