"""Shops and customers at the edge: hardly any data, odd data, returns months later, clocks that change."""

from datetime import UTC, datetime, timedelta
from math import isfinite, log
from zoneinfo import ZoneInfo

import msgspec
import numpy as np
import pytest

from services.scoring.features import NOBODY, add, fits_on_top, fold, local_day, purchase_of
from services.scoring.models.buying import BG, MBG
from services.scoring.models.cards import Status, fit_purse, fit_rhythm
from services.scoring.models.fitting import Fit
from services.scoring.models.histories import Histories
from services.scoring.models.spending import Spend
from services.scoring.refit import Known, refit
from services.scoring.scores import Served, score
from services.scoring.segments import Segment, remaining, segment_of
from shared.events.ingest import OrderRefunded, OrderStatus
from tests.scoring.shop import Shop, bought, order, returned, told
from tests.scoring.some import SERVED, TODAY, a_purchase, an_order, habit_of
from tests.scoring.test_models import FITTED, some_shop


def once(customers: int, days_ago: int = 40) -> Known:
    """A shop where everybody bought once."""
    day = [TODAY - days_ago - number % 20 for number in range(customers)]
    return Known([TODAY] * customers, list(range(customers)), day, [1500 + 7 * one for one in day], ["EUR"] * customers)


@pytest.mark.parametrize("kind", [MBG, BG])
def test_without_a_repeat_purchase_risk_grows_with_silence(kind: type[MBG] | type[BG]) -> None:
    risks = [FITTED[kind].p_no_purchase(0, 0, age, 90) for age in range(0, 900, 30)]
    assert risks == sorted(risks)
    assert risks[0] < risks[-1]


def test_who_bought_for_the_first_time_today_is_new_and_like_the_shop() -> None:
    habit = habit_of(0)
    assert segment_of(habit, remaining(SERVED, habit, TODAY), SERVED.cuts, TODAY) is Segment.NEW
    scores = score(habit, SERVED, TODAY)
    assert scores is not None
    assert scores.p_no_purchase["90"] == SERVED.buying.p_no_purchase(0, 0, 0, 90)


def test_nobody_ever_came_back() -> None:
    done = refit(once(2000), Served())
    assert (done.status, done.served.status, done.served.corrections) == ("prior", "prior", ())
    scores = score(habit_of(-40), done.served, TODAY)
    assert scores is not None
    assert 0.0 < scores.p_no_purchase["90"] < 1.0


@pytest.mark.parametrize("customers", [5, 20])
def test_a_handful_of_customers(customers: int) -> None:
    for seed in range(4):
        model, card = fit_rhythm(MBG, Histories.of_days(*some_shop(customers, seed)))
        assert card.sound
        assert all(isfinite(log(value)) for value in (model.r, model.alpha, model.a, model.b))
        assert 0.2 < model.p_no_purchase(0, 0, 100, 90) < 1.0


@pytest.mark.parametrize(
    ("parameters", "curvature", "sound"),
    [
        ((0.5, 9.0, 0.9, 2.0), (0.3, 1.0), True),
        ((0.5, 9.0, 5000.0, 9000.0), (0.3, 1.0), False),
        ((0.5, 9.0, 0.9, 2.0), (-0.1, 1.0), False),
    ],
    ids=["good", "a and b ran away", "a saddle"],
)
def test_what_is_degenerate(parameters: tuple[float, ...], curvature: tuple[float, ...], sound: bool) -> None:
    assert Fit(parameters, 0.0, curvature, converged=True).sound is sound


def test_a_gift_is_kept_but_says_nothing_of_order_values() -> None:
    known = once(60)
    gift = Known(
        [*known.today, TODAY],
        [*known.customer, 60],
        [*known.day, TODAY - 3],
        [*known.value, 0],
        [*known.currency, "EUR"],
    )
    plain, with_gift = refit(known, Served()), refit(gift, Served())
    assert with_gift.served.purses == plain.served.purses
    assert with_gift.cards["mbg"]["customers"] == 61
    only_gifts = refit(msgspec.structs.replace(known, value=[0] * 60), Served())
    assert only_gifts.served.purses == {}


def test_a_partly_refunded_order_counts_for_what_was_kept() -> None:
    kept = purchase_of(an_order(OrderStatus.PARTLY_REFUNDED, refunded=3000), "sto_a", "UTC")
    assert (kept.counts, kept.value) == (True, 500)
    overpaid = purchase_of(an_order(refunded=9000), "sto_a", "UTC")
    assert overpaid.value == 0


def test_an_order_given_back_months_later_was_never_bought() -> None:
    first, second = a_purchase(-200, "a"), a_purchase(-150, "b")
    habit = add(add(NOBODY, first), second)
    gone = msgspec.structs.replace(second, revision=2, counts=False)
    assert not fits_on_top(habit, second, gone)
    assert fold([first, gone]) == add(NOBODY, first)


