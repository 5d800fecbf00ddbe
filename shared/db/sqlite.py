"""SQLite: one file, one writing connection in one thread, reads on connections of their own."""

import asyncio
import sqlite3
from collections import deque
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from itertools import chain
from pathlib import Path
from typing import Any

from sqlalchemy import Executable, Table

from shared.clock import Clock, machine_now
from shared.db.appending import Appending, Bundle, Tally
from shared.db.base import Database, Key, Query, Reader, Tx, compiled
from shared.db.presence import Presence
from shared.db.statements import SQLITE, convert_rows, primary_key, sql_of
from shared.db.thread import Thread
from shared.errors import Unavailable

AT_ONCE = 32  # keys that one statement looks up


class _Turns:
    """A first-come lock with one privilege: who asks to go first does, but never twice in a row past another."""

    def __init__(self) -> None:
        self._taken = False
        self._line: deque[asyncio.Future[None]] = deque()
        self._first: deque[asyncio.Future[None]] = deque()
        self._last_was_first = False

    async def take(self, *, first: bool) -> None:
        """Wait for one's turn."""
        if not self._taken:
            self._taken = True
            self._last_was_first = first
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        (self._first if first else self._line).append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                self.give()
            raise

    def give(self) -> None:
        """Hand the turn to the next in line."""
        while self._first or self._line:
            use_first = bool(self._first) and not (self._last_was_first and self._line)
            turn = (self._first if use_first else self._line).popleft()
            if not turn.done():
                self._last_was_first = use_first
                turn.set_result(None)
                return
        self._taken = False


