"""`rebuild`: a service whose rows follow from facts alone makes them anew out of the archive, and tells nothing."""

import dataclasses
from collections.abc import Sequence
from typing import Any

from sqlalchemy import delete, select, text

from shared.archive import archived, told
from shared.clock import machine_now
from shared.db.base import Database, Query, Tx
from shared.errors import Refused
from shared.events.base import CATALOGUE, Event
from shared.service import Refold, Service
from shared.tables import InboxRow, KernelTables, TimerRow
from shared.timers import due_of
from shared.work import Judge


async def rebuild(service: Service, db: Database, writer: str, source: Database, kernel: KernelTables) -> int:
    """Refold a service out of what `source` has told; gives the number of facts.

    All in one transaction: readers see the old rows until the end, consumers wait and find in the inbox what has been
    refolded. Raises Refused for a service that is an original, Unavailable when others do not let go of its tables.
    """
    refold = service.refold
    if refold is None:
        raise Refused("original", f"{service.name} is an original: it is backed up, not rebuilt")
    judge = Judge(dataclasses.replace(service, load=refold.load), writer)
    types, done = [fact.type for fact in service.reactions], 0
    async with db.write() as tx:
        await _keep_others_out(tx, service)
        await _clear(tx, service, refold, archived(types))
        async with source.read() as reader:  # only now, so that it holds all that was ever taken in
            async for events in told(reader, kernel, types):
                await _take(tx, service, judge, events)
                done += len(events)
        await _finish(tx, service, judge)
    return done


async def _keep_others_out(tx: Tx, service: Service) -> None:
    """Let all who write wait for the end of this transaction; on SQLite they do anyway."""
    if tx.dialect.name == "postgresql":
        held = ", ".join(table.name for table in (service.subjects, service.kernel.inbox, service.kernel.timer))
        await tx.fetch(text(f"LOCK TABLE {held} IN EXCLUSIVE MODE"))


async def _clear(tx: Tx, service: Service, refold: Refold, types: frozenset[str]) -> None:
    kernel = service.kernel
    await refold.clear(tx)
    await tx.execute(delete(kernel.alias))
    names = [f"{CATALOGUE[name].topic}:{name}" for name in types]
    counters = [(f"{word}:{name}",) for word in ("effected", "erased") for name in names]
    await tx.delete_by_keys(kernel.counter, counters, by=("name",))
    await tx.delete_by_keys(kernel.parked, [("event", name) for name in types], by=("kind", "type"))


async def _take(tx: Tx, service: Service, judge: Judge, events: Sequence[Event[Any]]) -> None:
    taken = machine_now()
    await tx.insert_many(service.kernel.inbox, [InboxRow(event.id, taken) for event in events], ignore_conflicts=True)
    await judge.judge(tx, events)


async def _finish(tx: Tx, service: Service, judge: Judge) -> None:
    """Do what judgement has put off to at once."""
    timer = service.kernel.timer
    at_once = Query(select(*timer.columns).where(timer.c.unguarded, timer.c.due <= tx.now).order_by(timer.c.due))
    rows = [TimerRow(*row) for row in await tx.fetch(at_once)]
    await tx.delete_by_keys(timer, [(row.account, row.name) for row in rows])
    if rows:
        await judge.judge(tx, [due_of(row) for row in rows])
