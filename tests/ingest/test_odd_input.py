"""What is odd but can be understood is taken in and flagged; what was assumed is said."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from services.ingest import tables
from services.ingest.flags import has_twin_keys
from services.ingest.masking import masked
from shared.events import Lane
from shared.events.ingest import BehaviourRecorded, CartUpdated
from tests.ingest.memory import NOON, Desk
from tests.ingest.shop import Shop, later, shopify_order
from tests.world import World

BOUGHT: dict[str, Any] = {"order_id": "1", "currency": "EUR", "products": [{"product_id": "a", "price": 5}]}


def raw_track(**given: Any) -> bytes:
    """A track call as bytes, with whatever is given."""
    return json.dumps({"type": "track", "event": "Signed Up", "messageId": "m", "userId": "7", **given}).encode()


@pytest.mark.parametrize(
    ("stamp", "flags", "seconds"),
    [
        ("2099-01-01T00:00:00Z", "clock_clamped", None),
        ("2026-03-02T11:00:00", "zone_assumed", -3600),
        ("2026-03-02T12:00:00+01:00", "", -3600),
        (NOON.timestamp() * 1000, "", 0),
        (NOON.timestamp(), "", 0),
    ],
    ids=["2099", "no zone", "zone", "epoch ms", "epoch s"],
)
def test_times_are_understood_and_what_was_assumed_is_flagged(
    stamp: str | float, flags: str, seconds: int | None
) -> None:
    desk = Desk()
    outcome = desk.take("segment", raw_track(timestamp=stamp))
    assert (outcome.state, outcome.reason) == ("translated", flags)
    (event,) = [event for event in desk.desk.facts.rows if isinstance(event.fact, BehaviourRecorded)]
    when = event.recorded if seconds is None else NOON + timedelta(seconds=seconds)
    assert event.time == when


def test_what_happened_in_1970_is_history() -> None:
    desk = Desk()
    old = datetime(1970, 1, 1, 12, tzinfo=UTC)
    desk.native("cart", {"cart_id": "c", "customer": {"id": "7"}, "lines": [{"product": "p", "price": 5}]}, at=old)
    desk.track("Order Completed", at=old, userId="7", **BOUGHT)
    told = [event for event in desk.desk.facts.rows if event.fact.type.startswith(("cart.", "order."))]
    assert {event.lane for event in told} == {Lane.HISTORY}
    assert {order.lane for order in desk.orders()} == {Lane.HISTORY}
    desk.native("cart", {"cart_id": "d", "customer": {"id": "7"}, "lines": [{"product": "p", "price": 5}]})
    assert [event.lane for event in desk.desk.facts.rows if isinstance(event.fact, CartUpdated)] == [
        Lane.HISTORY,
        Lane.LIVE,
    ]


@pytest.mark.parametrize(
    ("currency", "price", "outcome", "code", "minor"),
    [
        ("eur", 5, ("translated", ""), "EUR", 500),
        (None, 5, ("translated", "currency_assumed"), "EUR", 500),
        ("JPY", 5, ("translated", ""), "JPY", 5),
        ("XXZ", 5, ("quarantined", "unknown_currency"), "", 0),
    ],
)
def test_currencies(currency: str | None, price: int, outcome: tuple[str, str], code: str, minor: int) -> None:
    desk = Desk()
    found = desk.track("Order Completed", userId="7", **{**BOUGHT, "currency": currency})
    assert (found.state, found.reason) == outcome
    assert [(order.currency, order.total) for order in desk.orders()] == ([(code, minor)] if code else [])


@pytest.mark.parametrize(
    ("raw", "twins"),
    [
        (b'{"a":1,"a":2}', True),
        (b'{"a":{"b":1,"b":2}}', True),
        (b'[{"a":1},{"a":1}]', False),
        (b'{"a":"\\":","b":"x\\\\"}', False),
        (b"not json", False),
        (b"[" * 3000 + b"]" * 3000, False),
    ],
)
def test_keys_named_twice_are_noticed(raw: bytes, twins: bool) -> None:
    assert has_twin_keys(raw) is twins


def test_of_a_key_named_twice_the_last_counts_and_a_large_event_is_taken() -> None:
    desk = Desk()
    twice = raw_track().replace(b'"userId": "7"', b'"userId":"6","userId":"7"').replace(b'": ', b'":')
    assert desk.take("segment", twice).reason == "duplicate_keys"
    assert [key.value for row in desk.desk.customers.values() for key in row.keys] == ["7"]
    large = desk.take("segment", raw_track(messageId="2", properties={"text": "x" * 33_000}))
    assert (large.state, large.reason) == ("translated", "large_event")
    assert desk.shopify("orders/create", shopify_order(at=NOON, note="x" * 33_000)).reason == ""


def test_a_delivery_can_be_watched_without_reading_who_it_is_about() -> None:
    order = shopify_order(at=NOON, phone="+34 600 000 777", billing_address={"address1": "High St 1", "city": "Vigo"})
    order["customer"]["name"] = "Ana Diaz"
    shown = masked(json.dumps({**order, "note": "call +34600000777 or ana@example.com"}).encode())
    for personal in ("ana@example.com", "600", "High St", "Vigo", "Ana"):
        assert personal not in shown, personal
    for kept in ("#1001", "Tea", "50.00", "5000000001001"):
        assert kept in shown, kept
    assert "ana@" not in masked(b"broken {ana@example.com")


def test_what_is_personal_in_other_platforms_spelling_is_masked_too() -> None:
    person = {"first_name": "Ana", "company": "Diaz SL", "postcode": "36201", "address_1": "High St 1", "city": "Vigo"}
    told = {"customer_ip_address": "10.1.2.3", "username": "ana.diaz", "billing": person, "shipping": {"name": "Ana"}}
    shown = masked(
        json.dumps(
            {
                **told,
                "client_details": {"browser_ip": "10.1.2.4"},
                "phones": ["600 000 777"],
                "by": {"ana@example.com": 1},
                "line_items": [{"name": "Tea"}],
            }
        ).encode()
    )
    for personal in ("Ana", "ana", "Diaz", "36201", "High St", "Vigo", "10.1.2", "600"):
        assert personal not in shown, personal
    assert "Tea" in shown


async def test_the_newest_deliveries_of_a_source_are_shown_masked(world: World, shop: Shop) -> None:
    for number in range(3):
        await shop.shopify("orders/create", shopify_order(number, at=world.now))
    await shop.shopify("orders/create", b'{"email": "ana@example.com"')
    await shop.native("customer", {"customer": {"email": "ana@example.com"}})
    await world.settle()
    path = f"/v1/deliveries/latest?source={shop.made.shopify_source}&limit=2"
    found = (await world.get(path, headers=shop.server)).json()["data"]
    assert [row["verdict"] for row in found] == ["quarantined", "translated"]
    assert "example.com" not in json.dumps(found)
    assert (await world.get(path)).status_code == 401


async def test_each_secrets_uses_are_counted(world: World, shop: Shop) -> None:
    keyed = {**shop.server, "idempotency-key": "1"}
    path = f"/v1/sources/{shop.made.shopify_source}/secrets"
    second = (await world.post(path, {"secret": "second"}, headers=keyed)).json()["id"]
    for number, secret in enumerate(("", "second", "second")):
        await shop.shopify("orders/create", shopify_order(number, at=world.now), secret=secret)
    await world.settle()
    (source,) = (await world.get("/v1/sources", headers=shop.server)).json()["data"]
    assert source["secret_uses"].pop(second) == 2
    assert list(source["secret_uses"].values()) == [1]


async def test_the_raw_bytes_keep_what_was_corrected(world: World, shop: Shop) -> None:
    stamp = later(world.now, days=900)
    await shop.segment({"type": "track", "event": "Signed Up", "userId": "7", "timestamp": stamp})
    await world.settle()
    ((raw, reason),) = await world.rows("ingest", select(tables.delivery.c.raw, tables.delivery.c.reason))
    assert reason == "clock_clamped"
    assert stamp in raw.decode()
