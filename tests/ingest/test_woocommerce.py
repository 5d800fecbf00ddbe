"""WooCommerce: verified, told apart and understood, from its ping to its refunds."""

import base64
import hashlib
import hmac
import html
import json
from datetime import datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.ingest import tables
from shared.events.ingest import (
    OrderCancelled,
    OrderFact,
    OrderFulfilled,
    OrderPaid,
    OrderRefunded,
    OrderUpdated,
    ProductUpdated,
    ProfileUpdated,
)
from tests.ingest.memory import NOON, Desk
from tests.ingest.shop import Shop
from tests.world import World

SECRET = "a&amp;b"


def gmt(at: datetime) -> str:
    """A time as WooCommerce writes it: GMT, without saying so."""
    return at.strftime("%Y-%m-%dT%H:%M:%S")


def woo_order(at: datetime = NOON, **given: Any) -> dict[str, Any]:
    """A paid order: two lines with a discount on one, shipping, 21 % of tax; 60.50 in all."""
    stamp = gmt(at)
    line = {"id": 1, "name": "Tea", "product_id": 11, "variation_id": 0, "quantity": 2, "sku": "T"}
    order = {
        "id": 727,
        "number": "727",
        "status": "processing",
        "currency": "EUR",
        "created_via": "checkout",
        "date_created_gmt": stamp,
        "date_modified_gmt": stamp,
        "date_paid_gmt": stamp,
        "date_completed_gmt": None,
        "prices_include_tax": True,
        "total": "60.50",
        "customer_id": 77,
        "billing": {"first_name": "Ana", "email": "ana@example.com", "phone": "", "country": "ES"},
        "line_items": [
            {**line, "subtotal": "20.00", "total": "15.00", "total_tax": "3.15"},
            {**line, "id": 2, "product_id": 12, "variation_id": 5, "quantity": 1, "subtotal": "30.00",
             "total": "30.00", "total_tax": "6.30"},
        ],
        "shipping_lines": [{"id": 3, "method_title": "Post", "total": "5.00", "total_tax": "1.05"}],
        "fee_lines": [],
        "coupon_lines": [{"id": 4, "code": "tea5", "discount": "5.00"}],
        "refunds": [],
    }  # fmt: skip
    return {**order, **given}


def woo(desk: Desk, topic: str, body: dict[str, Any]) -> tuple[str, str]:
    """(verdict, reason) of one webhook."""
    outcome = desk.take("woocommerce", json.dumps(body).encode(), topic=topic)
    return outcome.state, outcome.reason


def test_an_order_with_its_lines_codes_and_buyer() -> None:
    desk = Desk()
    assert woo(desk, "order.created", woo_order()) == ("translated", "")
    (order,) = desk.orders()
    shown = [(line.kind, line.variant, line.gross, line.discount, line.tax, line.net) for line in order.lines]
    assert shown == [
        ("product", "", 2000, 500, 315, 1500),
        ("product", "5", 3000, 0, 630, 3000),
        ("shipping", "", 500, 0, 105, 500),
    ]
    assert (order.total, order.coupons, order.channel, order.number) == (6050, ("tea5",), "checkout", "727")
    assert (order.placed_at, order.paid_at) == (NOON, NOON)
    (profile,) = desk.facts(ProfileUpdated)
    assert (profile.email, profile.first_name, profile.country) == ("ana@example.com", "Ana", "ES")


def test_a_refund_comes_as_an_update_and_counts_once() -> None:
    desk = Desk()
    woo(desk, "order.created", woo_order())
    later = gmt(NOON + timedelta(hours=1))
    part: dict[str, Any] = {"date_modified_gmt": later, "refunds": [{"id": 9, "total": "-10.50"}]}
    for _ in range(2):
        woo(desk, "order.updated", woo_order(**part))
    whole: dict[str, Any] = {
        "status": "refunded",
        "date_modified_gmt": gmt(NOON + timedelta(hours=2)),
        "refunds": [{"id": 9, "total": "-10.50"}, {"id": 10, "total": "-50.00"}],
    }
    woo(desk, "order.updated", woo_order(**whole))
    assert [fact.order.refunded for fact in desk.facts(OrderRefunded)] == [1050, 6050]
    assert sum(line.net_kept for line in desk.orders()[0].lines) == 0


def test_the_milestones_of_an_order_paid_at_the_door() -> None:
    desk = Desk()
    woo(desk, "order.created", woo_order(date_paid_gmt=None, status="on-hold"))
    assert desk.facts(OrderPaid) == []
    done = gmt(NOON + timedelta(days=1))
    woo(desk, "order.updated", woo_order(status="completed", date_completed_gmt=done, date_modified_gmt=done))
    assert [fact.type for fact in desk.facts(OrderPaid, OrderFulfilled)] == ["order.paid", "order.fulfilled"]
    off = gmt(NOON + timedelta(days=2))
    woo(desk, "order.restored", woo_order(status="cancelled", date_modified_gmt=off))
    assert len(desk.facts(OrderCancelled)) == 1


