"""Money of other currencies: converted at the rate of the order's day, set aside without one, whatever came first."""

from datetime import timedelta
from fractions import Fraction
from itertools import permutations
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.scoring.features import Purchase
from services.scoring.money import HOLDS_DAYS, Rates, Reporting, original, valued
from shared.events.ingest import OrderRefunded
from tests.scoring.shop import NOON, Shop, bought, order, returned, told
from tests.scoring.some import TODAY, a_purchase

EURO = Reporting("EUR", 2)
DAY = (NOON - timedelta(days=10)).date()


def in_dollars(day: int = 0, value: int = 1000) -> Purchase:
    return a_purchase(day, value=value, currency="USD")


def test_money_of_another_currency_is_converted_and_both_are_kept() -> None:
    known = {TODAY: Rates("EUR", {"USD": "1.25"})}
    found = valued(in_dollars(), EURO, known)
    assert (found.currency, found.value, found.waits) == ("EUR", 800, False)
    assert original(found) == ("USD", 1000)
    assert valued(found, EURO, {TODAY: Rates("EUR", {"USD": "2"})}).value == 500


def test_minor_digits_and_any_base() -> None:
    yen = msgspec.structs.replace(in_dollars(value=1600), currency="JPY", exponent=0)
    assert valued(yen, EURO, {TODAY: Rates("EUR", {"JPY": "160"})}).value == 1000
    by_dollar = Rates("USD", {"JPY": "150", "EUR": "0.9375"})
    assert valued(yen, EURO, {TODAY: by_dollar}).value == 1000
    assert valued(in_dollars(value=1000), Reporting("JPY", 0), {TODAY: by_dollar}).value == 1500
    assert valued(in_dollars(value=1), EURO, {TODAY: Rates("EUR", {"USD": "2"})}).value == 1


def test_the_latest_rate_holds_a_week_and_no_later_one_counts() -> None:
    older, newer = Rates("EUR", {"USD": "2"}), Rates("EUR", {"USD": "4"})
    assert valued(in_dollars(), EURO, {TODAY - 3: older, TODAY - 1: newer, TODAY + 1: older}).value == 250
    assert valued(in_dollars(), EURO, {TODAY - HOLDS_DAYS: older}).value == 500
    assert valued(in_dollars(), EURO, {TODAY - HOLDS_DAYS - 1: older}).waits
    assert valued(in_dollars(), EURO, {TODAY: Rates("EUR", {"GBP": "1"}), TODAY - 1: older}).value == 500


def test_without_a_rate_money_is_set_aside_and_the_occasion_counts() -> None:
    found = valued(in_dollars(), EURO, {})
    assert (found.value, found.waits, found.counts, original(found)) == (0, True, True, ("USD", 1000))
    assert valued(a_purchase(0), EURO, {}) == a_purchase(0)
    assert valued(found, Reporting("USD", 2), {}) == in_dollars()


@given(st.integers(0, 10**12), st.decimals("0.0001", 10_000, places=4), st.decimals("0.0001", 10_000, places=4))
def test_a_conversion_is_exact_to_half_a_minor_unit(paid: int, mine: Any, theirs: Any) -> None:
    rates = Rates("CHF", {"USD": str(mine), "EUR": str(theirs)})
    found = valued(in_dollars(value=paid), EURO, {TODAY: rates})
    assert abs(found.value - paid * Fraction(theirs) / Fraction(mine)) <= Fraction(1, 2)


async def gives(shop: Shop, quotes: dict[str, str], day: Any = DAY, base: str = "EUR", status: int = 200) -> Any:
    """PUT the rates of a day with the server key, and let them have their effect."""
    path, key = f"/v1/exchange-rates/{day}", {"authorization": f"Bearer {shop.key}"}
    answer = await shop.world.http.put(path, json={"base": base, "rates": quotes}, headers=key)
    assert answer.status_code == status, answer.text
    await shop.world.settle()
    return answer.json()


def dollars(days: float, **given: Any) -> Any:
    return told(order(days, currency="USD", **given))


async def test_an_order_without_a_rate_waits_and_is_converted_when_it_comes(shop: Shop) -> None:
    await shop.hears(*bought(-40), dollars(-10, name="usd", total=1000))
    before = (await shop.members())["cus_ana"]
    assert (before.occasions, before.orders, before.purses[0].total) == (2, 2, 3500)
    (waiting,) = (await shop.asks("/v1/exchange-rates/missing"))["data"]
    assert (waiting["order"], waiting["money"]) == ("ord_usd", {"amount": 1000, "currency": "USD"})
    month = await february(shop)
    assert (month["orders"], month["revenue"], month["revenue_total"]) == (1, {"USD": 1000}, 0)
    assert month["money_without_rate"] == {"USD": {"orders": 1, "amount": 1000}}
    await gives(shop, {"USD": "1.25"})
    after = (await shop.members())["cus_ana"]
    assert (after.occasions, after.purses[0].currency, after.purses[0].total) == (2, "EUR", 4300)
    assert (await shop.asks("/v1/exchange-rates/missing"))["data"] == []
    month = await february(shop)
    assert (month["revenue"], month["revenue_total"], month["money_without_rate"]) == ({"USD": 1000}, 800, {})
    assert (await shop.asks("/v1/scores/cus_ana"))["scores"]["order_value"]["currency"] == "EUR"
    assert await shop.is_sound()


