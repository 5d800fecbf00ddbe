"""Ingest's tables."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text, text

from services.ingest.carts import CartState
from services.ingest.claims import Key
from services.ingest.orders import OrderState
from services.ingest.products import ProductState
from services.ingest.records import ConsentHeld, Told
from shared.db import Document, Instant, Uid
from shared.events import Lane
from shared.events.ingest import Product
from shared.tables import SEQ, attach


class Head(msgspec.Struct, frozen=True, gc=False):
    """What all deliveries of one request share: the connector or dialect, its trust, trace, and what accept noted."""

    kind: str
    trust: str
    trace: str
    meta: dict[str, str]


metadata = MetaData()
kernel = attach(metadata)

delivery = Table(
    "delivery",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("id", Uid(), nullable=False),
    Column("account", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("head", Document(Head), nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Index("delivery_id", "id", unique=True),
    Index("delivery_source", "source", "seq"),
    Index(
        "delivery_customer",
        "account",
        "customer",
        postgresql_where=text("customer <> ''"),
        sqlite_where=text("customer <> ''"),
    ),
    Index(
        "delivery_untaken",
        "lane",
        "account",
        "seq",
        postgresql_where=text("verdict = ''"),
        sqlite_where=text("verdict = ''"),
    ),
    sqlite_autoincrement=True,
)


customer = Table(
    "customer",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("recorded", Instant(), nullable=False),
    Column("merged_into", Text, nullable=False),
    Column("erased_at", Instant()),
    Column("verified", Boolean, nullable=False),
    Column("keys", Document(tuple[Key, ...]), nullable=False),
    Column("profile", Document(dict[str, Told]), nullable=False),
    Column("consents", Document(dict[str, ConsentHeld]), nullable=False),
    Column("carts_ended", Document(dict[str, datetime]), nullable=False),
    Index("customer_merged", "account", "merged_into"),
)

identity_key = Table(
    "identity_key",
    metadata,
    Column("account", Text, primary_key=True),
    Column("kind", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("value", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("origin", Text, nullable=False),
    Column("at", Instant(), nullable=False),
    Column("trust", Text, nullable=False),
)

customer_order = Table(
    "customer_order",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("lane", Text, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("placed_at", Instant()),
    Column("cart", Text, nullable=False),
    Column("state", Document(OrderState), nullable=False),
    Index("customer_order_customer", "account", "customer"),
    Index("customer_order_recorded", "account", "recorded", "id"),
)

cart = Table(
    "cart",
    metadata,
    Column("account", Text, primary_key=True),
    Column("store", Text, primary_key=True),
    Column("token", Text, primary_key=True),
    Column("id", Text, nullable=False),
    Column("generation", BigInteger, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("customer", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("changed_at", Instant()),
    Column("open", Boolean, nullable=False),
    Column("state", Document(CartState), nullable=False),
    Index("cart_id", "account", "id"),
    Index("cart_customer", "account", "customer", "open"),
)

product = Table(
    "product",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("external_id", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("product", Document(Product), nullable=False),
    Column("state", Document(ProductState), nullable=False),
    Index("product_recorded", "account", "recorded", "id"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("account", Text, primary_key=True),
    Column("digest", LargeBinary, primary_key=True),
    Column("at", Instant(), nullable=False),
)

source = Table(
    "source",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("uninstalled_at", Instant()),
    Column("redacted_at", Instant()),
    Index("source_id", "id", unique=True),
)

source_secret = Table(
    "source_secret",
    metadata,
    Column("account", Text, primary_key=True),
    Column("source", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("sealed", LargeBinary, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("active", Boolean, nullable=False),
)

account_secret = Table(
    "account_secret",
    metadata,
    Column("account", Text, primary_key=True),
    Column("signing_key", Text, nullable=False),
    Column("sealed", LargeBinary, nullable=False),
    Column("hash_key", LargeBinary, nullable=False),
)


class Delivery(msgspec.Struct, frozen=True, gc=False):
    """One thing a source told us, as it came; `verdict` '' until intake has taken it.

    `id` is made of the source and what tells its deliveries apart, so that the same delivery is stored once.
    """

    seq: int
    id: UUID
    account: str
    source: str
    store: str
    lane: Lane
    recorded: datetime
    verdict: str
    reason: str
    customer: str
    head: Head
    raw: bytes

    @property
    def kind(self) -> str:
        """The connector or dialect that understands it."""
        return self.head.kind

    @property
    def trust(self) -> str:
        """Who vouches for it."""
        return self.head.trust

    @property
    def meta(self) -> dict[str, str]:
        """What accept noted beside the raw bytes."""
        return self.head.meta

    @property
    def trace(self) -> str:
        """W3C trace context."""
        return self.head.trace

    @property
    def time(self) -> datetime:
        """When it was recorded; what it tells of may have happened before."""
        return self.recorded
