"""Everything a service has ever told, read back: its archive, then what is still in the outbox."""

from collections.abc import AsyncIterator, Collection
from typing import Any

import msgspec
from sqlalchemy import bindparam, or_, select

from shared.bus.base import Record
from shared.db.base import Query, Reader
from shared.events.base import CATALOGUE, Event
from shared.inbox import event_of
from shared.tables import KernelTables

MOST = 500
_head = msgspec.json.Decoder(dict[str, str]).decode


def archived(types: Collection[str]) -> frozenset[str]:
    """Those of these types of facts that the archive keeps."""
    return frozenset(name for name in types if CATALOGUE[name].archived)


async def told(reader: Reader, kernel: KernelTables, types: Collection[str]) -> AsyncIterator[list[Event[Any]]]:
    """The facts of these types, oldest first, so many at a time.

    A fact moves from outbox to archive in one transaction, so one snapshot holds each of them once.
    """
    wanted = sorted(archived(types))
    for table in (kernel.archive, kernel.outbox):
        columns = (table.c.seq, table.c.topic, table.c.partition, table.c.key, table.c.head, table.c.body)
        chosen = select(*columns).where(
            or_(*(table.c.type == name for name in wanted)), table.c.seq > bindparam("after")
        )
        query, after = Query(chosen.order_by(table.c.seq).limit(MOST)), 0
        while rows := await reader.fetch(query, after=after):
            after = rows[-1][0]
            records = [Record(topic, part, seq, key, _head(head), body) for seq, topic, part, key, head, body in rows]
            yield [event for event in map(event_of, records) if event is not None]
