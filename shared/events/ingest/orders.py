"""Facts about orders: each carries the whole canonical order at its revision."""

from datetime import datetime
from enum import StrEnum
from typing import ClassVar, Literal

import msgspec

from shared.events.base import Fact, Lane, fact
from shared.events.ingest.topic import TOPIC


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