async def february(shop: Shop) -> Any:
    figures = await shop.asks("/v1/kpis")
    assert figures["reporting_currency"] == "EUR"
    return {row["month"]: row for row in figures["data"]}["2026-02"]


STEPS = ["order", "guest", "rate", "older rate", "order given back"]


async def happens(shop: Shop, step: str, day: int, who: str) -> None:
    """One of the steps of a customer's story, which is all about one day."""
    back = order(day - 1, name=f"back-{who}", currency="USD", total=400)
    on = (NOON + timedelta(days=day)).date()
    if step == "order":
        await shop.hears(told(order(day, name=f"own-{who}", currency="USD", total=1000), who))
    elif step == "guest":
        await shop.hears(told(order(day, name=f"guest-{who}", currency="USD", total=500), ""))
    elif step == "rate":
        await gives(shop, {"USD": "1.25"}, on)
    elif step == "older rate":
        await gives(shop, {"USD": "8"}, on - timedelta(days=2))
    else:
        await shop.hears(told(back, who), told(returned(back), who, OrderRefunded))


async def test_any_order_of_orders_and_rates_ends_the_same(corner_shop: Shop) -> None:
    ends = set()
    for turn, steps in enumerate(list(permutations(STEPS))[::17]):
        who = f"cus_{turn}"
        for step in steps:
            await happens(corner_shop, step, -10 - 20 * turn, who)
        member, orders = (await corner_shop.members())[who], await corner_shop.orders()
        values = tuple(orders[f"ord_{name}-{who}"].value for name in ("own", "guest", "back"))
        ends.add((member.orders, member.purses[0].total, *values))
    assert ends == {(1, 800, 800, 400, 50)}
    assert await corner_shop.is_sound()


async def test_a_corrected_rate_converts_anew(corner_shop: Shop) -> None:
    await corner_shop.hears(dollars(-10, name="usd", total=1000))
    await gives(corner_shop, {"USD": "1.25"})
    await gives(corner_shop, {"USD": "2"})
    assert (await corner_shop.members())["cus_ana"].purses[0].total == 500
    await gives(corner_shop, {"GBP": "2"})
    assert (await corner_shop.members())["cus_ana"].purses == ()


async def test_another_currency_to_report_in_converts_everything(shop: Shop) -> None:
    await shop.hears(*bought(-10), dollars(-10, name="usd", total=1000))
    await gives(shop, {"USD": "1.25"})
    key = {"authorization": f"Bearer {shop.key}"}
    answer = await shop.world.http.put("/v1/reporting-currency", json={"currency": "USD"}, headers=key)
    assert answer.status_code == 200
    await shop.world.settle()
    assert (await shop.asks("/v1/reporting-currency"))["currency"] == "USD"
    (purse,) = (await shop.members())["cus_ana"].purses
    assert (purse.currency, purse.total) == ("USD", 4375 + 1000)
    assert (await shop.orders())["ord_usd"].paid_currency == ""
    assert await shop.is_sound()


async def test_rates_are_listed_newest_first(corner_shop: Shop) -> None:
    for ago in (3, 1, 2):
        await gives(corner_shop, {"USD": f"1.{ago}", "JPY": "160"}, DAY - timedelta(days=ago))
    first = await corner_shop.asks("/v1/exchange-rates", limit=2)
    second = await corner_shop.asks("/v1/exchange-rates", cursor=first["next_cursor"])
    listed = [*first["data"], *second["data"]]
    assert [row["rates"]["USD"] for row in listed] == ["1.1", "1.2", "1.3"]
    assert await corner_shop.asks(f"/v1/exchange-rates/{listed[0]['date']}") == listed[0]
    await corner_shop.asks("/v1/exchange-rates/1999-01-01", 404)


@pytest.mark.parametrize(
    "quotes", [{}, {"USD": "0"}, {"USD": "-1"}, {"USD": "NaN"}, {"USD": "1e400"}, {"dollars": "1"}, {"USD": "much"}]
)
async def test_rates_that_are_refused(corner_shop: Shop, quotes: dict[str, str]) -> None:
    assert (await gives(corner_shop, quotes, status=400))["code"]


async def test_only_a_server_key_may_give_rates(corner_shop: Shop) -> None:
    body = {"base": "EUR", "rates": {"USD": "1"}}
    assert (await corner_shop.world.http.put(f"/v1/exchange-rates/{DAY}", json=body)).status_code == 401
    assert (await corner_shop.world.http.put("/v1/reporting-currency", json={"currency": "USD"})).status_code == 401
