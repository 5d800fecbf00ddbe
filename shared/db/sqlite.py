"""SQLite: one file, one writing connection in one thread, reads on connections of their own."""

import asyncio
import queue
import sqlite3
import threading
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar

from sqlalchemy import Executable, Table

from shared.clock import Clock, machine_now
from shared.db.base import Database, Key, Query, Reader, Tx, compiled
from shared.db.statements import SQLITE, convert_row, primary_key, sql_of
from shared.errors import Unavailable

T = TypeVar("T")
BUSY_SECONDS = 10.0


class Thread:
    """A connection that lives in a thread of its own and runs what it is handed, one after the other."""

    def __init__(self, path: str, *, readonly: bool) -> None:
        self._path = path
        self._readonly = readonly
        self._jobs: queue.SimpleQueue[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name=f"sqlite {Path(path).name}", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        con = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=512)
        con.execute("PRAGMA journal_mode=WAL")
        con.execute("PRAGMA synchronous=FULL")
        con.execute("PRAGMA foreign_keys=ON")
        con.execute("PRAGMA cache_size=-65536")
        if self._readonly:
            con.execute("PRAGMA query_only=ON")
        return con

    def _work(self) -> None:
        con: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            act, done = job
            try:
                con = con or self._connect()
                outcome, failure = act(con), None
            except BaseException as error:  # noqa: BLE001 - whatever it was belongs to the one who asked
                outcome, failure = None, error
            self._tell(done, outcome, failure)
        if con is not None:
            con.close()

    def _tell(self, done: asyncio.Future[Any], outcome: Any, failure: BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, done, outcome, failure)
        except RuntimeError:  # the loop is gone, and with it whoever waited
            self._jobs.put(None)

    async def run(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` in the thread; its errors of the store come out as Unavailable."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((act, done))
        try:
            return await done
        except sqlite3.OperationalError as error:
            raise Unavailable(f"SQLite: {error}") from error

    async def stop(self) -> None:
        """End the thread after what it has in hand."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)


def _settle(done: "asyncio.Future[Any]", outcome: Any, failure: BaseException | None) -> None:
    if done.cancelled():
        return
    if failure is not None:
        done.set_exception(failure)
    else:
        done.set_result(outcome)


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
        sql = sql_of(table, SQLITE)
        by = primary_key(table)
        text, into = sql.fetch(by, "", keys_only=True), sql.key_into(by)

        def act(con: sqlite3.Connection) -> list[Any]:
            found: list[Any] = []
            for key in keys:
                found += con.execute(text, convert_row(key, into)).fetchall()
            return found

        return await self._thread.run(act)

    async def _fetch_keys(
        self, table: Table, by: tuple[str, ...], keys: list[Key], lock: str
    ) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into = sql.fetch(by, ""), sql.key_into(by)

        def act(con: sqlite3.Connection) -> list[Any]:
            found: list[Any] = []
            for key in keys:
                found += con.execute(text, convert_row(key, into)).fetchall()
            return found

        return await self._thread.run(act)


class _SqliteTx(_SqliteReader, Tx):
    async def _insert(
        self, table: Table, rows: list[Sequence[Any]], returning: tuple[str, ...], *, ignore: bool
    ) -> list[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into = sql.insert(returning, ignore=ignore), sql.into

        def act(con: sqlite3.Connection) -> list[Sequence[Any]]:
            if not returning:
                con.executemany(text, [convert_row(row, into) for row in rows])
                return []
            new: list[Sequence[Any]] = []
            for row in rows:
                new += con.execute(text, convert_row(row, into)).fetchall()
            return new

        return await self._thread.run(act)

    async def _insert_same(
        self, table: Table, columns: tuple[str, ...], rows: list[Sequence[Any]], same: dict[str, Any], returning: str
    ) -> list[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        names = tuple(same)
        text, into = sql.insert_same(columns, names, (returning,)), sql.key_into(columns)
        alike = tuple(convert_row(list(same.values()), sql.key_into(names)))

        def act(con: sqlite3.Connection) -> list[Sequence[Any]]:
            new: list[Sequence[Any]] = []
            for row in rows:
                new += con.execute(text, (*convert_row(row, into), *alike)).fetchall()
            return new

        return await self._thread.run(act)

    async def _upsert(self, table: Table, rows: list[Sequence[Any]], add: tuple[str, ...]) -> None:
        sql = sql_of(table, SQLITE)
        text, into = sql.upsert(add), sql.into
        await self._thread.run(lambda con: con.executemany(text, [convert_row(row, into) for row in rows]))

    async def _update(
        self, table: Table, by: tuple[str, ...], columns: tuple[str, ...], rows: list[Sequence[Any]]
    ) -> None:
        sql = sql_of(table, SQLITE)
        text, into = sql.update(by, columns), sql.key_into((*by, *columns))
        at = len(by)

        def act(con: sqlite3.Connection) -> None:
            values = (convert_row(row, into) for row in rows)
            con.executemany(text, [(*row[at:], *row[:at]) for row in values])

        await self._thread.run(act)

    async def _delete(self, table: Table, by: tuple[str, ...], keys: list[Key]) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, SQLITE)
        text, into = sql.delete(by), sql.key_into(by)

        def act(con: sqlite3.Connection) -> list[Sequence[Any]]:
            gone: list[Sequence[Any]] = []
            for key in keys:
                gone += con.execute(text, convert_row(key, into)).fetchall()
            return gone

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

    async def open(self) -> None:
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._writer = Thread(self.path, readonly=False)
        self._reader = Thread(self.path, readonly=True)
        await self._writer.run(lambda con: con.execute("SELECT 1"))

    async def close(self) -> None:
        for thread in (self._reader, self._writer):
            if thread is not None:
                await thread.stop()
        self._reader = self._writer = None

    def read(self) -> AbstractAsyncContextManager[Reader]:
        return self._read()

    def write(self, *, first: bool = False) -> AbstractAsyncContextManager[Tx]:
        return self._write(first=first)

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
    async def _write(self, *, first: bool) -> AsyncIterator[Tx]:
        thread = self._writer
        if thread is None:
            raise Unavailable("the database is closed")
        await self._turns.take(first=first)
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


def _roll_back(con: sqlite3.Connection) -> None:
    if con.in_transaction:
        con.execute("ROLLBACK")
