"""What the API says of customers, in its own words: dates, money, percentages with their definitions."""

from datetime import date, datetime

import msgspec

from services.scoring.features import local_day
from services.scoring.records import Member
from services.scoring.scores import RISK_HORIZON, Scores, Served, Terms, score
from services.scoring.words import Language, if_bought_in_words, reason_in_words
from shared.events.ingest import Money

CHURN_RISK = f"probability of no purchase in the next {RISK_HORIZON} days"
P_ALIVE = "probability of not having dropped out for good, whatever the pace; not the churn risk"


class History(msgspec.Struct, frozen=True, omit_defaults=True):
    """What a customer has bought so far; the days of the first and last purchase once there is one."""

    orders: int
    purchase_days: int
    first: date | msgspec.UnsetType = msgspec.UNSET
    last: date | msgspec.UnsetType = msgspec.UNSET


class ChurnRisk(msgspec.Struct, frozen=True):
    """The probability that nothing is bought, and what a purchase today would make of it."""

    value: float
    definition: str
    if_bought_today: float
    if_bought_today_text: str


class Probability(msgspec.Struct, frozen=True):
    """A probability and of what."""

    value: float
    definition: str


class ClvTerms(msgspec.Struct, frozen=True):
    """What lifetime value was reckoned with."""

    horizon_days: int
    discount: float
    margin: float


class Rfm(msgspec.Struct, frozen=True):
    """Quintiles, 5 the best."""

    recency: int
    frequency: int
    monetary: int


class Why(msgspec.Struct, frozen=True):
    """A reason for a score: its code, the numbers behind it, and the same in words."""

    code: str
    numbers: dict[str, float | int | None]
    text: str


class ScoreFigures(msgspec.Struct, frozen=True, kw_only=True):
    """Scores as of a day; p_no_purchase and expected_orders by days ahead."""

    as_of: date
    status: str
    model_version: int
    churn_risk: ChurnRisk
    p_no_purchase: dict[str, float]
    expected_orders: dict[str, float]
    p_alive: Probability
    order_value: Money | None
    clv: Money | None
    clv_terms: ClvTerms
    rfm: Rfm | None
    reasons: list[Why]


class CustomerScores(msgspec.Struct, frozen=True):
    """A customer with her scores; None for one who never bought."""

    customer: str
    segment: str
    segment_since: datetime
    history: History
    scores: ScoreFigures | None


def scores_of(member: Member, served: Served, now: datetime, terms: Terms, language: Language = "en") -> CustomerScores:
    """A customer with her scores as of now; without figures if she never bought."""
    habit = member.habit
    history = History(habit.orders, habit.occasions)
    scores = score(habit, served, local_day(now, habit.zone), terms) if habit.occasions else None
    figures = None if scores is None else _figures(scores, terms, language)
    if figures is not None:
        days = (date.fromordinal(habit.first_day), date.fromordinal(habit.last_day))
        history = History(habit.orders, habit.occasions, *days)
    return CustomerScores(member.customer, member.segment, member.since, history, figures)


def _figures(scores: Scores, terms: Terms, language: Language) -> ScoreFigures:
    risk, bought = scores.p_no_purchase[str(RISK_HORIZON)], scores.if_bought_today
    return ScoreFigures(
        as_of=date.fromordinal(scores.as_of),
        status=scores.status,
        model_version=scores.model,
        churn_risk=ChurnRisk(risk, CHURN_RISK, bought, if_bought_in_words(bought, language)),
        p_no_purchase=scores.p_no_purchase,
        expected_orders=scores.expected_orders,
        p_alive=Probability(scores.p_alive, P_ALIVE),
        order_value=_money(scores.order_value, scores.currency),
        clv=_money(scores.clv, scores.currency),
        clv_terms=ClvTerms(terms.horizon, terms.discount, terms.margin),
        rfm=None if scores.rfm is None else Rfm(*scores.rfm),
        reasons=[Why(one.code, one.numbers, reason_in_words(one, language, scores.currency)) for one in scores.reasons],
    )


def _money(amount: int | None, currency: str) -> Money | None:
    return None if amount is None else Money(amount=amount, currency=currency)
