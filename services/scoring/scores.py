"""A customer's scores at a day, each with the reasons for it, as a pure function of habit, model and day."""

from bisect import bisect_left
from functools import cached_property, lru_cache
from math import inf, log

import msgspec

from services.scoring.features import Habit, Purse
from services.scoring.models.buying import BG, MBG, BuyingModel
from services.scoring.models.cards import Status, prior_purse, prior_rhythm
from services.scoring.models.forecast import Correction, Forecast, History, Outlook
from services.scoring.models.spending import GammaGamma

HORIZONS = (30, 90, 180)
FAR = 365
RISK_HORIZON = 90
YEAR = 365.0
_NEAR, _RISK, _LATE = (str(days) for days in HORIZONS)


class Terms(msgspec.Struct, frozen=True, dict=True):
    """What lifetime value is reckoned with: days ahead, discount a year, and the share of net that is profit."""

    horizon: int = FAR
    discount: float = 0.1
    margin: float = 1.0

    @cached_property
    def rate(self) -> float:
        """The discount a day, continuously compounded."""
        return log(1.0 + self.discount) / YEAR


_TERMS = Terms()


class Cuts(msgspec.Struct, frozen=True):
    """Published cut-points between quintiles (four each), fixed until the next refit; spend is per currency."""

    recency: tuple[float, ...] = ()
    frequency: tuple[float, ...] = ()
    spend: dict[str, tuple[float, ...]] = {}
    vip: dict[str, int] = {}


@lru_cache(maxsize=64)
def _forecast(
    kind: str, rhythm: tuple[float, ...], corrections: tuple[Correction, ...], plain: tuple[float, ...]
) -> Forecast:
    """One for all who read the same model from the database, since it remembers."""
    model = BG if kind == BG.name else MBG
    return Forecast(model(*rhythm) if rhythm else prior_rhythm(model), corrections, BG(*plain) if plain else None)


class Served(msgspec.Struct, frozen=True, dict=True):
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
    bins: dict[str, tuple[tuple[int, float, float, float], ...]] = {}
    """By currency, where order value goes with frequency: days of paying from which p, q, v hold instead."""
    plain: tuple[float, ...] = ()
    """BG/NBD's parameters, whose risk is served within horizons for which nothing was learned."""

    @property
    def buying(self) -> BuyingModel:
        """The buying model; the prior's before any fit."""
        return self.forecast.model

    @cached_property
    def forecast(self) -> Forecast:
        """The buying model as it is served."""
        return _forecast(self.kind, self.rhythm, self.corrections, self.plain)

    @cached_property
    def _spending(self) -> dict[str, GammaGamma]:
        return {currency: GammaGamma(*found) for currency, found in self.purses.items()}

    @cached_property
    def learned_over(self) -> int | None:
        """Days after which the forecasts had matured that the risk's correction was learned from; 0 if from none."""
        correction = self.forecast.correction(RISK_HORIZON)
        return None if correction is None else correction.matured

    def history(self, habit: Habit, today: int) -> History:
        """A habit as the forecast sees it."""
        wealth, first, last, units = 0.0, habit.first_day, habit.last_day, self.units
        for purse in habit.purses:
            if purse.currency in units:
                wealth += purse.total / units[purse.currency]
        return History(habit.repeats, last - first, max(today, last) - first, wealth)

    def spending(self, currency: str, days: int = 0) -> GammaGamma | None:
        """The order values in a currency of who paid on so many days; None when nothing was ever paid in it."""
        if currency in self.bins:
            for least, *found in reversed(self.bins[currency]):
                if least <= days:
                    return GammaGamma(*found)
        return self._spending.get(currency)


class Reason(msgspec.Struct, frozen=True, gc=False):
    """Why a score is what it is: a stable code and the numbers that its sentence needs."""

    code: str
    numbers: dict[str, float | int | None]


