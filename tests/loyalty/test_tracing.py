"""Where points came from and what they are worth: redemptions traced to rules, revenue put off for what is owed."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty.payment import Payment
from services.loyalty.records import EXPIRED, REDEEMED, WRITTEN_OFF
from services.loyalty.reports import PPM, Orders, deferred_revenue, expected_ppm
from shared.events.ingest import ActivityReported, OrderRefunded, OrderStatus
from tests.builders import an_event
from tests.loyalty.shop import programme
from tests.loyalty.test_programme import TAUGHT, adopted
from tests.loyalty.till import STORE, Till, bought

CENT = Payment(points=1, worth=1)


async def test_every_point_of_a_redemption_is_traced_to_its_order_and_rule_and_back(till: Till) -> None:
    await adopted(till, rules=TAUGHT, pending_days=0)
    await till.hears(an_event(ActivityReported(name="review", reference="r1"), at=till.world.now))
    await till.world.passes(days=40)
    await till.hears(bought(9_000, name="1", at=till.world.now))
    body = {"customer": "cus_ana", "points": 100, "store": STORE, "order": "9"}
    made = (await till.calls("/v1/redemptions", body)).json()
    traced = await till.asks(f"/v1/redemptions/{made['id']}")
    review, order = traced["origins"]
    assert (review["points"], review["rules"], review["version"]) == (20, [{"rule": "review", "points": 20}], 2)
    assert (order["points"], order["source"], order["version"]) == (80, "ord_1", 2)
    assert order["rules"] == [{"rule": "spend", "points": 90}, {"rule": "first_order", "points": 50}]
    now = till.world.now
    paid = bought(10_000, name="9", at=now, external_id="9")
    half = bought(
        10_000,
        name="9",
        revision=2,
        refunded=5_000,
        at=now,
        external_id="9",
        kind=OrderRefunded,
        status=OrderStatus.PARTLY_REFUNDED,
    )
    await till.hears(paid, half)
    back = await till.asks(f"/v1/redemptions/{made['id']}", by=till.token("cus_ana"))
    assert (back["returned"], [one["returned"] for one in back["origins"]]) == (50, [0, 50])
    hidden = await till.asks(f"/v1/redemptions/{made['id']}", by=till.token("cus_bea"), status=404)
    assert hidden["code"] == "not_found"
    assert (await till.asks("/v1/redemptions/red_x", status=404))["code"] == "not_found"


async def test_the_report_tells_what_revenue_is_put_off_and_what_is_expected_to_run_out(till: Till) -> None:
    await adopted(till, pending_days=0, payment={"points": 100, "worth": 100}, redeemed_percent=80)
    await till.hears(bought(10_000, name="1", at=till.world.now))
    told = await till.asks("/v1/reports/liability")
    assert (told["outstanding"], told["expected_ppm"], told["expected_breakage"]) == (101, 800_000, 21)
    assert told["deferred_revenue"] == 80 * 10_000 // (10_000 + 80)
    assert told["reconciles"] is True


@pytest.mark.parametrize(("redeemed", "gone", "ppm"), [(0, 0, PPM), (30, 10, 750_000), (0, 10, 0)])
def test_the_expected_share_is_that_of_points_whose_fate_is_known(redeemed: int, gone: int, ppm: int) -> None:
    sides = {REDEEMED: redeemed, EXPIRED: gone, WRITTEN_OFF: 0}
    assert expected_ppm(sides, programme()) == ppm
    assert expected_ppm(sides, programme(redeemed_percent=55)) == 550_000


def test_the_price_of_an_order_is_shared_as_the_standards_example_does() -> None:
    # IFRS 15 example 52: goods worth 100,000, 10,000 points worth 1, 9,500 expected: 8,676 put off, rounded down here
    assert deferred_revenue(10_000, Orders(100_000, 10_000), CENT, 950_000) == 8_675


@given(st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, 10**9), st.integers(0, PPM))
def test_never_more_revenue_is_put_off_than_the_points_are_worth(spent: int, points: int, out: int, ppm: int) -> None:
    found = deferred_revenue(min(out, points), Orders(spent, points), CENT, ppm)
    assert 0 <= found <= min(out, points)
    more: Any = deferred_revenue(points, Orders(spent, points), CENT, ppm)
    assert found <= more
