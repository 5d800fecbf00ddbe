"""Facts about products: each carries the whole product at its revision."""

from datetime import datetime
from typing import ClassVar

import msgspec

from shared.events.base import Fact, fact
from shared.events.ingest.topic import TOPIC


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One form a product is sold in; `price` in minor units; `available` None where the store does not say."""

    id: str
    sku: str = ""
    title: str = ""
    price: int = 0
    available: bool | None = None


class Product(msgspec.Struct, frozen=True, kw_only=True):
    """A whole product at one revision; `removed` once the store does not list it any more."""

    id: str
    external_id: str
    revision: int
    title: str = ""
    url: str = ""
    image: str = ""
    categories: tuple[str, ...] = ()
    currency: str = ""
    exponent: int = 2
    variants: tuple[Variant, ...] = ()
    available: bool = True
    removed: bool = False
    updated_at: datetime


@fact
class ProductUpdated(Fact, frozen=True, kw_only=True):
    """A product was made, changed or removed: `product` is the whole of it."""

    type: ClassVar[str] = "product.updated"
    topic: ClassVar[str] = TOPIC
    product: Product

    @property
    def aggregate(self) -> str:
        """The product at its revision."""
        return f"{self.product.id}:{self.product.revision}"