class Grounds(msgspec.Struct, frozen=True, gc=False):
    """What the scores of a customer were made of, and over how many days their correction was learned."""

    history: History
    seen: Outlook
    learned_over: int | None
    purse: Purse
    purses: GammaGamma | None

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """The log-odds of having dropped out split in two, their correction, and whose mean the order value is."""
        history, view, purse = self.history, self.seen.view, self.purse
        x, days = history.x, history.age - history.t_x
        gap = round(history.t_x / x, 1) if x else None
        reasons = [Reason("silence", {"days": days, "usual_gap": gap, "log_odds": view.silence})]
        if view.drop_out > -inf:
            reasons.append(Reason("drop_out_habit", {"purchases": x + 1, "log_odds": view.drop_out}))
        if self.learned_over is not None:
            moved: dict[str, float | int | None] = {"plain": view.plain[1], "corrected": self.seen.risks[1]}
            learned = Reason("experience", {**moved, "days": self.learned_over})
            reasons.append(learned if self.learned_over else Reason("caution", moved))
        if purse.days and self.purses:
            own, shop = round(purse.total / purse.days), round(self.purses.shop_mean)
            trust = self.purses.trust(purse.days)
            reasons.append(Reason("own_order_value", {"own_mean": own, "shop_mean": shop, "weight": trust}))
        return tuple(reasons)


class Scores(msgspec.Struct, frozen=True, gc=False):
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
    grounds: Grounds

    @property
    def reasons(self) -> tuple[Reason, ...]:
        """Why, put together when somebody asks."""
        return self.grounds.reasons


def score(habit: Habit, served: Served, today: int, terms: Terms = _TERMS) -> Scores | None:
    """All scores of a customer; None for who never bought, of whom a buying model knows nothing."""
    if not habit.occasions:
        return None
    purse, history, forecast = habit.purse, served.history(habit, today), served.forecast
    purses = served.spending(habit.currency, purse.days) or _own_purse(purse)
    value = purses.expected_value(purse.days, purse.total) if purses else None
    seen = forecast.outlook(history, HORIZONS, terms.horizon, terms.rate)
    near, risk, late = seen.risks
    soon, later, latest = seen.orders
    return Scores(
        today,
        served.status,
        served.version,
        {_NEAR: near, _RISK: risk, _LATE: late},
        seen.view.p_alive,
        {_NEAR: soon, _RISK: later, _LATE: latest},
        None if value is None else round(value),
        None if value is None else round(value * terms.margin * seen.discounted),
        habit.currency,
        if_bought(history, forecast) if habit.last_day < today else risk,
        _quintiles(served.cuts, history.age - history.t_x, habit.occasions, purse),
        Grounds(history, seen, served.learned_over, purse, purses),
    )


def _own_purse(purse: Purse) -> GammaGamma | None:
    """Before any fit, a customer's own mean is all that is known of the shop's."""
    return prior_purse(purse.total / purse.days) if purse.days else None


def if_bought(history: History, forecast: Forecast) -> float:
    """Her churn risk, had she bought today for as much as usual: what a successful message is worth."""
    bought, age, wealth = history.x + 1, history.age, history.wealth
    return forecast.p_no_purchase(History(bought, age, age, wealth + wealth / bought), RISK_HORIZON)


def churn_risk(habit: Habit, served: Served, today: int) -> float:
    """P(no purchase in the next 90 days)."""
    return served.forecast.p_no_purchase(served.history(habit, today), RISK_HORIZON)


def rfm(habit: Habit, cuts: Cuts, today: int) -> tuple[int, int, int] | None:
    """Quintiles 1 (worst) to 5 of recency, frequency and spend; None before cut-points are known."""
    return _quintiles(cuts, habit.age(today) - habit.span, habit.occasions, habit.purse)


def _quintiles(cuts: Cuts, silent: float, occasions: int, purse: Purse) -> tuple[int, int, int] | None:
    """By the number of cut-points that lie below a value: equal values always share a quintile."""
    spend = cuts.spend.get(purse.currency)
    if not cuts.recency or not spend:
        return None
    return (
        5 - bisect_left(cuts.recency, silent),
        1 + bisect_left(cuts.frequency, occasions),
        1 + bisect_left(spend, purse.total),
    )
