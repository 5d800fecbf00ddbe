"""What a transaction carries out besides its rows: facts into the outbox, timers, counts."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.db.base import Tx
from shared.events.base import Event, Lane, encode
from shared.events.config import TOPIC as CONFIG_TOPIC
from shared.partition import partition_of
from shared.tables import CounterRow, KernelTables, OutboxRow, TimerRow
from shared.uids import new_uid
from shared.workset import TimerSet, WorkSet

_HEADER = {"content_type": "content-type"}
_head = msgspec.json.Encoder().encode


class Headers(msgspec.Struct, frozen=True, gc=False, rename=lambda name: _HEADER.get(name, f"ce_{name}")):
    """The CloudEvents 1.0 attributes of a fact, as Kafka headers in binary mode name them."""

    specversion: str
    id: UUID
    source: str
    type: str
    subject: str
    time: datetime
    dataschema: str
    recordedtime: datetime
    account: str
    store: str
    partitionkey: str
    causationid: UUID | str
    correlationid: UUID | str
    lane: Lane
    traceparent: str
    content_type: str


def headers_of(event: Event[Any], source: str, key: str) -> Headers:
    """The headers of a fact that `source` tells under `key`."""
    fact = event.fact
    return Headers(
        "1.0",
        event.id,
        source,
        fact.type,
        event.customer,
        event.time,
        f"/events/{fact.type}/{fact.version}",
        event.recorded,
        event.account,
        event.store,
        key,
        event.cause or "",
        event.correlation or "",
        event.lane,
        event.trace,
        "application/json",
    )


def key_of(event: Event[Any]) -> str:
    """What keeps a fact in order: its customer, or for the set-up the thing configured."""
    fact = event.fact
    return f"{event.account}/{fact.id if fact.topic == CONFIG_TOPIC else event.customer}"


def outbox_row(event: Event[Any], service: str) -> OutboxRow:
    """A fact as it stands in the outbox."""
    fact = event.fact
    key = key_of(event)
    return OutboxRow(
        fact.topic,
        partition_of(fact.topic, key),
        key,
        event.id,
        fact.type,
        event.account,
        event.customer,
        event.lane.value,
        event.recorded,
        _head(headers_of(event, f"/services/{service}", key)),
        encode(fact),
    )


async def emit(tx: Tx, kernel: KernelTables, service: str, events: Sequence[Event[Any]]) -> None:
    """Write facts to the outbox and count them."""
    await tx.insert_many(kernel.outbox, [outbox_row(event, service) for event in events])


def emitted(events: Iterable[Event[Any]]) -> dict[str, int]:
    """How many facts of each topic and type, as the books name them; the set-up stands outside."""
    facts = Counter(type(event.fact) for event in events)
    return {f"emitted:{of.topic}:{of.type}": number for of, number in facts.items() if of.topic != CONFIG_TOPIC}


async def count(tx: Tx, kernel: KernelTables, writer: str, counts: Mapping[str, int]) -> None:
    """Add numbers to the books."""
    rows = [CounterRow(name, writer, number) for name, number in sorted(counts.items()) if number]
    await tx.upsert_many(kernel.counter, rows, add=("value",))


async def set_timers(tx: Tx, kernel: KernelTables, timers: Sequence[TimerSet]) -> None:
    """Set, move and cancel timers."""
    cancelled = [(timer.account, f"{timer.kind}:{timer.name}") for timer in timers if timer.due is None]
    rows = [
        TimerRow(
            timer.account,
            f"{timer.kind}:{timer.name}",
            timer.kind,
            timer.customer,
            timer.store,
            timer.due,
            new_uid(),
            timer.payload,
            timer.unguarded,
            timer.correlation,
            timer.trace,
        )
        for timer in timers
        if timer.due is not None
    ]
    await tx.delete_by_keys(kernel.timer, cancelled)
    rows.sort(key=lambda row: (row.account, row.name))
    await tx.upsert_many(kernel.timer, rows)


async def store(tx: Tx, kernel: KernelTables, service: str, writer: str, desk: WorkSet) -> None:
    """Write a whole desk: the service's rows, then facts, timers and counts."""
    await desk.store(tx)
    await emit(tx, kernel, service, desk.facts.rows)
    await set_timers(tx, kernel, desk.timers.stored)
    await tx.upsert_many(kernel.name, desk.namings.stored)
    await tx.delete_by_keys(kernel.name, desk.namings.removed)
    await count(tx, kernel, writer, {**emitted(desk.facts.rows), **desk.counts})
