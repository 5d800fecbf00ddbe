"""PostgreSQL through asyncpg: one statement for each set of rows."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager, contextmanager
from contextlib import suppress as suppressed
from datetime import datetime
from typing import TYPE_CHECKING, Any

import asyncpg
from sqlalchemy import Executable, Table

from shared.clock import Clock, machine_seconds
from shared.db.appending import Appending, Bundle, Tally
from shared.db.base import Database, Key, Query, Reader, Tx, compiled
from shared.db.statements import POSTGRES, convert_columns, convert_rows, folded, from_driver, primary_key, sql_of
from shared.errors import Refused, Unavailable

if TYPE_CHECKING:
    from collections.abc import Iterator

    from asyncpg.pool import PoolConnectionProxy

AWAY = (
    OSError,
    asyncio.TimeoutError,
    asyncpg.InterfaceError,
    asyncpg.PostgresConnectionError,
    asyncpg.exceptions.OperatorInterventionError,
    asyncpg.exceptions.TransactionRollbackError,
    asyncpg.exceptions.LockNotAvailableError,
    asyncpg.exceptions.InsufficientResourcesError,
    asyncpg.exceptions.PostgresSystemError,
    asyncpg.exceptions.InvalidAuthorizationSpecificationError,
    asyncpg.exceptions.IdleInTransactionSessionTimeoutError,
    asyncpg.exceptions.ReadOnlySQLTransactionError,
)
UNKEPT = (asyncpg.exceptions.CharacterNotInRepertoireError, asyncpg.exceptions.UntranslatableCharacterError)
ACQUIRE_SECONDS = 0.8
LEAST_COPIED = 100  # rows from which COPY, which takes more round trips, costs less than arrays
START_SECONDS = 20.0  # who starts together with the database waits for it
SESSION = {"lock_timeout": "5s", "idle_in_transaction_session_timeout": "10s", "timezone": "UTC", "jit": "off"}


@contextmanager
def _told_apart() -> "Iterator[None]":
    """Turn what may pass by itself into Unavailable, and text that PostgreSQL cannot keep into Refused."""
    try:
        yield
    except UNKEPT as error:
        raise Refused("malformed", "a text holds a character that cannot be kept", status=400) from error
    except AWAY as error:
        if isinstance(error, ValueError):  # asyncpg's word for a value that the column can never hold
            raise
        raise Unavailable(f"PostgreSQL: {type(error).__name__}") from error


class _PostgresReader(Reader):
    dialect = POSTGRES

    def __init__(self, connection: "PoolConnectionProxy[Any]", now: datetime) -> None:
        self._connection = connection
        self.now = now

    async def machine_now(self) -> datetime:
        moment: datetime = await self._connection.fetchval("SELECT clock_timestamp()")
        return moment

    async def _select(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        return await self._connection.fetch(text, *values)

    async def _lock_keys(self, table: Table, keys: list[Key], lock: str) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        by = primary_key(table)
        columns = convert_columns(list(zip(*keys, strict=True)), sql.key_into(by))
        return await self._connection.fetch(sql.fetch(by, lock, keys_only=True), *columns)

    async def _fetch_keys(
        self, table: Table, by: tuple[str, ...], keys: list[Key], lock: str
    ) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        columns = convert_columns(list(zip(*keys, strict=True)), sql.key_into(by))
        return await self._connection.fetch(sql.fetch(by, lock), *columns)

    async def _fetch_first(
        self, table: Table, by: tuple[str, ...], keys: list[Key], order: tuple[str, ...], most: int
    ) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        columns = convert_columns(list(zip(*keys, strict=True)), sql.key_into(by))
        return await self._connection.fetch(sql.first(by, order, most), *columns)


class _PostgresTx(_PostgresReader, Tx):
    async def _insert(self, table: Table, rows: list[Sequence[Any]], *, ignore: bool) -> None:
        sql = sql_of(table, POSTGRES)
        if len(rows) >= LEAST_COPIED and not ignore:
            await self._connection.copy_records_to_table(
                table.name, records=convert_rows(rows, sql.into), columns=sql.names
            )
            return
        alike, given = folded(convert_columns(list(zip(*rows, strict=True)), sql.into), sql.patterns)
        await self._connection.execute(sql.insert((), ignore=ignore, alike=alike), *given)

    async def _insert_new(
        self, table: Table, rows: list[Sequence[Any]], returning: tuple[str, ...]
    ) -> list[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        alike, given = folded(convert_columns(list(zip(*rows, strict=True)), sql.into), sql.patterns)
        with _told_apart():  # here already: whoever takes an idempotency key wants to know that another holds it
            new = await self._connection.fetch(sql.insert(returning, ignore=True, alike=alike), *given)
        return list(convert_rows(new, from_driver([table.columns[name].type for name in returning], POSTGRES)))

    async def _upsert(self, table: Table, rows: list[Sequence[Any]], add: tuple[str, ...]) -> None:
        sql = sql_of(table, POSTGRES)
        alike, given = folded(convert_columns(list(zip(*rows, strict=True)), sql.into), sql.patterns)
        await self._connection.execute(sql.upsert(add, alike), *given)

    async def _update(
        self, table: Table, by: tuple[str, ...], columns: tuple[str, ...], rows: list[Sequence[Any]]
    ) -> None:
        sql = sql_of(table, POSTGRES)
        given = convert_columns(list(zip(*rows, strict=True)), sql.key_into((*by, *columns)))
        await self._connection.execute(sql.update(by, columns), *given)

    async def _delete(self, table: Table, by: tuple[str, ...], keys: list[Key]) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        columns = convert_columns(list(zip(*keys, strict=True)), sql.key_into(by))
        return await self._connection.fetch(sql.delete(by), *columns)

    async def _move(self, table: Table, into: Table, keys: list[Key]) -> Sequence[Sequence[Any]]:
        sql = sql_of(table, POSTGRES)
        columns = convert_columns(list(zip(*keys, strict=True)), sql.key_into(primary_key(table)))
        return await self._connection.fetch(sql.move(into.name), *columns)

    async def execute(self, statement: Query | Executable, **params: Any) -> int:
        query = compiled(statement, POSTGRES)
        status = await self._connection.execute(query.text, *query.values(params))
        return int(status.rsplit(" ", 1)[-1])


class Postgres(Database):
    """One service's PostgreSQL database behind a pool of connections."""

    dialect = POSTGRES

    def __init__(self, url: str, clock: Clock, connections: int) -> None:
        self._url = url
        self._clock = clock
        self._connections = connections
        self._pool: asyncpg.Pool[Any] | None = None
        self._opening = asyncio.Lock()
        self._appending = asyncio.Lock()
        self._kept: PoolConnectionProxy[Any] | None = None

    async def open(self) -> None:
        until = machine_seconds() + START_SECONDS
        while True:
            try:
                await self._ready()
            except Unavailable:
                if machine_seconds() > until:
                    raise
                await asyncio.sleep(0.2)
            else:
                return

    async def _ready(self) -> "asyncpg.Pool[Any]":
        async with self._opening:
            if self._pool is None:
                with _told_apart():
                    self._pool = await asyncpg.create_pool(
                        self._url,
                        min_size=1,
                        max_size=self._connections,
                        timeout=ACQUIRE_SECONDS,
                        command_timeout=60,
                        statement_cache_size=500,
                        max_cached_statement_lifetime=0,
                        server_settings=SESSION,
                        reset=_as_it_is,
                    )
            return self._pool

    async def close(self) -> None:
        await self._give_back()
        pool, self._pool = self._pool, None
        if pool is not None:
            try:
                await asyncio.wait_for(pool.close(), 5)
            except (TimeoutError, *AWAY):
                pool.terminate()

    def read(self) -> AbstractAsyncContextManager[Reader]:
        return self._read()

    def look(self) -> AbstractAsyncContextManager[Reader]:
        return self._look()

    def write(self) -> AbstractAsyncContextManager[Tx]:
        return self._write()

    async def append(
        self, appending: Appending, bundles: Sequence[Bundle], tallies: Sequence[Tally], writer: str
    ) -> list[Any] | None:
        values = appending.postgres_values(bundles, self._clock.offset, tallies, writer)
        async with self._appending, self._kept_connection() as connection:
            with _told_apart():
                rows = await connection.fetch(appending.postgres, *values)
        new: list[Any] | None = rows[0][1]
        return [] if new is None and not rows[0][0] else new

    @asynccontextmanager
    async def _kept_connection(self) -> AsyncIterator["PoolConnectionProxy[Any]"]:
        """The one that appends: to take it out of the pool and give it back each time costs as much as half a commit.

        After a failure it goes back, and another one is taken.
        """
        if self._kept is None or _is_gone(self._kept):
            await self._give_back()
            with _told_apart():
                pool = self._pool or await self._ready()
                self._kept = await pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            yield self._kept
        except BaseException:
            await self._give_back()
            raise

    async def _give_back(self) -> None:
        kept, self._kept = self._kept, None
        if kept is not None and self._pool is not None:
            with suppressed(*AWAY):
                await self._pool.release(kept, timeout=2)

    @asynccontextmanager
    async def _connection(self) -> AsyncIterator["PoolConnectionProxy[Any]"]:
        with _told_apart():
            pool = self._pool or await self._ready()
            connection = await pool.acquire(timeout=ACQUIRE_SECONDS)
        try:
            yield connection
        finally:
            with suppressed(*AWAY):
                await pool.release(connection, timeout=2)  # shielded by the pool itself

    @asynccontextmanager
    async def _session(self, begin: str) -> AsyncIterator["PoolConnectionProxy[Any]"]:
        async with self._connection() as connection:
            try:
                with _told_apart():
                    await connection.execute(begin)
                    yield connection
                    _committed(await connection.execute("COMMIT"))
            except BaseException:
                with suppressed(*AWAY):
                    await asyncio.shield(asyncio.wait_for(_roll_back(connection), 2))
                raise

    @asynccontextmanager
    async def _read(self) -> AsyncIterator[Reader]:
        async with self._session("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY") as connection:
            yield _PostgresReader(connection, self._clock.now())

    @asynccontextmanager
    async def _look(self) -> AsyncIterator[Reader]:
        async with self._connection() as connection:
            with _told_apart():
                yield _PostgresReader(connection, self._clock.now())

    @asynccontextmanager
    async def _write(self) -> AsyncIterator[Tx]:
        async with self._session("BEGIN") as connection:
            yield _PostgresTx(connection, self._clock.now())


def _is_gone(connection: "PoolConnectionProxy[Any]") -> bool:
    """Whether the server has closed a connection; the pool takes it back at once, and asking it then is an error."""
    try:
        return bool(connection.is_closed())
    except asyncpg.InterfaceError:
        return True


async def _as_it_is(_connection: "asyncpg.Connection[Any]") -> None:
    """Spare the pool's RESET ALL: nothing is set for longer than a transaction, and an open one the pool rolls back."""


def _committed(status: str) -> None:
    """PostgreSQL answers ROLLBACK to the COMMIT of a transaction in which a statement failed."""
    if status != "COMMIT":
        raise Unavailable("PostgreSQL rolled back instead of committing")


async def _roll_back(connection: "PoolConnectionProxy[Any]") -> None:
    if connection.is_closed():
        return
    await connection.execute("ROLLBACK")
