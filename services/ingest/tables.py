"""Ingest's tables."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, LargeBinary, MetaData, Table, Text, text

from services.ingest.carts import CartState
from services.ingest.claims import Key
from services.ingest.orders import OrderState
from services.ingest.records import ConsentHeld, Told
from shared.db import Document, Instant, Uid
from shared.events import Lane
from shared.tables import SEQ, attach

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
    Column("kind", Text, nullable=False),
    Column("trust", Text, nullable=False),
    Column("lane", Text, nullable=False),
    Column("dedupe", LargeBinary, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("verdict", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Column("meta", Document(dict[str, str]), nullable=False),
    Column("trace", Text, nullable=False),
    Column("raw", LargeBinary, nullable=False),
    Index("delivery_once", "source", "dedupe", unique=True),
    Index("delivery_id", "id"),
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
    """One thing a source told us, as it came; `verdict` '' until intake has taken it."""

    seq: int
    id: UUID
    account: str
    source: str
    store: str
    kind: str
    trust: str
    lane: Lane
    dedupe: bytes
    recorded: datetime
    verdict: str
    reason: str
    customer: str
    meta: dict[str, str]
    trace: str
    raw: bytes

    @property
    def time(self) -> datetime:
        """When it was recorded; what it tells of may have happened before."""
        return self.recorded
