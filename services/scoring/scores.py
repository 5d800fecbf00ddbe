"""A customer's scores at a day, each with the reasons for it, as a pure function of habit, model and day."""

from math import log

import msgspec

from services.scoring.features import Habit
from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import Status, prior_purse, prior_rhythm
from services.scoring.models.forecast import Correction, Forecast, History
from services.scoring.models.spending import GammaGamma

HORIZONS = (30, 90, 180)
FAR = 365
RISK_HORIZON = 90
YEAR = 365.0
_NAMES = tuple(str(days) for days in HORIZONS)


class Terms(msgspec.Struct, frozen=True):
    """What lifetime value is reckoned with: days ahead, discount a year, and the share of net that is profit."""

    horizon: int = FAR
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
    corrections: tuple[Correction, ...] = ()
    units: dict[str, float] = {}
    """What is paid on a day, in the mean, by currency; minor units."""

    @property
    def buying(self) -> BuyingModel:
        """The buying model; the prior's before any fit."""
        model = BG if self.kind == BG.name else MBG
        return model(*self.rhythm) if self.rhythm else prior_rhythm(model)

    @property
    def forecast(self) -> Forecast:
        """The buying model as it is served."""
        return Forecast(self.buying, self.corrections)

    def history(self, habit: Habit, today: int) -> History:
        """A habit as the forecast sees it."""
        wealth = sum(one.total / unit for one in habit.purses if (unit := self.units.get(one.currency)))
        return History(habit.repeats, habit.span, habit.age(today), wealth)

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
    forecast, purses = served.forecast, served.spending(habit.currency) or _own_purse(habit)
    history = served.history(habit, today)
    value = purses.expected_value(habit.purse.days, habit.purse.total) if purses else None
    seen = forecast.outlook(history, HORIZONS, terms.horizon, log(1.0 + terms.discount) / YEAR)
    return Scores(
        as_of=today,
        status=served.status,
        model=served.version,
        p_no_purchase=dict(zip(_NAMES, seen.risks, strict=True)),
        p_alive=forecast.model.p_alive(*history[:3]),
        expected_orders=dict(zip(_NAMES, seen.orders, strict=True)),
        order_value=None if value is None else round(value),
        clv=None if value is None else round(value * terms.margin * seen.discounted),
        currency=habit.currency,
        if_bought_today=if_bought(history, forecast, anew=habit.last_day < today),
        rfm=rfm(habit, served.cuts, today),
        reasons=tuple(_reasons(habit, forecast, history, purses, seen.risks[1])),
    )


def _own_purse(habit: Habit) -> GammaGamma | None:
    """Before any fit, a customer's own mean is all that is known of the shop's."""
    purse = habit.purse
    return prior_purse(purse.total / purse.days) if purse.days else None


def if_bought(history: History, forecast: Forecast, *, anew: bool) -> float:
    """Her churn risk, had she bought today for as much as usual: what a successful message is worth."""
    repeats, _, age, wealth = history
    grown = wealth + wealth / (repeats + 1) if anew else wealth
    return forecast.p_no_purchase(History(repeats + anew, age, age, grown), RISK_HORIZON)


def churn_risk(habit: Habit, served: Served, today: int) -> float:
    """P(no purchase in the next 90 days)."""
    return served.forecast.p_no_purchase(served.history(habit, today), RISK_HORIZON)


def _reasons(
    habit: Habit, forecast: Forecast, history: History, purses: GammaGamma | None, risk: float
) -> list[Reason]:
    """The log-odds of having dropped out split exactly in two, their correction, and whose mean the order value is."""
    x, span, age = habit.repeats, habit.span, round(history.age)
    model = forecast.model
    silence: dict[str, float | int | None] = {
        "days": age - span,
        "usual_gap": round(span / x, 1) if x else None,
        "log_odds": model.silence(x, span, age),
    }
    reasons = [Reason("silence", silence)]
    if x + model.chances:
        reasons.append(Reason("drop_out_habit", {"purchases": x + 1, "log_odds": model.drop_out_habit(x)}))
    correction = forecast.correction(RISK_HORIZON)
    if correction is not None:
        plain = model.p_no_purchase(x, span, age, RISK_HORIZON)
        learned: dict[str, float | int | None] = {"plain": plain, "corrected": risk, "days": correction.matured}
        reasons.append(Reason("experience", learned))
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
