"""Lifecycle segments: where a customer stands, with hysteresis so that nobody flickers between two of them."""

from enum import StrEnum

import numpy as np

from services.scoring.features import Habit
from services.scoring.models.forecast import Crowd, Forecast, History
from services.scoring.models.histories import Column
from services.scoring.scores import RISK_HORIZON, Cuts, Served


class Segment(StrEnum):
    """The lifecycle, from never bought to gone."""

    PROSPECT = "prospect"
    NEW = "new"
    ACTIVE = "active"
    LOYAL = "loyal"
    VIP = "vip"
    AT_RISK = "at_risk"
    LAPSED = "lapsed"


DEFINITIONS = {
    Segment.PROSPECT: "never bought, or everything was given back",
    Segment.NEW: "bought on one day only, at most 30 days ago",
    Segment.ACTIVE: "bought, and neither new, loyal, at risk nor lapsed",
    Segment.LOYAL: "bought on four days or more",
    Segment.VIP: "bought on three days or more, and has spent as much as the top 5 % had at the last refit",
    Segment.AT_RISK: "her chance to buy within 90 days is at most half of what it was on the day of her last purchase",
    Segment.LAPSED: "that chance is at most a fifth of what it was",
}

NEW_DAYS = 30
LOYAL_OCCASIONS = 4
VIP_OCCASIONS = 3
AT_RISK = 0.5
LAPSED = 0.2
_BACK_FROM_RISK = 0.6
_BACK_FROM_LAPSE = 0.25
_VIP_STAYS = 0.8


def remaining(served: Served, habit: Habit, today: int) -> float:
    """Her chance to buy within 90 days as a share of what it was right after her last purchase; falls with silence."""
    forecast, now = served.forecast, served.history(habit, today)
    then = 1.0 - forecast.p_no_purchase(History(now.x, now.t_x, now.t_x, now.wealth), RISK_HORIZON)
    return (1.0 - forecast.p_no_purchase(now, RISK_HORIZON)) / then if then > 0.0 else 0.0


def remaining_many(forecast: Forecast, who: Crowd) -> Column:
    """`remaining` of many customers at once."""
    then = 1.0 - forecast.p_no_purchase_many(who._replace(age=who.t_x), RISK_HORIZON)
    now = 1.0 - forecast.p_no_purchase_many(who, RISK_HORIZON)
    return np.divide(now, then, out=np.zeros_like(now), where=then > 0.0)


def segment_of(habit: Habit, left: float, cuts: Cuts, today: int, stood: Segment | None = None) -> Segment:
    """Where she stands with `left` of her chance remaining; `stood` gives the segment she is in the benefit of doubt.

    After a purchase or any other change of her own history leave `stood` out: only time and refits can flicker.
    """
    if not habit.occasions:
        return Segment.PROSPECT
    if left <= (_BACK_FROM_LAPSE if stood is Segment.LAPSED else LAPSED):
        return Segment.LAPSED
    if left <= (_BACK_FROM_RISK if stood in {Segment.AT_RISK, Segment.LAPSED} else AT_RISK):
        return Segment.AT_RISK
    return _in_good_standing(habit, cuts, today, stood)


def _in_good_standing(habit: Habit, cuts: Cuts, today: int, stood: Segment | None) -> Segment:
    bar = cuts.vip.get(habit.currency)
    if bar is not None and stood is Segment.VIP:
        bar = round(bar * _VIP_STAYS)
    if bar is not None and habit.occasions >= VIP_OCCASIONS and habit.purse.total >= bar:
        return Segment.VIP
    if habit.occasions >= LOYAL_OCCASIONS:
        return Segment.LOYAL
    if habit.occasions == 1 and habit.age(today) <= NEW_DAYS:
        return Segment.NEW
    return Segment.ACTIVE
