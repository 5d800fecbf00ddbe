"""Facts of ingest: orders, carts, products, customers and their consent, as the stores tell them."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

import msgspec

from shared.events.base import Fact, Lane, fact

TOPIC = "ingest"


class Line(msgspec.Struct, frozen=True, kw_only=True):
    """One line of an order; all amounts are integer minor units of the order's currency.

    `net` is what was paid for the goods: gross less discount, less tax where the price includes it.
    `refunded` is the part of `net` given back.
    """

    id: str
    kind: Literal["product", "gift_card", "shipping", "tip", "fee"] = "product"
    product: str = ""
    variant: str = ""
    sku: str = ""
    title: str = ""
    categories: tuple[str, ...] = ()
    quantity: int = 1
    gross: int = 0
    discount: int = 0
    tax: int = 0
    tax_included: bool = False
    net: int = 0
    refunded_quantity: int = 0
    refunded: int = 0

    @property
    def net_kept(self) -> int:
        """Net amount that was not given back, minor units."""
        return self.net - self.refunded


class Tender(msgspec.Struct, frozen=True, kw_only=True):
    """What part of an order was paid with what, minor units."""

    kind: Literal["cash", "points", "gift_card"]
    amount: int


class Money(msgspec.Struct, frozen=True, kw_only=True):
    """An amount in integer minor units with its ISO 4217 currency."""

    amount: int
    currency: str


class OrderStatus(StrEnum):
    """How far an order has come."""

    PLACED = "placed"
    PAYMENT_PENDING = "payment_pending"
    PAID = "paid"
    FULFILLED = "fulfilled"
    DELIVERED = "delivered"
    CANCELLED = "cancelled"
    REFUNDED = "refunded"
    PARTLY_REFUNDED = "partly_refunded"
    DISPUTED = "disputed"
    DISPUTE_WON = "dispute_won"


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """A whole order at one revision.

    `exponent` is the number of minor digits of `currency`; `lane` and `first_recorded` say how and when its first
    revision came in and never change; `paid_at` None means that it was never paid; `cart` is our cart id or ''.
    """

    id: str
    external_id: str
    number: str = ""
    revision: int
    status: OrderStatus
    currency: str
    exponent: int = 2
    lines: tuple[Line, ...] = ()
    tenders: tuple[Tender, ...] = ()
    total: int = 0
    refunded: int = 0
    presentment: Money | None = None
    rate: str = "1"
    coupons: tuple[str, ...] = ()
    channel: str = ""
    test: bool = False
    cart: str = ""
    cart_token: str = ""
    checkout_token: str = ""
    placed_at: datetime
    paid_at: datetime | None = None
    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    lane: Lane = Lane.LIVE
    first_recorded: datetime


class OrderFact(Fact, frozen=True, kw_only=True):
    """A new revision of an order: `order` is the whole of it, `change` says in one word what was new."""

    topic: ClassVar[str] = TOPIC
    order: Order
    change: str = ""

    @property
    def aggregate(self) -> str:
        """The order at its revision."""
        return f"{self.order.id}:{self.order.revision}"


@fact
class OrderPlaced(OrderFact, frozen=True, kw_only=True):
    """An order was placed."""

    type: ClassVar[str] = "order.placed"


@fact
class OrderPaid(OrderFact, frozen=True, kw_only=True):
    """An order was paid in full."""

    type: ClassVar[str] = "order.paid"


@fact
class OrderUpdated(OrderFact, frozen=True, kw_only=True):
    """An order was edited, or corrected by us, or now belongs to another customer (`change`)."""

    type: ClassVar[str] = "order.updated"


@fact
class OrderFulfilled(OrderFact, frozen=True, kw_only=True):
    """An order was sent."""

    type: ClassVar[str] = "order.fulfilled"


@fact
class OrderDelivered(OrderFact, frozen=True, kw_only=True):
    """An order reached its customer."""

    type: ClassVar[str] = "order.delivered"


@fact
class OrderCancelled(OrderFact, frozen=True, kw_only=True):
    """An order was cancelled."""

    type: ClassVar[str] = "order.cancelled"


@fact
class OrderRefunded(OrderFact, frozen=True, kw_only=True):
    """Some or all of an order was given back; the lines say how much of each in all."""

    type: ClassVar[str] = "order.refunded"


@fact
class OrderDisputed(OrderFact, frozen=True, kw_only=True):
    """The payment of an order was charged back."""

    type: ClassVar[str] = "order.disputed"


@fact
class OrderDisputeWon(OrderFact, frozen=True, kw_only=True):
    """A charge-back was decided for the store."""

    type: ClassVar[str] = "order.dispute_won"


ORDER_FACTS: tuple[type[OrderFact], ...] = (
    OrderPlaced,
    OrderPaid,
    OrderUpdated,
    OrderFulfilled,
    OrderDelivered,
    OrderCancelled,
    OrderRefunded,
    OrderDisputed,
    OrderDisputeWon,
)


class CartLine(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a cart; `price` is per piece, minor units."""

    product: str
    variant: str = ""
    sku: str = ""
    title: str = ""
    quantity: int = 1
    price: int = 0
    url: str = ""
    image: str = ""


