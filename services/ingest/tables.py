"""Ingest's tables."""

from datetime import datetime
from uuid import UUID

import msgspec
from sqlalchemy import Column, Index, LargeBinary, MetaData, Table, Text, text

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
    Index("delivery_customer", "account", "customer", postgresql_where=text("customer <> ''"), sqlite_where=text("customer <> ''")),
    Index("delivery_untaken", "lane", "account", "seq", postgresql_where=text("verdict = ''"), sqlite_where=text("verdict = ''")),
    sqlite_autoincrement=True,
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
