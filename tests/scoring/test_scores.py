"""What is served of one customer, and why."""

from math import exp, isfinite

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.features import NOBODY, Purchase, fold
from services.scoring.scores import Served, Terms, churn_risk, rfm, score
from tests.scoring.some import SERVED, TODAY, habit_of, purchases


def test_of_who_never_bought_nothing_is_claimed() -> None:
    assert score(NOBODY, SERVED, TODAY) is None


def test_every_score_comes_with_its_reasons() -> None:
    scores = score(habit_of(-134, -116, -98, -80, -62), SERVED, TODAY)
    assert scores is not None
    silence, drop_out, value = scores.reasons
    assert (silence.code, silence.numbers["days"], silence.numbers["usual_gap"]) == ("silence", 62, 18.0)
    assert (drop_out.code, drop_out.numbers["purchases"]) == ("drop_out_habit", 5)
    assert (value.code, value.numbers["own_mean"]) == ("own_order_value", 3500)
    odds = sum(float(one.numbers["log_odds"] or 0) for one in (silence, drop_out))
    assert scores.p_alive == pytest.approx(1 / (1 + exp(odds)))
    assert scores.p_no_purchase["30"] > scores.p_no_purchase["90"] > scores.p_no_purchase["180"]
    assert scores.if_bought_today < scores.p_no_purchase["90"]
    assert (scores.model, scores.status, scores.as_of, scores.currency) == (3, "fitted", TODAY, "EUR")


def test_a_first_order_today_gets_the_shops_own_mean() -> None:
    scores = score(habit_of(0), SERVED, TODAY)
    assert scores is not None
    assert scores.if_bought_today == scores.p_no_purchase["90"]
    assert scores.reasons[0].numbers == {"days": 0, "usual_gap": None, "log_odds": 0.0}


def test_before_any_fit_the_prior_serves_and_says_so() -> None:
    scores = score(habit_of(-30, 0), Served(), TODAY)
    assert scores is not None
    assert (scores.status, scores.model, scores.rfm) == ("prior", 0, None)
    assert 3000 < (scores.order_value or 0) < 4000
    gift = score(habit_of(-30, value=0), Served(), TODAY)
    assert gift is not None
    assert (gift.order_value, gift.clv) == (None, None)


def test_lifetime_value_follows_its_terms() -> None:
    habit = habit_of(-60, -30, 0)
    full, thin, short = (
        score(habit, SERVED, TODAY, terms) for terms in (Terms(discount=0.0), Terms(margin=0.5), Terms(horizon=30))
    )
    assert full is not None
    assert thin is not None
    assert short is not None
    assert (full.clv or 0) > 2 * (thin.clv or 0) > (thin.clv or 0) > (short.clv or 0) / 2 > 0


def test_quintiles_share_ties_and_count_silence_backwards() -> None:
    assert rfm(habit_of(-300), SERVED.cuts, TODAY) == (1, 1, 3)
    assert rfm(habit_of(-90, -60, -40, -20, 0, value=9000), SERVED.cuts, TODAY) == (5, 5, 5)


@given(st.lists(purchases, max_size=7, unique_by=lambda one: one.order), st.integers(-400, 4000))
def test_nothing_that_is_not_a_number_is_ever_served(everything: list[Purchase], later: int) -> None:
    for served in (SERVED, Served(), Served(kind="bg", rhythm=(0.02, 0.1, 0.02, 0.02))):
        scores = score(fold(everything), served, TODAY + later)
        if scores is None:
            continue
        figures = [*scores.p_no_purchase.values(), *scores.expected_orders.values(), scores.p_alive]
        figures += [number for reason in scores.reasons for number in reason.numbers.values() if number is not None]
        assert all(isfinite(figure) for figure in figures)
        assert churn_risk(fold(everything), served, TODAY + later) == scores.p_no_purchase["90"]