class Cart(msgspec.Struct, frozen=True, kw_only=True):
    """A whole cart at one revision; `value` is the sum of its lines, minor units."""

    id: str
    revision: int
    currency: str
    exponent: int = 2
    lines: tuple[CartLine, ...] = ()
    value: int = 0
    restore_url: str = ""
    external_id: str = ""
    stage: Literal["cart", "checkout"] = "cart"
    changed_at: datetime
    lane: Lane = Lane.LIVE


class CartFact(Fact, frozen=True, kw_only=True):
    """A new revision of a cart, the whole of it."""

    topic: ClassVar[str] = TOPIC
    cart: Cart

    @property
    def aggregate(self) -> str:
        """The cart at its revision."""
        return f"{self.cart.id}:{self.cart.revision}"


@fact
class CartUpdated(CartFact, frozen=True, kw_only=True):
    """A cart was filled or changed."""

    type: ClassVar[str] = "cart.updated"


@fact
class CartEmptied(CartFact, frozen=True, kw_only=True):
    """The last line of a cart was taken out."""

    type: ClassVar[str] = "cart.emptied"


@fact
class CartEnded(CartFact, frozen=True, kw_only=True):
    """A cart ended because its customer placed an order that ends it."""

    type: ClassVar[str] = "cart.ended"
    order: str = ""


@fact
class ProductViewed(Fact, frozen=True, kw_only=True):
    """A customer looked at a product."""

    type: ClassVar[str] = "product.viewed"
    topic: ClassVar[str] = TOPIC
    product: str
    title: str = ""
    categories: tuple[str, ...] = ()
    url: str = ""


@fact
class BehaviourRecorded(Fact, frozen=True, kw_only=True):
    """A customer did something else worth telling: a search, a page, a complaint, an event of the shop's own."""

    type: ClassVar[str] = "behaviour.recorded"
    topic: ClassVar[str] = TOPIC
    name: str
    properties: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)


@fact
class ProfileUpdated(Fact, frozen=True, kw_only=True):
    """The whole profile of a customer as known now: personal data; kept out of the archive."""

    type: ClassVar[str] = "profile.updated"
    archived: ClassVar[bool] = False
    topic: ClassVar[str] = TOPIC
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    locale: str = ""
    zone: str = ""
    country: str = ""
    birthday: str = ""
    updated_at: datetime


@fact
class ConsentChanged(Fact, frozen=True, kw_only=True):
    """A customer gave or withdrew consent for a channel and purpose at `at`; `source` and `wording` are its proof."""

    type: ClassVar[str] = "consent.changed"
    topic: ClassVar[str] = TOPIC
    channel: str
    purpose: str = "marketing"
    granted: bool
    at: datetime
    source: str = ""
    wording: str = ""


@fact
class CustomerMerged(Fact, frozen=True, kw_only=True):
    """Two customers turned out to be one: `loser` is from now on the event's customer."""

    type: ClassVar[str] = "customer.merged"
    topic: ClassVar[str] = TOPIC
    loser: str


@fact
class CustomerSplit(Fact, frozen=True, kw_only=True):
    """A merge was undone: what goes back belongs to the new customer `to`; its orders follow as next revisions."""

    type: ClassVar[str] = "customer.split"
    topic: ClassVar[str] = TOPIC
    to: str
    orders: tuple[str, ...] = ()


@fact
class CustomerErased(Fact, frozen=True, kw_only=True):
    """A customer asked to be forgotten at `at`; everything personal goes, everywhere."""

    type: ClassVar[str] = "customer.erased"
    topic: ClassVar[str] = TOPIC
    at: datetime
