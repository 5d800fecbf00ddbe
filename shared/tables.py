"""The kernel's own tables, the same in every service's database."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from shared.db.types import Document, Instant, Uid

SEQ = BigInteger().with_variant(Integer, "sqlite")


class OutboxRow(msgspec.Struct, frozen=True, gc=False):
    """A fact on its way out; `head` is its envelope as JSON, `body` the fact."""

    topic: str
    partition: int
    key: str
    id: UUID
    type: str
    account: str
    customer: str
    lane: str
    recorded: datetime
    head: bytes
    body: bytes


class InboxRow(msgspec.Struct, frozen=True, gc=False):
    """A fact that was taken in."""

    id: UUID
    at: datetime


class TimerRow(msgspec.Struct, frozen=True, gc=False):
    """Something to be done at `due`; `generation` tells a moved timer from the one it replaced."""

    account: str
    name: str
    kind: str
    customer: str
    store: str
    due: datetime
    generation: UUID
    payload: dict[str, Any]
    unguarded: bool
    correlation: UUID | None
    trace: str


class ParkedRow(msgspec.Struct, frozen=True, gc=False):
    """Work that our code failed on, or that queues behind such work of the same customer."""

    account: str
    customer: str
    kind: str
    type: str
    item: bytes
    reason: str
    detail: str
    at: datetime


class HeartbeatRow(msgspec.Struct, frozen=True, gc=False):
    """How far ingest had got: every live fact recorded before `at` is in front of it in its partition, but `behind`."""

    partition: int
    at: datetime
    behind: dict[str, datetime]


class CounterRow(msgspec.Struct, frozen=True, gc=False):
    """One line of the books; `writer` keeps replicas out of each other's way."""

    name: str
    writer: str
    value: int


class AliasRow(msgspec.Struct, frozen=True, gc=False):
    """`loser` was merged into `survivor`."""

    account: str
    loser: str
    survivor: str


class NameRow(msgspec.Struct, frozen=True, gc=False):
    """Whose a store's own id of a customer is; of the id only its digest is kept."""

    account: str
    digest: bytes
    customer: str


class ConfigRow(msgspec.Struct, frozen=True, gc=False):
    """The newest state of one thing of the set-up; `lookup` is a key's digest."""

    account: str
    id: str
    type: str
    revision: int
    deleted: bool
    lookup: str
    body: bytes


class IdempotencyRow(msgspec.Struct, frozen=True, gc=False):
    """What an unsafe call with an Idempotency-Key was answered."""

    account: str
    route: str
    key: str
    body_hash: bytes
    status: int
    answer: bytes
    at: datetime


@dataclass(frozen=True)
class KernelTables:
    """The kernel's tables in one service's metadata."""

    outbox: Table
    archive: Table
    inbox: Table
    timer: Table
    parked: Table
    heartbeat: Table
    lease: Table
    counter: Table
    alias: Table
    name: Table
    config: Table
    progress: Table
    idempotency: Table


def _keys(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, primary_key=True) for name in names]


def _texts(*names: str) -> list[Column[Any]]:
    return [Column(name, Text, nullable=False) for name in names]


def _fact_columns() -> list[Column[Any]]:
    return [
        Column("seq", SEQ, primary_key=True),
        Column("topic", Text, nullable=False),
        Column("partition", Integer, nullable=False),
        Column("key", Text, nullable=False),
        Column("id", Uid(), nullable=False),
        *_texts("type", "account", "customer", "lane"),
        Column("recorded", Instant(), nullable=False),
        Column("head", LargeBinary, nullable=False),
        Column("body", LargeBinary, nullable=False),
    ]


def _timer(metadata: MetaData) -> Table:
    return Table(
        "timer",
        metadata,
        *_keys("account", "name"),
        *_texts("kind", "customer", "store"),
        Column("due", Instant(), nullable=False),
        Column("generation", Uid(), nullable=False),
        Column("payload", Document(dict[str, Any]), nullable=False),
        Column("unguarded", Boolean, nullable=False),
        Column("correlation", Uid()),
        Column("trace", Text, nullable=False),
        Index("timer_due", "due"),
        Index("timer_customer", "account", "customer"),
    )


def _parked(metadata: MetaData) -> Table:
    return Table(
        "parked",
        metadata,
        Column("seq", SEQ, primary_key=True),
        *_texts("account", "customer", "kind", "type"),
        Column("item", LargeBinary, nullable=False),
        *_texts("reason", "detail"),
        Column("at", Instant(), nullable=False),
        Index("parked_customer", "account", "customer", "seq"),
    )


def _config(metadata: MetaData) -> Table:
    return Table(
        "config",
        metadata,
        *_keys("account", "id"),
        Column("type", Text, nullable=False),
        Column("revision", BigInteger, nullable=False),
        Column("deleted", Boolean, nullable=False),
        Column("lookup", Text, nullable=False),
        Column("body", LargeBinary, nullable=False),
        Index("config_lookup", "lookup"),
    )


def _idempotency(metadata: MetaData) -> Table:
    return Table(
        "idempotency",
        metadata,
        *_keys("account", "route", "key"),
        Column("body_hash", LargeBinary, nullable=False),
        Column("status", Integer, nullable=False),
        Column("answer", LargeBinary, nullable=False),
        Column("at", Instant(), nullable=False),
        Index("idempotency_at", "at"),
    )


def _of_reading(metadata: MetaData) -> dict[str, Table]:
    return {
        "inbox": Table(
            "inbox",
            metadata,
            Column("id", Uid(), primary_key=True),
            Column("at", Instant(), nullable=False),
            Index("inbox_at", "at"),
        ),
        "heartbeat": Table(
            "heartbeat",
            metadata,
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("at", Instant(), nullable=False),
            Column("behind", Document(dict[str, datetime]), nullable=False),
        ),
        "progress": Table(
            "progress",
            metadata,
            Column("topic", Text, primary_key=True),
            Column("partition", Integer, primary_key=True, autoincrement=False),
            Column("read_to", BigInteger, nullable=False),
        ),
    }


def _of_the_house(metadata: MetaData) -> dict[str, Table]:
    return {
        "lease": Table(
            "lease",
            metadata,
            Column("name", Text, primary_key=True),
            Column("holder", Text, nullable=False),
            Column("until", Instant(), nullable=False),
        ),
        "counter": Table(
            "counter",
            metadata,
            *_keys("name", "writer"),
            Column("value", BigInteger, nullable=False),
        ),
        "alias": Table(
            "customer_alias",
            metadata,
            *_keys("account", "loser"),
            Column("survivor", Text, nullable=False),
        ),
        "name": Table(
            "customer_name",
            metadata,
            Column("account", Text, primary_key=True),
            Column("digest", LargeBinary, primary_key=True),
            Column("customer", Text, nullable=False),
        ),
    }


def attach(metadata: MetaData) -> KernelTables:
    """Add the kernel's tables to a service's metadata; calling it again gives the same ones."""
    if "kernel" in metadata.info:
        found: KernelTables = metadata.info["kernel"]
        return found
    tables = KernelTables(
        outbox=Table("outbox", metadata, *_fact_columns(), sqlite_autoincrement=True),
        archive=Table(
            "archive", metadata, *_fact_columns(), Index("archive_account", "account", "seq"), sqlite_autoincrement=True
        ),
        timer=_timer(metadata),
        parked=_parked(metadata),
        config=_config(metadata),
        idempotency=_idempotency(metadata),
        **_of_reading(metadata),
        **_of_the_house(metadata),
    )
    metadata.info["kernel"] = tables
    return tables
