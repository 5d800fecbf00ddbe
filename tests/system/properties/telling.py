"""Deliveries as small values: what a store, its platform or a visitor's browser tells, and how it is posted."""

from collections.abc import Awaitable, Callable
from datetime import datetime, timedelta
from typing import Any, Literal, NamedTuple

import httpx

from tests.ingest.shop import Shop

Via = Literal["native", "segment", "shopify"]
Named = Literal["both", "known", "mail", "browser", "other"]
What = Literal["order", "pending", "refund", "cancel", "cart", "added", "identify", "yes", "no"]


_GOES_BY: dict[Named, tuple[str, ...]] = {
    "both": ("id", "email", "anonymous_id"),
    "known": ("id",),
    "mail": ("email",),
    "browser": ("anonymous_id",),
}


class Told(NamedTuple):
    """One delivery, `minute` minutes after the story began.

    It is about the person's order or cart number `about`; `amount` is in minor units. An order was placed at minute
    `placed` and names the person's cart number `of` (0: none); a refund is number `of` of its order. `by` says by
    which names the person goes in it. Equal deliveries are one that is sent twice; another `copy` tells it anew.
    """

    via: Via
    what: What
    minute: int = 0
    about: int = 1
    amount: int = 0
    placed: int = 0
    of: int = 0
    by: Named = "both"
    copy: int = 0

    def __repr__(self) -> str:
        """What differs from the usual, so that a falsifying example can be read."""
        usual = self._field_defaults
        said = [f"{name}={value!r}" for name, value in self._asdict().items() if usual.get(name, self) != value]
        return f"Told({', '.join(said)})"


class Person(NamedTuple):
    """Somebody new: all their numbers begin at `base`."""

    base: int

    @property
    def id(self) -> str:
        """The store's own id of them."""
        return str(self.base)

    def names(self, by: Named) -> dict[str, str]:
        """The names they go by in a delivery; `other` is an id and an address that only a command joins to the rest."""
        if by == "other":
            return {"id": str(self.base + 500), "email": f"q{self.base}@example.com"}
        every = {"id": self.id, "email": f"p{self.base}@example.com", "anonymous_id": f"b{self.base}"}
        return {name: value for name, value in every.items() if name in _GOES_BY[by]}

    def delivery(self, told: Told) -> str:
        """The id of a delivery: the same for the same one."""
        return f"{self.base}:" + ":".join(map(str, told))


async def tell(shop: Shop, person: Person, start: datetime, told: Told) -> None:
    """Post one delivery, which must be taken."""
    answer = await _POSTS[told.via, told.what](shop, person, start + timedelta(minutes=told.minute), told)
    assert answer.status_code == 200, answer.text


def decimal(minor: int) -> str:
    """Minor units as a platform writes them."""
    return f"{minor // 100}.{minor % 100:02}"


def _native(kind: str, data: Callable[[Person, datetime, Told], dict[str, Any]]) -> Any:
    async def post(shop: Shop, person: Person, at: datetime, told: Told) -> httpx.Response:
        return await shop.native(kind, data(person, at, told), id=person.delivery(told), at=at)

    return post


def _segment(message: Callable[[Person, Told], dict[str, Any]]) -> Any:
    async def post(shop: Shop, person: Person, at: datetime, told: Told) -> httpx.Response:
        names = person.names(told.by)
        head = {"userId": names.get("id"), "anonymousId": names.get("anonymous_id")}
        given = {name: value for name, value in head.items() if value} | message(person, told)
        traits = {"email": names["email"]} if "email" in names else {}
        where = {"traits": traits} if told.what == "identify" else {"context": {"traits": traits}}
        return await shop.segment({"messageId": person.delivery(told), "timestamp": at.isoformat(), **where, **given})

    return post


def _shopify(topic: str, body: Callable[[Person, datetime, Told], dict[str, Any]]) -> Any:
    async def post(shop: Shop, person: Person, at: datetime, told: Told) -> httpx.Response:
        return await shop.shopify(topic, body(person, at, told), delivery=person.delivery(told))

    return post


def _track(event: str, properties: Callable[[Person, Told], dict[str, Any]]) -> Any:
    return _segment(lambda person, told: {"type": "track", "event": event, "properties": properties(person, told)})


def _order_id(person: Person, told: Told) -> int:
    return person.base + told.about


def _cart_id(person: Person, number: int) -> str:
    return f"cart-{person.base + number}"


def _placed(at: datetime, told: Told) -> str:
    return (at + timedelta(minutes=told.placed - told.minute)).isoformat()