def test_a_guest_goes_by_the_address_and_a_fee_below_zero_is_a_discount() -> None:
    desk = Desk()
    fees = [{"id": 8, "name": "Loyal", "total": "-5.00", "total_tax": "0"}]
    woo(desk, "order.created", woo_order(customer_id=0, fee_lines=fees, total="55.50"))
    kinds = {key.kind for row in desk.desk.customers.values() for key in row.keys}
    assert kinds == {"email"}
    (order,) = desk.orders()
    assert sum(line.discount for line in order.lines) == 1000


@pytest.mark.parametrize(
    ("topic", "body", "outcome"),
    [
        ("order.deleted", {"id": 727}, ("dropped", "order_deleted")),
        ("customer.deleted", {"id": 77}, ("dropped", "customer_deleted")),
        ("coupon.created", {"id": 4, "code": "x"}, ("dropped", "coupon_created")),
        ("customer.created", {"id": 77, "email": "a@example.com"}, ("translated", "")),
        ("customer.updated", {"first_name": "Ana"}, ("quarantined", "missing_id")),
        ("order.created", {"id": ""}, ("quarantined", "missing_id")),
        ("order.created", woo_order(currency="XXZ"), ("quarantined", "unknown_currency")),
        ("order.created", woo_order(line_items=[{"id": 1, "quantity": 1e30}]), ("quarantined", "malformed_line")),
        ("action.woocommerce_add_to_cart", {}, ("quarantined", "unknown_topic")),
    ],
)
def test_other_topics(topic: str, body: dict[str, Any], outcome: tuple[str, str]) -> None:
    assert woo(Desk(), topic, body) == outcome


def test_a_product_and_its_end() -> None:
    desk = Desk()
    tea = {
        "id": 11,
        "name": "Tea",
        "permalink": "https://shop.example/tea",
        "price": "12.50",
        "categories": [{"name": "Drinks"}],
    }
    woo(desk, "product.created", {**tea, "date_modified_gmt": gmt(NOON), "images": [{"src": "https://x.example/t"}]})
    woo(desk, "product.updated", {**tea, "date_modified_gmt": gmt(NOON), "stock_status": "outofstock"})
    woo(desk, "product.deleted", {"id": 11})
    told = [fact.product for fact in desk.facts(ProductUpdated)]
    assert [product.removed for product in told][-1] is True
    assert (told[0].variants[0].price, told[0].categories, told[0].url) == (1250, ("Drinks",), tea["permalink"])


class Woo:
    """A WooCommerce shop that posts to its source."""

    def __init__(self, world: World, source: str) -> None:
        self.world = world
        self.path = f"/webhooks/woocommerce/{source}"

    async def post(self, topic: str, body: dict[str, Any], *, secret: str = SECRET) -> httpx.Response:
        """One signed webhook; the shop signs with the decoded secret."""
        raw = json.dumps(body).encode()
        digest = hmac.new(html.unescape(secret).encode(), raw, hashlib.sha256).digest()
        headers = {
            "x-wc-webhook-source": "https://shop.example/",
            "x-wc-webhook-topic": topic,
            "x-wc-webhook-delivery-id": "same for all",
            "x-wc-webhook-signature": base64.b64encode(digest).decode(),
        }
        return await self.world.post(self.path, content=raw, headers=headers)


@pytest.fixture
async def store(world: World, shop: Shop) -> Woo:
    """A source of the shop for WooCommerce."""
    body = {"store": shop.made.store, "platform": "woocommerce", "secret": SECRET}
    made = await world.post("/v1/sources", body, headers={**shop.server, "idempotency-key": "woo"})
    return Woo(world, made.json()["id"])


async def test_the_ping_is_answered_and_nothing_unsigned_is_stored(world: World, store: Woo) -> None:
    assert (await world.post(store.path, content=b"webhook_id=12")).status_code == 200
    assert (await world.post(store.path, content=b'{"id":1,"webhook_id=1":2}')).status_code == 401
    assert (await store.post("order.created", woo_order(), secret="other")).status_code == 401
    assert await world.rows("ingest", select(tables.delivery.c.id)) == []


async def test_a_purchase_its_edit_and_its_refund_by_webhook(world: World, store: Woo) -> None:
    at = world.now - timedelta(hours=3)
    order = woo_order(at)
    for _ in range(3):
        assert (await store.post("order.created", order)).status_code == 200
    edited = {**order, "date_modified_gmt": gmt(at + timedelta(hours=1)), "total": "59.50"}
    await store.post("order.updated", edited)
    back = {"date_modified_gmt": gmt(at + timedelta(hours=2)), "refunds": [{"id": 9, "total": "-9.50"}]}
    await store.post("order.updated", {**edited, **back})
    await world.settle()
    told = [fact for fact in await world.facts("ingest", OrderFact) if isinstance(fact, OrderFact)]
    assert [type(fact).__name__ for fact in told] == ["OrderPlaced", "OrderPaid", "OrderUpdated", "OrderRefunded"]
    assert (told[-1].order.total, told[-1].order.refunded) == (5950, 950)
    assert isinstance(told[2], OrderUpdated)
    verdicts = await world.rows("ingest", select(tables.delivery.c.verdict))
    assert verdicts == [("translated",)] * 3
    assert (await world.verify()).balanced
