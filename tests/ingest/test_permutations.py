"""One customer seen through every channel: whatever order the deliveries come in, the same orders are left."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.events.ingest import Order
from tests.ingest.memory import NOON, Desk
from tests.ingest.shop import later, shopify_order

NUMBER = str(shopify_order(at=NOON)["id"])
BOUGHT: dict[str, Any] = {
    "order_id": NUMBER,
    "total": 50,
    "products": [{"product_id": "11", "price": 25, "quantity": 2}],
}
TOLD: dict[str, Any] = {"order_id": NUMBER, "customer": {"id": "77"}, "lines": [{"product": "x", "price": 9}]}
GIVEN_BACK = {
    "id": 901,
    "order_id": int(NUMBER),
    "created_at": later(NOON, days=3),
    "transactions": [{"amount": "30.00", "kind": "refund", "status": "success"}],
}
DELIVERIES: tuple[Callable[[Desk], Any], ...] = (
    lambda desk: desk.track("Order Completed", userId="77", anonymousId="b1", **BOUGHT),
    lambda desk: desk.track("Order Refunded", at=NOON + timedelta(days=4), userId="77", order_id=NUMBER, total=50),
    lambda desk: desk.native("purchase", {**TOLD, "delivered_at": later(NOON, days=2)}),
    lambda desk: desk.native("purchase", {"order_id": "N-2", "customer": {"email": "ana@example.com"}, **_lines(700)}),
    lambda desk: desk.native("refund", {"order_id": "N-2", "refund_id": "r1", "amount": 200}),
    lambda desk: desk.native("refund", {"order_id": "N-2", "refund_id": "r2", "amount": 300}),
    lambda desk: desk.shopify("orders/create", shopify_order(at=NOON, financial_status="pending", cart_token="c1")),
    lambda desk: desk.shopify("orders/paid", shopify_order(at=NOON, updated_at=later(NOON, hours=1))),
    lambda desk: desk.shopify("refunds/create", GIVEN_BACK),
    lambda desk: desk.shopify(
        "orders/cancelled",
        shopify_order(at=NOON, updated_at=later(NOON, days=5), cancelled_at=later(NOON, days=5), refunds=[GIVEN_BACK]),
    ),
)


def _lines(price: int) -> dict[str, Any]:
    return {"lines": [{"product": "a", "price": price, "tax": 70}, {"product": "b", "price": 2 * price}]}


def after(order: list[int]) -> Desk:
    desk = Desk()
    for index in order:
        DELIVERIES[index](desk)
    return desk


def left(desk: Desk) -> list[Order]:
    """The orders, without what depends on when we heard of them."""
    return [msgspec.structs.replace(found, revision=0, first_recorded=NOON) for found in desk.orders()]


@given(st.permutations(range(len(DELIVERIES))), st.lists(st.integers(0, len(DELIVERIES) - 1), max_size=5))
def test_any_permutation_and_duplication_of_all_channels_leaves_the_same_orders(
    order: list[int], again: list[int]
) -> None:
    desk = after([*order, *again])
    assert left(desk) == left(after(list(range(len(DELIVERIES)))))
    assert len(desk.owners()) == 1


@given(st.lists(st.integers(0, len(DELIVERIES) - 1), min_size=1, max_size=14))
def test_refunds_never_exceed_what_was_paid(order: list[int]) -> None:
    for found in left(after(order)):
        assert 0 <= found.refunded <= found.total
        assert all(0 <= line.refunded <= line.net for line in found.lines)
        assert all(0 <= line.refunded_quantity <= line.quantity for line in found.lines)
