"""What is kept for a while only: taken-in fact ids, idempotency keys, and on the embedded bus old records."""

from datetime import timedelta

from sqlalchemy import bindparam, delete

from shared.bus.base import Bus
from shared.clock import machine_now, machine_seconds
from shared.db.base import Database, Query
from shared.tables import KernelTables

INBOX_KEPT = timedelta(days=30)
KEYS_KEPT = timedelta(days=30)
EVERY_SECONDS = 3600.0


class Housekeeping:
    """One service's clearing up, once an hour; the inbox outlives the topics' 14 days."""

    def __init__(self, db: Database, bus: Bus, kernel: KernelTables) -> None:
        self._db = db
        self._bus = bus
        inbox, keys = kernel.inbox, kernel.idempotency
        self._old_facts = Query(delete(inbox).where(inbox.c.at < bindparam("before")))
        self._old_keys = Query(delete(keys).where(keys.c.at < bindparam("before")))
        self._done_at = -EVERY_SECONDS

    async def step(self) -> int:
        """Clear up if an hour has gone by; gives how many rows went."""
        if machine_seconds() - self._done_at < EVERY_SECONDS:
            return 0
        async with self._db.write() as tx:
            gone = await tx.execute(self._old_facts, before=machine_now() - INBOX_KEPT)
            gone += await tx.execute(self._old_keys, before=machine_now() - KEYS_KEPT)
        await self._bus.trim()
        self._done_at = machine_seconds()
        return gone
