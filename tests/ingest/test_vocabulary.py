"""What platforms and SDKs say, each word of it, and the facts that come of it."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from shared.events.ingest import (
    ActivityReported,
    BehaviourRecorded,
    CartUpdated,
    ConsentChanged,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderDisputeWon,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    ProductViewed,
    ProfileUpdated,
)
from tests.ingest.memory import NOON, Desk
from tests.ingest.shop import later, shopify_order

TEA: dict[str, Any] = {"product_id": "11", "name": "Tea", "category": "Drinks", "price": 10, "quantity": 2}


def test_every_amount_of_a_shopify_order_has_its_line() -> None:
    desk = Desk()
    lines = [
        {
            "id": 1,
            "product_id": 11,
            "product_type": "Drinks",
            "quantity": 2,
            "price": "12.10",
            "discount_allocations": [{"amount": "2.20"}],
            "tax_lines": [{"price": "3.82"}],
        },
        {"id": 2, "gift_card": True, "quantity": 1, "price": "25.00"},
    ]
    order = shopify_order(
        at=NOON,
        line_items=lines,
        shipping_lines=[{"id": 5, "title": "Post", "price": "4.00", "tax_lines": [{"price": "0.69"}]}],
        total_tip_received="1.00",
        total_price="52.00",
        discount_codes=[{"code": "TEA"}],
        total_price_set={"presentment_money": {"amount": "57.20", "currency_code": "USD"}},
        source_name="web",
    )
    desk.shopify("orders/create", order)
    (found,) = desk.orders()
    shown = [(line.kind, line.gross, line.discount, line.tax, line.net) for line in found.lines]
    assert shown == [
        ("product", 2420, 220, 382, 1818),
        ("gift_card", 2500, 0, 0, 2500),
        ("shipping", 400, 0, 69, 331),
        ("tip", 100, 0, 0, 100),
    ]
    assert found.total == sum(line.net + line.tax for line in found.lines) == 5200
    assert (found.coupons, found.channel, found.lines[0].categories) == (("TEA",), "web", ("Drinks",))
    assert found.presentment is not None
    assert (found.presentment.amount, found.presentment.currency) == (5720, "USD")


def test_an_order_of_a_firm_says_so() -> None:
    desk = Desk()
    desk.shopify("orders/create", shopify_order(at=NOON, source_name="web", company={"id": 9, "location_id": 3}))
    (found,) = desk.orders()
    assert found.channel == "b2b"


def test_discounts_and_taxes_of_the_whole_order_are_spread_over_its_lines() -> None:
    desk = Desk()
    order = shopify_order(at=NOON, taxes_included=False, total_discounts="5.00", total_tax="4.51", total_price="49.51")
    desk.shopify("orders/create", order)
    (found,) = desk.orders()
    assert [(line.discount, line.tax, line.net) for line in found.lines] == [(200, 180, 1800), (300, 271, 2700)]


@pytest.mark.parametrize(
    ("topic", "outcome"),
    [
        ("customers/data_request", ("dropped", "customers_data_request")),
        ("shop/redact", ("translated", "store_erased")),
        ("app/uninstalled", ("translated", "app_uninstalled")),
        ("orders/delete", ("dropped", "order_deleted")),
        ("checkouts/delete", ("dropped", "checkout_deleted")),
        ("customers/delete", ("dropped", "customer_deleted")),
        ("themes/publish", ("quarantined", "unknown_topic")),
        ("customers/redact", ("quarantined", "missing_id")),
        ("carts/create", ("quarantined", "missing_id")),
        ("refunds/create", ("quarantined", "missing_id")),
    ],
)
def test_other_topics(topic: str, outcome: tuple[str, str]) -> None:
    found = Desk().shopify(topic, {})
    assert (found.state, found.reason) == outcome


def test_a_shopify_customer_and_their_consents() -> None:
    desk = Desk()
    consent = {"state": "subscribed", "opt_in_level": "confirmed_opt_in", "consent_updated_at": later(NOON, days=-3)}
    person = {"id": 77, "email": "ana@example.com", "phone": "+34 600 000 001", "updated_at": NOON.isoformat()}
    desk.shopify(
        "customers/create", {**person, "email_marketing_consent": consent, "default_address": {"country_code": "ES"}}
    )
    refused = {"state": "unsubscribed", "consent_updated_at": NOON.isoformat()}
    desk.shopify("customers_email_marketing_consent/update", {"customer_id": 77, "email_marketing_consent": refused})
    assert [(fact.channel, fact.granted) for fact in desk.facts(ConsentChanged)] == [("email", True), ("email", False)]
    (profile,) = desk.facts(ProfileUpdated)
    assert (profile.country, profile.phone) == ("ES", "+34 600 000 001")


def test_the_milestones_of_a_native_order() -> None:
    desk = Desk()
    desk.native("purchase", {"order_id": "1", "customer": {"id": "7"}, "paid": False, "lines": [{"price": 900}]})
    assert desk.orders()[0].status == "payment_pending"
    names = ("paid_at", "fulfilled_at", "delivered_at", "disputed_at", "dispute_won_at", "cancelled_at")
    for day, name in enumerate(names, start=1):
        desk.native("purchase", {"order_id": "1", name: later(NOON, days=day)}, at=NOON + timedelta(minutes=day))
    kinds = (OrderPaid, OrderFulfilled, OrderDelivered, OrderDisputed, OrderDisputeWon, OrderCancelled)
    assert [type(fact) for fact in desk.facts(*kinds)] == list(kinds)


def test_segments_orders() -> None:
    desk = Desk()
    desk.track("purchase", userId="7", order_id="1", products=[TEA], discount="1.01", tax=2, shipping=3, coupon="X")
    desk.track("Order Refunded", userId="7", order_id="1", products=[{"product_id": "11", "price": 10, "quantity": 1}])
    desk.track("Order Cancelled", at=NOON + timedelta(hours=1), userId="7", order_id="1")
    (order,) = desk.orders()
    assert (order.total, order.refunded, order.coupons) == (2399, 1000, ("X",))
    assert len(desk.facts(OrderRefunded)) == len(desk.facts(OrderCancelled)) == 1
    desk.track("Order Completed", userId="7", order_id="2", revenue=12.5)
    assert desk.orders()[1].total == 1250
    for bad in ({}, {"order_id": ""}, {"order_id": "3", "products": [{**TEA, "quantity": 0}]}):
        assert desk.track("Order Completed", userId="7", **bad).state == "quarantined"


def test_segments_carts_and_views() -> None:
    desk = Desk()
    desk.track("Cart Viewed", userId="7", cart_id="c", products=[TEA])
    desk.track("Checkout Started", at=NOON + timedelta(minutes=1), userId="7", cart_id="c", products=[TEA])
    desk.track("Cart Viewed", at=NOON + timedelta(minutes=2), userId="7", cart_id="c", products=[])
    desk.track("Product Added", userId="7", coupon="no product")
    desk.track("Product Viewed", userId="7", **TEA)
    desk.track("Products Searched", userId="7", query="tea", filters=[1])
    assert [fact.cart.stage for fact in desk.facts(CartUpdated)] == ["cart", "checkout"]
    (viewed,) = desk.facts(ProductViewed)
    assert (viewed.product, viewed.title, viewed.categories) == ("11", "Tea", ("Drinks",))
    behaviour = {fact.name: fact.properties for fact in desk.facts(BehaviourRecorded)}
    assert behaviour["Products Searched"] == {"query": "tea"}
    assert set(behaviour) == {"Cart Viewed", "Product Added", "Products Searched"}


def seen(desk: Desk) -> datetime:
    """When the last thing told happened."""
    return desk.desk.facts.rows[-1].time


def page(desk: Desk, message: dict[str, Any], **meta: str) -> str:
    """A page call; gives what became of it."""
    raw = json.dumps({"type": "page", "messageId": "1", "userId": "7", **message}).encode()
    return desk.take("segment", raw, **meta).state


def test_times_are_corrected_by_the_senders_clock_and_fall_back() -> None:
    desk = Desk()
    clocks = {"sent_at": (NOON - timedelta(hours=2)).isoformat(), "received_at": NOON.isoformat()}
    page(desk, {"timestamp": (NOON - timedelta(hours=3)).isoformat()}, **clocks)
    assert seen(desk) == NOON - timedelta(hours=1)
    page(desk, {"originalTimestamp": NOON.isoformat()}, sent_at="soon", received_at=NOON.isoformat())
    assert seen(desk) == NOON
    page(desk, {"timestamp": NOON.timestamp() * 1000})
    assert seen(desk) == NOON
    page(desk, {"timestamp": NOON.replace(tzinfo=None).isoformat()})
    assert seen(desk).tzinfo is UTC
    page(desk, {})
    assert seen(desk) > NOON
    assert page(desk, {"timestamp": "9999-12-31T23:59:59Z"}, **clocks) == "quarantined"
    assert page(desk, {"timestamp": "once"}) == "quarantined"


def test_the_store_vouches_for_activity_and_a_browser_does_not() -> None:
    desk = Desk()
    desk.track("Product Reviewed", userId="7", review_id="r1", rating=5)
    desk.track(" Checked In ", userId="7")
    desk.native("activity", {"customer": {"id": "7"}, "name": "survey", "reference": "s1"})
    desk.track("Products Searched", userId="7", query="tea")
    desk.track("Product Viewed", userId="7", **TEA)
    desk.track("Checked In", trust="browser", anonymousId="b")
    desk.native("browse", {"customer": {"id": "7"}, "name": "Landing Page"})
    told = [(fact.name, fact.reference) for fact in desk.facts(ActivityReported)]
    assert told == [("review", "r1"), ("Checked In", ""), ("survey", "s1")]
    assert desk.facts(ActivityReported)[0].properties["rating"] == 5
    assert len(desk.facts(BehaviourRecorded)) == 6
