"""Carts: snapshots, steps in any order, and orders that end them."""

from datetime import timedelta
from typing import Any

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from shared.events.ingest import CartEmptied, CartEnded, CartUpdated, OrderPlaced
from tests.ingest.memory import NOON, Desk, words
from tests.ingest.shop import later, shopify_order

ITEM = {"id": 1, "product_id": 11, "title": "Tea", "quantity": 2, "price": "10.00"}


def checkout(cart: str = "c1", **given: object) -> dict[str, object]:
    return {
        "token": "k1",
        "cart_token": cart,
        "email": "ana@example.com",
        "updated_at": NOON.isoformat(),
        "line_items": [ITEM],
        "abandoned_checkout_url": "https://shop.example/recover/k1",
        **given,
    }


def test_a_cart_without_an_owner_is_untold_until_its_checkout_names_one() -> None:
    desk = Desk()
    desk.shopify("carts/create", {"token": "c1", "updated_at": NOON.isoformat(), "line_items": [ITEM]})
    assert desk.told == []
    desk.shopify("checkouts/create", checkout(updated_at=later(NOON, minutes=1)))
    (cart,) = [fact.cart for fact in desk.facts(CartUpdated)]
    assert (cart.value, cart.stage, cart.restore_url) == (2000, "checkout", "https://shop.example/recover/k1")


def test_steps_are_folded_into_a_whole_cart() -> None:
    desk = Desk()
    who: dict[str, Any] = {"userId": "7", "cart_id": "c9"}
    desk.track("Product Added", **who, product_id="11", price=10, quantity=2)
    desk.track("Product Added", at=NOON + timedelta(minutes=1), **who, product_id="12", price=5)
    desk.track("Product Removed", at=NOON + timedelta(minutes=2), **who, product_id="11", quantity=1)
    desk.track("Product Removed", at=NOON + timedelta(minutes=3), **who, product_id="12")
    carts = [fact.cart for fact in desk.facts(CartUpdated)]
    assert [cart.value for cart in carts] == [2000, 2500, 1500, 1000]
    assert [cart.revision for cart in carts] == [1, 2, 3, 4]
    desk.track("Product Removed", at=NOON + timedelta(minutes=4), **who, product_id="11")
    assert len(desk.facts(CartEmptied)) == 1


@given(st.permutations(range(5)), st.lists(st.integers(0, 4), max_size=3))
def test_steps_in_any_order_and_twice_make_the_same_cart(order: list[int], again: list[int]) -> None:
    def step(desk: Desk, index: int) -> None:
        name = "Product Removed" if index == 3 else "Product Added"
        body = {"product_id": "11" if index % 2 else "12", "price": 10, "quantity": index + 1, "cart_id": "c9"}
        message = {"type": "track", "event": name, "messageId": str(index), "userId": "7", "properties": body}
        moment = (NOON + timedelta(minutes=index)).isoformat()
        desk.take("segment", msgspec.json.encode({**message, "timestamp": moment}))

    straight, mixed = Desk(), Desk()
    for index in range(5):
        step(straight, index)
    for index in (*order, *again):
        step(mixed, index)
    (one,), (other,) = straight.desk.carts.values(), mixed.desk.carts.values()
    assert one.state == other.state


def test_an_order_that_names_its_cart_ends_that_cart_only() -> None:
    desk = Desk()
    desk.shopify("checkouts/create", checkout("c1"))
    desk.shopify("checkouts/create", checkout("c2", token="k2"))
    desk.shopify("orders/create", shopify_order(at=NOON + timedelta(minutes=5), cart_token="c1"))
    (ended,) = desk.facts(CartEnded)
    (placed,) = desk.facts(OrderPlaced)
    assert ended.cart.external_id == "c1"
    assert placed.order.cart == ended.cart.id
    assert ended.order == placed.order.id


