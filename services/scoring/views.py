"""What the API says of customers, in its own words: dates, money, percentages with their definitions."""

from datetime import date, datetime
from typing import Any

from services.scoring.features import local_day
from services.scoring.records import Member
from services.scoring.scores import RISK_HORIZON, Scores, Served, Terms, score
from services.scoring.words import Language, if_bought_in_words, reason_in_words

CHURN_RISK = f"probability of no purchase in the next {RISK_HORIZON} days"
P_ALIVE = "probability of not having dropped out for good, whatever the pace; not the churn risk"


def scores_of(member: Member, served: Served, now: datetime, terms: Terms, language: Language = "en") -> dict[str, Any]:
    """A customer with her scores as of now; without figures if she never bought."""
    habit = member.habit
    head: dict[str, Any] = {
        "customer": member.customer,
        "segment": member.segment,
        "segment_since": member.since,
        "history": {"orders": habit.orders, "purchase_days": habit.occasions},
    }
    scores = score(habit, served, local_day(now, habit.zone), terms) if habit.occasions else None
    if scores is None:
        return {**head, "scores": None}
    head["history"] |= {"first": _date(habit.first_day), "last": _date(habit.last_day)}
    return {**head, "scores": _figures(scores, terms, language)}


def _figures(scores: Scores, terms: Terms, language: Language) -> dict[str, Any]:
    risk = scores.p_no_purchase[str(RISK_HORIZON)]
    figures: dict[str, Any] = {
        "as_of": _date(scores.as_of),
        "status": scores.status,
        "model_version": scores.model,
        "churn_risk": {
            "value": risk,
            "definition": CHURN_RISK,
            "if_bought_today": scores.if_bought_today,
            "if_bought_today_text": if_bought_in_words(scores.if_bought_today, language),
        },
        "p_no_purchase": scores.p_no_purchase,
        "expected_orders": scores.expected_orders,
        "p_alive": {"value": scores.p_alive, "definition": P_ALIVE},
        "order_value": _money(scores.order_value, scores.currency),
        "clv": _money(scores.clv, scores.currency),
        "clv_terms": {"horizon_days": terms.horizon, "discount": terms.discount, "margin": terms.margin},
        "rfm": None,
        "reasons": [
            {"code": one.code, "numbers": one.numbers, "text": reason_in_words(one, language, scores.currency)}
            for one in scores.reasons
        ],
    }
    if scores.rfm is not None:
        figures["rfm"] = dict(zip(("recency", "frequency", "monetary"), scores.rfm, strict=True))
    return figures


def _money(amount: int | None, currency: str) -> dict[str, Any] | None:
    return None if amount is None else {"amount": amount, "currency": currency}


def _date(day: int) -> str:
    return date.fromordinal(day).isoformat()