async def test_a_return_months_later_changes_scores_from_when_it_is_known(corner_shop: Shop) -> None:
    await corner_shop.hears(*bought(-60), told(order(-20)))
    before = await corner_shop.moves()
    await corner_shop.world.passes(days=100)
    await corner_shop.hears(told(returned(order(-20)), kind=OrderRefunded))
    assert (await corner_shop.moves())[: len(before)] == before
    assert (await corner_shop.asks("/v1/scores/cus_ana"))["history"]["purchase_days"] == 1
    assert await corner_shop.is_sound()


async def test_an_order_of_nobody_is_revenue_and_scores_nobody(corner_shop: Shop) -> None:
    await corner_shop.hears(*bought(-3), told(order(-2), customer=""))
    assert set(await corner_shop.members()) == {"cus_ana"}
    months = (await corner_shop.asks("/v1/kpis"))["data"]
    assert sum(month["orders"] for month in months) == 2
    assert sum(month["new_customers"] for month in months) == 1
    await corner_shop.world.passes(days=2)
    assert (await corner_shop.asks("/v1/models"))["data"][0]["cards"]["mbg"]["customers"] == 1
    assert await corner_shop.is_sound()


def test_a_currency_of_its_own_has_purses_of_its_own_and_shares_the_unit_of_wealth() -> None:
    known = once(60)
    mixed = msgspec.structs.replace(
        known,
        value=[one * 100 if number % 2 else one for number, one in enumerate(known.value)],
        currency=["JPY" if number % 2 else "EUR" for number in range(60)],
    )
    served = refit(mixed, Served()).served
    assert set(served.purses) == set(served.units) == {"EUR", "JPY"}
    assert served.units["JPY"] == pytest.approx(100 * served.units["EUR"], rel=0.01)


def test_q_never_falls_to_one() -> None:
    wild = np.array([10.0**power for power in range(1, 7)] * 5)
    model, card = fit_purse(Spend(np.ones(30), wild, np.log(wild)))
    assert card.status in Status
    assert model.q > 1.0
    assert isfinite(model.expected_value(1, 10.0))


def test_a_shop_where_regulars_spend_more_is_warned_of() -> None:
    dice = np.random.default_rng(2)
    orders = dice.integers(1, 9, 400).astype(float)
    value = dice.gamma(4.0, 500.0, 400)
    assert fit_purse(Spend(orders, value))[1].warnings == ()
    (warning,) = fit_purse(Spend(orders, value * orders))[1].warnings
    assert warning.startswith("order value goes with frequency")


def test_where_regulars_spend_more_order_values_are_fitted_by_frequency() -> None:
    dice = np.random.default_rng(4)
    occasions = np.repeat([1, 2, 5], 300)
    customer = np.repeat(np.arange(900), occasions)
    day = TODAY - 200 + np.concatenate([20 * np.arange(many) for many in occasions])
    each = {1: 1000, 2: 3000, 5: 9000}
    value = [round(each[occasions[who]] * dice.gamma(6.0, 1 / 6.0)) + 1 for who in customer]
    known = Known([TODAY] * 900, customer.tolist(), day.tolist(), value, ["EUR"] * len(value))
    served = refit(known, Served()).served
    assert [least for least, *_ in served.bins["EUR"]] == [1, 2, 4]
    for many, mean in each.items():
        habit = fold(a_purchase(-200 + 20 * at, value=mean) for at in range(many))
        scores = score(habit, served, TODAY)
        assert scores is not None
        assert scores.order_value == pytest.approx(mean, rel=0.05)
    plain = score(habit_of(-100, value=1000), msgspec.structs.replace(served, bins={}), TODAY)
    assert plain is not None
    assert (plain.order_value or 0) > 1100
    assert refit(once(60), Served()).served.bins == {}


def test_a_day_is_the_shops_own_when_clocks_change() -> None:
    spring = datetime(2026, 3, 29, 0, 30, tzinfo=ZoneInfo("Europe/Madrid"))
    moments = [spring.astimezone(UTC) + timedelta(hours=hours) for hours in (0, 10, 22)]
    assert {local_day(moment, "Europe/Madrid") for moment in moments} == {spring.toordinal()}
    assert local_day(moments[2] + timedelta(hours=1), "Europe/Madrid") == spring.toordinal() + 1
    assert local_day(moments[0], "America/Bogota") == spring.toordinal() - 1


def test_what_is_not_a_number_cannot_even_be_said() -> None:
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert({**msgspec.to_builtins(once(2)), "value": [float("nan"), 1]}, Known)
