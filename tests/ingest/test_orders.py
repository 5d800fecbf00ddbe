"""Orders: any order of news ends in the same order, and refunds in parts are one refund."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.ingest.money import allocate
from shared.events.ingest import Order, OrderPaid, OrderPlaced, OrderRefunded, OrderStatus, OrderUpdated
from tests.ingest.memory import NOON, Desk, words
from tests.ingest.shop import later, shopify_order

REFUND = {
    "id": 900,
    "order_id": 5_000_000_001_001,
    "created_at": later(NOON, days=2),
    "refund_line_items": [{"line_item_id": 1, "quantity": 1}],
    "transactions": [{"amount": "10.00", "kind": "refund", "status": "success"}],
}


def lifetime() -> list[tuple[str, dict[str, Any]]]:
    """The webhooks of an order that is placed, paid, sent, edited and partly refunded."""
    pending = shopify_order(at=NOON, financial_status="pending")
    paid = shopify_order(at=NOON, updated_at=later(NOON, hours=1))
    sent = shopify_order(
        at=NOON, updated_at=later(NOON, days=1), fulfillment_status="fulfilled", discount_codes=[{"code": "TEA"}]
    )
    refunded = shopify_order(
        at=NOON,
        updated_at=later(NOON, days=2),
        fulfillment_status="fulfilled",
        financial_status="partially_refunded",
        refunds=[REFUND],
    )
    return [
        ("orders/create", pending),
        ("orders/paid", paid),
        ("orders/fulfilled", sent),
        ("refunds/create", REFUND),
        ("orders/updated", refunded),
    ]


def settled(order: Order) -> Order:
    """The order without what depends on when we heard of it."""
    return msgspec.structs.replace(order, revision=0, first_recorded=NOON)


def told_in_order() -> Order:
    desk = Desk()
    for topic, body in lifetime():
        desk.shopify(topic, body)
    (order,) = desk.orders()
    return order


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=4))
def test_any_permutation_and_duplication_ends_in_the_same_order(order: list[int], again: list[int]) -> None:
    desk = Desk()
    for index in (*order, *again):
        desk.shopify(*lifetime()[index])
    (found,) = desk.orders()
    assert settled(found) == settled(told_in_order())
    assert found.status is OrderStatus.PARTLY_REFUNDED
    assert found.refunded == 1000
    assert [line.refunded for line in found.lines] == [1000, 0]


@given(st.permutations(range(5)))
def test_each_revision_is_told_once_and_in_order(order: list[int]) -> None:
    desk = Desk()
    for index in (*order, *order):
        desk.shopify(*lifetime()[index])
    revisions = [fact.order.revision for fact in desk.told if hasattr(fact, "order")]
    assert revisions == list(range(1, len(revisions) + 1))
    assert len(desk.facts(OrderPlaced)) == len(desk.facts(OrderPaid)) == 1


def test_an_update_before_the_create_builds_the_order_and_the_create_fills_gaps_only() -> None:
    desk = Desk()
    desk.shopify(
        "orders/updated", shopify_order(at=NOON, updated_at=later(NOON, hours=3), name=None, total_price="45.00")
    )
    assert desk.shopify("orders/create", shopify_order(at=NOON)).state == "translated"
    (order,) = desk.orders()
    assert (order.total, order.number) == (4500, "#1001")


def test_a_refund_before_its_order_waits_and_is_applied_once() -> None:
    desk = Desk()
    assert desk.shopify("refunds/create", REFUND).state == "waiting"
    assert desk.told == []
    desk.shopify("orders/create", shopify_order(at=NOON))
    assert words(desk.facts(OrderPlaced, OrderPaid, OrderRefunded)) == ["order.placed", "order.paid", "order.refunded"]
    assert desk.desk.settled == [(1, "translated")]
    desk.shopify("refunds/create", REFUND)
    assert desk.orders()[0].refunded == 1000


def test_orders_of_buyers_without_any_name_each_belong_to_somebody_new() -> None:
    desk, lines = Desk(), [{"product": "tea", "price": 500}]
    nameless = {"customer": None, "email": None, "phone": None}
    assert desk.native("refund", {"order_id": "1", "refund_id": "r", "amount": 100}).state == "waiting"
    desk.native("purchase", {"order_id": "1", "lines": lines})
    desk.native("purchase", {"order_id": "2", "lines": lines, "customer": {}})
    desk.shopify("orders/create", shopify_order(3, at=NOON, **nameless))
    desk.shopify("orders/updated", shopify_order(3, at=NOON, updated_at=later(NOON, days=1), **nameless))
    paid = [event for event in desk.desk.facts.rows if isinstance(event.fact, OrderPaid)]
    owners = {event.fact.order.external_id: event.customer for event in paid}
    assert len(set(owners.values())) == 3
    assert all(owners.values())
    assert {event.customer for event in desk.desk.facts.rows} == set(owners.values())


def test_one_order_seen_through_several_channels_is_one_order() -> None:
    desk = Desk()
    number = str(shopify_order(at=NOON)["id"])
    desk.track(
        "Order Completed",
        userId="77",
        order_id=number,
        total=50,
        products=[{"product_id": "11", "price": 25, "quantity": 2}],
    )
    desk.shopify("orders/create", shopify_order(at=NOON))
    desk.native("purchase", {"order_id": number, "customer": {"id": "77"}, "lines": [{"product": "x", "price": 9}]})
    desk.track("Order Completed", anonymousId="b", order_id=number, total=50, trust="browser")
    (order,) = desk.orders()
    assert len(desk.facts(OrderPlaced)) == 1
    assert [line.product for line in order.lines] == ["11", "12"]
    assert len(desk.owners()) == 1


def test_an_order_edited_to_another_customer_moves_to_them() -> None:
    desk = Desk()
    desk.shopify("orders/create", shopify_order(at=NOON))
    other = {"id": 78, "email": "bea@example.com"}
    desk.shopify(
        "orders/updated",
        shopify_order(at=NOON, updated_at=later(NOON, hours=1), customer=other, email="bea@example.com"),
    )
    moved = desk.desk.facts.rows[-1]
    last = [event for event in desk.desk.facts.rows if isinstance(event.fact, OrderUpdated)][-1]
    assert last.fact.change == "owner"
    assert last.customer != desk.desk.facts.rows[0].customer
    assert moved.customer == last.customer


AMOUNTS = st.lists(st.integers(1, 5000), min_size=1, max_size=5)


@given(AMOUNTS, st.lists(st.integers(1, 4), min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_a_refund_in_parts_is_the_refund_at_once(prices: list[int], cuts: list[int], chance: Any) -> None:
    lines = [{"id": str(number), "price": price, "tax": price // 5} for number, price in enumerate(prices, start=1)]
    purchase = {"order_id": "1", "customer": {"id": "7"}, "lines": lines, "shipping": 399, "discount": min(prices) // 2}
    total = sum(price + price // 5 for price in prices) + 399 - min(prices) // 2
    amount = chance.randint(1, total)
    parts = allocate(amount, cuts)
    at_once, in_parts = Desk(), Desk()
    for desk in (at_once, in_parts):
        desk.native("purchase", purchase)
    at_once.native("refund", {"order_id": "1", "amount": amount})
    for part in parts:
        in_parts.native("refund", {"order_id": "1", "amount": part})
    (one,), (other,) = at_once.orders(), in_parts.orders()
    assert one.total == total
    assert (one.lines, one.refunded, one.status) == (other.lines, other.refunded, other.status)
    assert all(0 <= line.refunded <= line.net for line in one.lines)


@given(AMOUNTS)
def test_a_refund_of_everything_leaves_nothing_whatever_way_it_is_said(prices: list[int]) -> None:
    lines = [{"id": str(number), "price": price, "quantity": 3} for number, price in enumerate(prices, start=1)]
    for refund in (
        {},
        {"amount": 3 * sum(prices)},
        {"lines": [{"id": line["id"], "quantity": 3} for line in lines]},
        {"lines": [{"id": str(number), "amount": 3 * price} for number, price in enumerate(prices, start=1)]},
    ):
        desk = Desk()
        desk.native("purchase", {"order_id": "1", "customer": {"id": "7"}, "lines": lines})
        desk.native("refund", {"order_id": "1", **refund})
        (order,) = desk.orders()
        assert order.status is OrderStatus.REFUNDED
        assert [line.net_kept for line in order.lines] == [0] * len(prices)
        assert order.refunded == order.total


@given(st.integers(-(10**12), 10**12), st.lists(st.integers(0, 10**9), min_size=1, max_size=20))
def test_allocation_loses_nothing(total: int, weights: list[int]) -> None:
    parts = allocate(total, weights)
    assert sum(parts) == total
    whole = sum(weights)
    if whole:
        assert all(abs(part - total * weight / whole) <= 1.001 for part, weight in zip(parts, weights, strict=True))


@pytest.mark.parametrize(
    ("currency", "price", "minor", "exponent"),
    [("JPY", "1500", 1500, 0), ("kwd", "1.234", 1234, 3), ("EUR", "0.285", 29, 2)],
)
def test_minor_units_follow_the_currency(currency: str, price: str, minor: int, exponent: int) -> None:
    desk = Desk()
    lines = [{"id": 1, "quantity": 1, "price": price}]
    desk.shopify("orders/create", shopify_order(at=NOON, currency=currency, line_items=lines, total_price=None))
    (order,) = desk.orders()
    assert (order.total, order.exponent, order.currency) == (minor, exponent, currency.upper())


def test_an_unknown_currency_is_quarantined() -> None:
    desk = Desk()
    outcome = desk.shopify("orders/create", shopify_order(at=NOON, currency="XXZ"))
    assert (outcome.state, outcome.reason) == ("quarantined", "unknown_currency")
