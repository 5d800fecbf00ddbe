"""Adapters that kill their own process at a named point: before or after a commit, or between publish and forget."""

import os
import signal
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any

import msgspec
from sqlalchemy import Table

from shared.bus.base import HEARTBEAT, Bus, Outgoing, Record, Subscription
from shared.db.appending import Appending, Bundle, Tally
from shared.db.base import Database, Reader, Tx


class Fuse(msgspec.Struct):
    """Where the process dies: the `left`-th time that `point` is passed."""

    point: str
    left: int

    def pass_by(self, point: str) -> None:
        """Die if this is the place and the time."""
        if point == self.point:
            self.left -= 1
            if self.left <= 0:
                os.kill(os.getpid(), signal.SIGKILL)


class NotingTx:
    """A transaction that notes what kind of work it does."""

    def __init__(self, tx: Tx) -> None:
        self._tx = tx
        self.kinds: set[str] = set()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tx, name)

    async def insert_new(self, table: Table, *args: Any, **given: Any) -> Any:
        new = await self._tx.insert_new(table, *args, **given)
        self._note(table.name == "inbox" and bool(new), "consumer")
        self._note(table.name == "idempotency" and bool(new), "command")
        return new

    async def insert_many(self, table: Table, rows: Sequence[Any], **given: Any) -> None:
        self._note(table.name == "message" and bool(rows), "claim")
        await self._tx.insert_many(table, rows, **given)

    async def update_many(self, table: Table, **given: Any) -> None:
        self._note(table.name == "delivery" and bool(given["rows"]), "intake")
        await self._tx.update_many(table, **given)

    async def upsert_many(self, table: Table, rows: Sequence[Any], **given: Any) -> None:
        self._note(table.name == "redemption" and bool(rows), "redemption")
        if table.name == "message":
            states = {str(row.state) for row in rows}
            self._note("handing_over" in states, "handing_over")
            self._note(bool(states & {"accepted", "refused", "unknown"}), "outcome")
        await self._tx.upsert_many(table, rows, **given)

    async def delete_by_keys(self, table: Table, *args: Any, **given: Any) -> Any:
        gone = await self._tx.delete_by_keys(table, *args, **given)
        by: tuple[str, ...] = given.get("by") or (args[1] if len(args) > 1 else ())
        self._note(table.name == "outbox" and bool(gone), "relay")
        self._note(table.name == "timer" and bool(gone) and "generation" in by, "timer")
        return gone

    def _note(self, does: bool, kind: str) -> None:
        if does:
            self.kinds.add(kind)


class DeadlyDatabase(Database):
    """A database whose transactions may be the last thing their process does."""

    def __init__(self, real: Database, service: str, fuse: Fuse) -> None:
        self._real = real
        self._service = service
        self._fuse = fuse
        self.dialect = real.dialect

    async def open(self) -> None:
        await self._real.open()

    async def close(self) -> None:
        await self._real.close()

    def read(self) -> AbstractAsyncContextManager[Reader]:
        return self._real.read()

    def look(self) -> AbstractAsyncContextManager[Reader]:
        return self._real.look()

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return self._write()

    async def append(
        self, appending: Appending, bundles: Sequence[Bundle], tallies: Sequence[Tally], writer: str
    ) -> list[Any] | None:
        self._fuse.pass_by(f"{self._service}.accept.before")
        new = await self._real.append(appending, bundles, tallies, writer)
        self._fuse.pass_by(f"{self._service}.accept.after")
        return new

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Any]:
        async with self._real.write() as tx:
            noting = NotingTx(tx)
            yield noting
            for kind in sorted(noting.kinds):
                self._fuse.pass_by(f"{self._service}.{kind}.before")
        for kind in sorted(noting.kinds):
            self._fuse.pass_by(f"{self._service}.{kind}.after")


class DeadlySubscription:
    """A member of a group that may die once its offsets are committed."""

    def __init__(self, real: Subscription, group: str, fuse: Fuse) -> None:
        self._real = real
        self._group = group
        self._fuse = fuse
        self.fetch = real.fetch
        self.rewind = real.rewind
        self.places = real.places
        self.close = real.close

    async def commit(self, records: Sequence[Record]) -> None:
        await self._real.commit(records)
        if any(record.key != HEARTBEAT for record in records):
            self._fuse.pass_by(f"{self._group}.offset.after")


class DeadlyBus:
    """A bus whose process may die once a fact is published, before the outbox forgets it."""

    def __init__(self, real: Bus, fuse: Fuse) -> None:
        self._real = real
        self._fuse = fuse

    def __getattr__(self, name: str) -> Any:
        return getattr(self._real, name)

    async def publish(self, records: Sequence[Outgoing]) -> None:
        await self._real.publish(records)
        for topic in sorted({record.topic for record in records if record.key != HEARTBEAT}):
            self._fuse.pass_by(f"{topic}.published.after")

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        return DeadlySubscription(await self._real.subscribe(group, topics), group, self._fuse)


def fuse_of(text: str) -> Fuse:
    """`point:n` as a fuse."""
    point, _, count = text.partition(":")
    return Fuse(point, int(count or 1))
