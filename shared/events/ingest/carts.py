"""Facts about carts: each carries the whole cart at its revision."""

from datetime import datetime
from typing import ClassVar, Literal

import msgspec

from shared.events.base import Fact, Lane, fact
from shared.events.ingest.topic import TOPIC


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