def test_an_order_without_a_cart_ends_all_of_its_customer() -> None:
    desk = Desk()
    desk.shopify("checkouts/create", checkout("c1"))
    desk.shopify("checkouts/create", checkout("c2", token="k2"))
    desk.track("Product Added", userId="55", product_id="1", price=1)
    desk.shopify("orders/create", shopify_order(at=NOON + timedelta(minutes=5)))
    assert {fact.cart.external_id for fact in desk.facts(CartEnded)} == {"c1", "c2"}


def test_an_order_that_names_its_cart_ends_what_its_channel_could_not_name() -> None:
    desk = Desk()
    desk.shopify("checkouts/create", checkout("c1"))
    desk.track("Product Added", userId="77", product_id="1", price=1)
    desk.track("Product Added", userId="77", product_id="1", price=1, cart_id="s1")
    desk.shopify("orders/create", shopify_order(at=NOON + timedelta(minutes=5), cart_token="never-told"))
    assert {fact.cart.external_id for fact in desk.facts(CartEnded)} == {"s1", "visitor:77"}


@given(st.permutations(range(6)), st.sampled_from(["c1", "c2", "other", None]), st.sampled_from(["s1", "other", None]))
def test_which_carts_are_open_does_not_depend_on_what_was_heard_first(
    order: list[int], shop_names: str | None, tracker_names: str | None
) -> None:
    at = NOON + timedelta(minutes=5)
    product = {"product_id": "11", "price": 10, "quantity": 2}
    bought: dict[str, Any] = {"order_id": "1001", "total": 20, "products": [product]}
    named = {"cart_id": tracker_names} if tracker_names else {}

    def deliver(desk: Desk, index: int) -> None:
        match index:
            case 0 | 1:
                token = f"c{index + 1}"
                desk.shopify("checkouts/create", checkout(token, customer={"id": 77}))
            case 2:
                desk.shopify("checkouts/create", checkout("c3", customer={"id": 77}, updated_at=later(at, minutes=1)))
            case 3:
                desk.track("Product Added", userId="77", product_id="1", price=1, cart_id="s1")
            case 4:
                desk.shopify("orders/create", shopify_order(at=at, cart_token=shop_names))
            case _:
                desk.track("Order Completed", at=at, userId="77", **bought, **named)

    straight, mixed = Desk(), Desk()
    for index in range(6):
        deliver(straight, index)
    for index in order:
        deliver(mixed, index)
    assert _open(mixed) == _open(straight)


def _open(desk: Desk) -> set[str]:
    return {row.token for row in desk.desk.carts.values() if row.open}


def test_news_of_a_cart_that_comes_after_its_order_opens_nothing() -> None:
    desk = Desk()
    desk.shopify("orders/create", shopify_order(at=NOON + timedelta(minutes=5), cart_token="c1"))
    before = len(desk.told)
    desk.shopify("checkouts/update", checkout("c1"))
    desk.track("Product Added", userId="77", product_id="1", price=1)
    assert "cart.updated" not in words(desk.told[before:])


def test_a_cart_filled_after_the_order_is_a_new_cart() -> None:
    desk = Desk()
    desk.track("Product Added", userId="77", product_id="1", price=1)
    desk.shopify("orders/create", shopify_order(at=NOON + timedelta(minutes=5)))
    desk.track("Product Added", at=NOON + timedelta(minutes=9), userId="77", product_id="2", price=1)
    first, second = [fact.cart for fact in desk.facts(CartUpdated)]
    assert first.id != second.id
    assert (second.revision, [line.product for line in second.lines]) == (1, ["2"])


def test_a_completed_checkout_is_over() -> None:
    desk = Desk()
    desk.shopify("checkouts/create", checkout())
    desk.shopify("checkouts/update", checkout(updated_at=later(NOON, minutes=2), completed_at=later(NOON, minutes=2)))
    assert words(desk.facts(CartUpdated, CartEnded)) == ["cart.updated", "cart.ended"]