class _SqliteReader(Reader):
    dialect = SQLITE

    def __init__(self, thread: Thread, now: datetime) -> None:
        self._thread = thread
        self.now = now

    async def machine_now(self) -> datetime:
        return machine_now()

    async def _select(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return await self._thread.run(lambda con: con.execute(text, values).fetchall())

    async def _lock_keys(self, table: Table, keys: list[Key], lock: str) -> Sequence[Sequence[Any]]:
        return await self._looked_up(table, primary_key(table), keys, keys_only=True)

    async def _fetch_keys(
        self, table: Table, by: tuple[str, ...], keys: list[Key], lock: str
    ) -> Sequence[Sequence[Any]]:
        return await self._looked_up(table, by, keys, keys_only=False)

    async def _looked_up(
        self, table: Table, by: tuple[str, ...], keys: list[Key], *, keys_only: bool
    ) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        at_once, into = 1 if len(keys) == 1 else AT_ONCE, sql.key_into(by)
        text = sql.fetch(by, "", keys_only=keys_only, at_once=at_once)

        return await self._thread.run(lambda con: _found(con, text, _bundled(convert_rows(keys, into), at_once)))

    async def _fetch_first(
        self, table: Table, by: tuple[str, ...], keys: list[Key], order: tuple[str, ...], most: int
    ) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into = sql.first(by, order, most), sql.key_into(by)
        return await self._thread.run(lambda con: _found(con, text, convert_rows(keys, into)))


class _SqliteTx(_SqliteReader, Tx):
    async def _insert(self, table: Table, rows: list[Sequence[Any]], *, ignore: bool) -> None:
        sql = sql_of(table, SQLITE)
        text, into = sql.insert((), ignore=ignore), sql.into
        await self._thread.run(lambda con: con.executemany(text, convert_rows(rows, into)))

    async def _insert_new(
        self, table: Table, rows: list[Sequence[Any]], returning: tuple[str, ...]
    ) -> list[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into, at = sql.insert((), ignore=True), sql.into, sql.places(returning)

        def act(con: sqlite3.Connection) -> list[Sequence[Any]]:
            given = zip(rows, convert_rows(rows, into), strict=True)
            return [[row[place] for place in at] for row, values in given if con.execute(text, values).rowcount > 0]

        return await self._thread.run(act)

    async def _upsert(self, table: Table, rows: list[Sequence[Any]], add: tuple[str, ...]) -> None:
        sql = sql_of(table, SQLITE)
        text, into = sql.upsert(add), sql.into
        await self._thread.run(lambda con: con.executemany(text, convert_rows(rows, into)))

    async def _update(
        self, table: Table, by: tuple[str, ...], columns: tuple[str, ...], rows: list[Sequence[Any]]
    ) -> None:
        sql = sql_of(table, SQLITE)
        text, into = sql.update(by, columns), sql.key_into((*by, *columns))
        at = len(by)

        def act(con: sqlite3.Connection) -> None:
            con.executemany(text, [(*row[at:], *row[:at]) for row in convert_rows(rows, into)])

        await self._thread.run(act)

    async def _delete(self, table: Table, by: tuple[str, ...], keys: list[Key]) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into = sql.delete(by), sql.key_into(by)

        return await self._thread.run(lambda con: _found(con, text, convert_rows(keys, into)))

    async def _move(self, table: Table, into: Table, keys: list[Key]) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        by = primary_key(table)
        copy, text, values = sql.move(into.name), sql.delete(by), convert_rows(keys, sql.key_into(by))

        def act(con: sqlite3.Connection) -> list[Any]:
            con.executemany(copy, values)
            return _found(con, text, values)

        return await self._thread.run(act)

    async def execute(self, statement: Query | Executable, **params: Any) -> int:
        query = compiled(statement, SQLITE)
        return await self._thread.run(lambda con: con.execute(query.text, query.values(params)).rowcount)


class Sqlite(Database):
    """One service's SQLite file, in WAL mode with `synchronous=FULL`."""

    dialect = SQLITE

    def __init__(self, path: str, clock: Clock) -> None:
        self.path = path
        self._clock = clock
        self._turns = _Turns()
        self._writer: Thread | None = None
        self._reader: Thread | None = None
        self._reading = asyncio.Lock()
        self._presence = Presence(path)

    async def open(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Thread(self.path, readonly=False)
        self._reader = Thread(self.path, readonly=True)
        await self._writer.run(lambda con: con.execute("SELECT 1"))
        self.alone_at = await self._writer.run(lambda _con: self._presence.enter())

    async def close(self) -> None:
        for thread in (self._reader, self._writer):
            if thread is not None:
                await thread.stop()
        self._reader = self._writer = None
        self._presence.leave()

    def read(self) -> AbstractAsyncContextManager[Reader]:
        return self._read()

    def look(self) -> AbstractAsyncContextManager[Reader]:
        return self._look()

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return self._write()

    async def append(
        self, appending: Appending, bundles: Sequence[Bundle], tallies: Sequence[Tally], writer: str
    ) -> list[Any] | None:
        thread = self._writer
        if thread is None:
            raise Unavailable("the database is closed")
        await self._turns.take(first=True)
        try:
            rows = [row for bundle in bundles for row in appending.sqlite_values(bundle, self._clock.now())]
            new = await thread.run(lambda con: _append(con, appending, rows, tallies, writer))
        finally:
            self._turns.give()
        keys = [key for bundle in bundles for key in bundle.own[0]]
        return None if all(new) else [key for key, fresh in zip(keys, new, strict=True) if fresh]

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Reader]:
        thread = self._reader
        if thread is None:
            raise Unavailable("the database is closed")
        async with self._reading:
            try:
                await thread.run(lambda con: con.execute("BEGIN DEFERRED"))
                yield _SqliteReader(thread, self._clock.now())
            finally:
                await asyncio.shield(thread.run(_roll_back))

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[Reader]:
        thread = self._reader
        if thread is None:
            raise Unavailable("the database is closed")
        async with self._reading:
            yield _SqliteReader(thread, self._clock.now())

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Tx]:
        thread = self._writer
        if thread is None:
            raise Unavailable("the database is closed")
        await self._turns.take(first=False)
        try:
            try:  # a cancelled BEGIN is still run by the thread, so it too is rolled back
                await thread.run(lambda con: con.execute("BEGIN IMMEDIATE"))
                yield _SqliteTx(thread, self._clock.now())
                await thread.run(lambda con: con.execute("COMMIT"))
            except BaseException:
                await asyncio.shield(thread.run(_roll_back))
                raise
        finally:
            self._turns.give()


def _bundled(keys: Sequence[Sequence[Any]], at_once: int) -> list[list[Any]]:
    """So many keys as the values of one statement; the last ones are filled up with NULL, which finds nothing."""
    bundles = [list(chain.from_iterable(keys[at : at + at_once])) for at in range(0, len(keys), at_once)]
    bundles[-1] += [None] * (at_once * len(keys[0]) - len(bundles[-1]))
    return bundles


def _found(con: sqlite3.Connection, text: str, keys: Sequence[Sequence[Any]]) -> list[Any]:
    """What a statement gives for each of the keys, one after the other."""
    found: list[Any] = []
    for key in keys:
        found += con.execute(text, key).fetchall()
    return found


def _append(
    con: sqlite3.Connection, appending: Appending, rows: Sequence[Any], tallies: Sequence[Tally], writer: str
) -> list[bool]:
    """Insert and count in a transaction of its own; for each row whether it was new."""
    con.execute("BEGIN IMMEDIATE")
    try:
        new = [con.execute(appending.sqlite, row).rowcount > 0 for row in rows]
        counts = [(tally.name, writer, number) for tally in tallies if (number := tally.of(sum(new)))]
        con.executemany(appending.sqlite_count, counts)
        con.execute("COMMIT")
    except BaseException:
        _roll_back(con)
        raise
    return new


def _roll_back(con: sqlite3.Connection) -> None:
    if con.in_transaction:
        con.execute("ROLLBACK")
