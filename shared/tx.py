"""What a transaction carries out besides its rows: facts into the outbox, timers, counts."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any
from uuid import uuid4

import msgspec

from shared.db.base import Tx
from shared.events.base import Event, encode
from shared.events.config import ConfigFact
from shared.partition import partition_of
from shared.tables import CounterRow, KernelTables, OutboxRow, TimerRow
from shared.workset import TimerSet, WorkSet

_head = msgspec.json.Encoder().encode


def headers_of(event: Event[Any], source: str) -> dict[str, str]:
    """The CloudEvents 1.0 attributes of a fact, as Kafka headers in binary mode name them."""
    fact = event.fact
    return {
        "ce_specversion": "1.0",
        "ce_id": str(event.id),
        "ce_source": source,
        "ce_type": fact.type,
        "ce_subject": event.customer,
        "ce_time": event.time.isoformat(),
        "ce_dataschema": f"/events/{fact.type}/{fact.version}",
        "ce_recordedtime": event.recorded.isoformat(),
        "ce_account": event.account,
        "ce_store": event.store,
        "ce_partitionkey": key_of(event),
        "ce_causationid": str(event.cause or ""),
        "ce_correlationid": str(event.correlation or ""),
        "ce_lane": event.lane.value,
        "ce_traceparent": event.trace,
        "content-type": "application/json",
    }


def key_of(event: Event[Any]) -> str:
    """What keeps a fact in order: its customer, or for the set-up the thing configured."""
    if isinstance(event.fact, ConfigFact):
        return f"{event.account}/{event.fact.id}"
    return f"{event.account}/{event.customer}"


def outbox_row(event: Event[Any], service: str) -> OutboxRow:
    """A fact as it stands in the outbox."""
    fact = event.fact
    key = key_of(event)
    return OutboxRow(
        topic=fact.topic,
        partition=partition_of(fact.topic, key),
        key=key,
        id=event.id,
        type=fact.type,
        account=event.account,
        customer=event.customer,
        lane=event.lane.value,
        recorded=event.recorded,
        head=_head(headers_of(event, f"/services/{service}")),
        body=encode(fact),
    )


async def emit(tx: Tx, kernel: KernelTables, service: str, events: Sequence[Event[Any]]) -> None:
    """Write facts to the outbox and count them."""
    await tx.insert_many(kernel.outbox, [outbox_row(event, service) for event in events])


def emitted(events: Iterable[Event[Any]]) -> dict[str, int]:
    """How many facts of each topic and type, as the books name them; the set-up stands outside."""
    counts: dict[str, int] = {}
    for event in events:
        if not isinstance(event.fact, ConfigFact):
            name = f"emitted:{event.fact.topic}:{event.fact.type}"
            counts[name] = counts.get(name, 0) + 1
    return counts


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
            uuid4(),
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