def _bought(person: Person, at: datetime, told: Told) -> dict[str, Any]:
    """An order of two lines, one of them with tax on top."""
    cart = {"cart_id": _cart_id(person, told.of)} if told.of else {}
    third = told.amount // 3
    lines: list[dict[str, Any]] = [
        {"id": "1", "product": "tea", "price": third, "tax": third // 7},
        {"id": "2", "product": "pot", "price": told.amount - third},
    ]
    head = {"order_id": _order_id(person, told), "placed_at": _placed(at, told)}
    return {**head, "customer": person.names(told.by), "lines": lines, **cart}


def _tracked(person: Person, told: Told) -> dict[str, Any]:
    cart = {"cart_id": _cart_id(person, told.of)} if told.of else {}
    products = [{"product_id": "tea", "price": decimal(told.amount), "quantity": 1}]
    return {"order_id": _order_id(person, told), "total": decimal(told.amount), "products": products, **cart}


def _platform(status: str, *milestones: str) -> Callable[[Person, datetime, Told], dict[str, Any]]:
    def body(person: Person, at: datetime, told: Told) -> dict[str, Any]:
        stamp, placed, price = at.isoformat(), _placed(at, told), decimal(told.amount)
        return {
            "id": _order_id(person, told),
            "name": f"#{told.about}",
            **_buyer(person, told),
            "created_at": placed,
            "processed_at": placed,
            "updated_at": stamp,
            "currency": "EUR",
            "financial_status": status,
            "total_price": price,
            "taxes_included": True,
            "cart_token": _cart_id(person, told.of) if told.of else None,
            "line_items": [{"id": 1, "product_id": 11, "title": "Tea", "quantity": 1, "price": price}],
            **dict.fromkeys(milestones, stamp),
        }

    return body


def _buyer(person: Person, told: Told) -> dict[str, Any]:
    names = person.names(told.by)
    who = {"id": int(names["id"])} if "id" in names else {}
    return {"customer": who | {"email": names["email"]} if "email" in names else who, "email": names.get("email")}


def _given_back(person: Person, at: datetime, told: Told) -> dict[str, Any]:
    moved = [{"amount": decimal(told.amount), "kind": "refund", "status": "success"}]
    refund = 10 * _order_id(person, told) + told.of
    return {"id": refund, "order_id": _order_id(person, told), "created_at": at.isoformat(), "transactions": moved}


def _refunded(person: Person, told: Told) -> dict[str, Any]:
    return {"order_id": _order_id(person, told), "refund_id": 10 * _order_id(person, told) + told.of}


def _cart(person: Person, at: datetime, told: Told) -> dict[str, Any]:
    lines = [{"product": "tea", "price": told.amount}] if told.amount else []
    return {"cart_id": _cart_id(person, told.about), "customer": person.names(told.by), "lines": lines}


def _checkout(person: Person, at: datetime, told: Told) -> dict[str, Any]:
    items = [{"product_id": "tea", "quantity": 1, "price": decimal(told.amount)}] if told.amount else []
    head = {"token": _cart_id(person, told.about), "updated_at": at.isoformat(), "currency": "EUR"}
    return {**head, **_buyer(person, told), "line_items": items}


def _product(person: Person, told: Told) -> dict[str, Any]:
    return {"cart_id": _cart_id(person, told.about), "product_id": "tea", "price": decimal(told.amount), "quantity": 1}


def _cancelled(person: Person, at: datetime, told: Told) -> dict[str, Any]:
    return {"order_id": _order_id(person, told), "customer": person.names(told.by), "cancelled_at": at.isoformat()}


def _word(person: Person, told: Told) -> dict[str, Any]:
    return {"customer": person.names(told.by), "channel": "email", "granted": told.what == "yes"}


_POSTS: dict[tuple[str, str], Callable[[Shop, Person, datetime, Told], Awaitable[httpx.Response]]] = {
    ("native", "order"): _native("purchase", _bought),
    ("native", "pending"): _native("purchase", lambda person, at, told: {**_bought(person, at, told), "paid": False}),
    ("native", "refund"): _native("refund", lambda who, _, told: {**_refunded(who, told), "amount": told.amount}),
    ("native", "cancel"): _native("purchase", _cancelled),
    ("native", "cart"): _native("cart", _cart),
    ("native", "identify"): _native("customer", lambda person, _, told: {"customer": person.names(told.by)}),
    ("native", "yes"): _native("consent", lambda person, _, told: _word(person, told)),
    ("native", "no"): _native("consent", lambda person, _, told: _word(person, told)),
    ("segment", "order"): _track("Order Completed", _tracked),
    ("segment", "refund"): _track(
        "Order Refunded", lambda person, told: {**_refunded(person, told), "total": decimal(told.amount)}
    ),
    ("segment", "cancel"): _track("Order Cancelled", lambda person, told: {"order_id": _order_id(person, told)}),
    ("segment", "added"): _track("Product Added", _product),
    ("segment", "identify"): _segment(lambda _person, _told: {"type": "identify"}),
    ("shopify", "order"): _shopify("orders/paid", _platform("paid")),
    ("shopify", "pending"): _shopify("orders/create", _platform("pending")),
    ("shopify", "cancel"): _shopify("orders/cancelled", _platform("paid", "cancelled_at")),
    ("shopify", "refund"): _shopify("refunds/create", _given_back),
    ("shopify", "cart"): _shopify("checkouts/update", _checkout),
}
