"""What a service may do with its database, whichever it is."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager
from datetime import datetime
from typing import Any, TypeVar, cast

import msgspec
from sqlalchemy import Executable, Table
from sqlalchemy.engine import Dialect

from shared.db.appending import Appending, Bundle, Tally
from shared.db.statements import CompiledQuery, convert_rows, primary_key, sql_of

T = TypeVar("T")
Key = tuple[Any, ...]
Row = Sequence[Any] | msgspec.Struct


class Query:
    """A Core statement at module level that is compiled once for each database."""

    def __init__(self, statement: Executable) -> None:
        self.statement = statement
        self._compiled: dict[str, CompiledQuery] = {}

    def compiled(self, dialect: Dialect) -> CompiledQuery:
        """The text for one database."""
        found = self._compiled.get(dialect.name)
        if found is None:
            found = self._compiled[dialect.name] = CompiledQuery(self.statement, dialect)
        return found


def compiled(statement: Query | Executable, dialect: Dialect) -> CompiledQuery:
    """The text of a statement, from the cache where it has one."""
    return statement.compiled(dialect) if isinstance(statement, Query) else CompiledQuery(statement, dialect)


def as_tuples(rows: Sequence[Row]) -> list[Sequence[Any]]:
    """Rows, all structs or all tuples, as tuples in column order."""
    if not isinstance(rows[0], msgspec.Struct):
        return cast(list[Sequence[Any]], list(rows))
    return list(map(msgspec.structs.astuple, cast(Sequence[msgspec.Struct], rows)))


class Reader(ABC):
    """Reads rows; `now` is the business time at which it was opened."""

    dialect: Dialect
    now: datetime

    @abstractmethod
    async def _select(self, text: str, values: Sequence[Any]) -> Sequence[Sequence[Any]]:
        """Run one statement that gives rows."""

    @abstractmethod
    async def _lock_keys(self, table: Table, keys: list[Key], lock: str) -> Sequence[Sequence[Any]]:
        """Primary keys among `keys` that are there, locked, values as the driver gives them."""

    @abstractmethod
    async def _fetch_keys(
        self, table: Table, by: tuple[str, ...], keys: list[Key], lock: str
    ) -> Sequence[Sequence[Any]]:
        """Rows of `table` whose `by` columns are among `keys`, values as the driver gives them."""

    @abstractmethod
    async def _fetch_first(
        self, table: Table, by: tuple[str, ...], keys: list[Key], order: tuple[str, ...], most: int
    ) -> Sequence[Sequence[Any]]:
        """The first rows of each key, values as the driver gives them."""

    @abstractmethod
    async def machine_now(self) -> datetime:
        """The database's own clock (PostgreSQL) or the machine's (SQLite)."""

    async def fetch(self, statement: Query | Executable, **params: Any) -> list[Sequence[Any]]:
        """All rows of a Core select."""
        query = compiled(statement, self.dialect)
        rows = await self._select(query.text, query.values(params))
        return list(convert_rows(rows, query.out))

    async def fetch_one(self, statement: Query | Executable, **params: Any) -> Sequence[Any] | None:
        """The first row of a Core select, or None."""
        rows = await self.fetch(statement, **params)
        return rows[0] if rows else None

    async def lock_many(self, table: Table, keys: Iterable[Key], *, skip: bool = False) -> list[Key]:
        """Lock the rows of these primary keys, in key order, and give the keys that are there.

        With `skip` those that others hold are left out. On SQLite the one writer holds every row already.
        """
        wanted = sorted(set(keys))
        if not wanted:
            return []
        rows = await self._lock_keys(table, wanted, "skip" if skip else "wait")
        return list(map(tuple, convert_rows(rows, sql_of(table, self.dialect).key_out())))

    async def fetch_by_keys(
        self,
        table: Table,
        keys: Iterable[Key],
        into: Callable[..., T],
        *,
        by: tuple[str, ...] | None = None,
        lock: str = "",
    ) -> list[T]:
        """Every row whose `by` columns (the primary key by default) are among `keys`, each as `into(*row)`.

        `lock` is '' (none), 'wait' or 'skip' (leave out rows that others hold); rows are locked in key order.
        """
        wanted = sorted(set(keys)) if lock else list(set(keys))
        if not wanted:
            return []
        rows = await self._fetch_keys(table, by or primary_key(table), wanted, lock)
        return [into(*row) for row in convert_rows(rows, sql_of(table, self.dialect).out)]

    async def fetch_first_by_keys(
        self,
        table: Table,
        keys: Iterable[Key],
        into: Callable[..., T],
        *,
        by: tuple[str, ...],
        order: tuple[str, ...],
        most: int,
    ) -> list[T]:
        """Of each key in `by` columns the first `most` rows, sorted by the `order` columns with NULL last."""
        wanted = list(set(keys))
        if not wanted:
            return []
        rows = await self._fetch_first(table, by, wanted, order, most)
        return [into(*row) for row in convert_rows(rows, sql_of(table, self.dialect).out)]


class Tx(Reader):
    """Reads and writes rows in one transaction; whoever opened it commits."""

    @abstractmethod
    async def _insert(self, table: Table, rows: list[Sequence[Any]], *, ignore: bool) -> None:
        """Insert rows."""

    @abstractmethod
    async def _insert_new(
        self, table: Table, rows: list[Sequence[Any]], returning: tuple[str, ...]
    ) -> list[Sequence[Any]]:
        """Insert the rows that are not there yet; gives the named columns of those."""

    @abstractmethod
    async def _upsert(self, table: Table, rows: list[Sequence[Any]], add: tuple[str, ...]) -> None:
        """Insert or replace rows."""

    @abstractmethod
    async def _delete(self, table: Table, by: tuple[str, ...], keys: list[Key]) -> Sequence[Sequence[Any]]:
        """Delete rows."""

    @abstractmethod
    async def _move(self, table: Table, into: Table, keys: list[Key]) -> Sequence[Sequence[Any]]:
        """Move rows."""

    @abstractmethod
    async def _update(
        self, table: Table, by: tuple[str, ...], columns: tuple[str, ...], rows: list[Sequence[Any]]
    ) -> None:
        """Set columns of rows."""

    @abstractmethod
    async def execute(self, statement: Query | Executable, **params: Any) -> int:
        """Run a Core update, delete or insert; gives the number of rows it touched."""

    async def insert_many(self, table: Table, rows: Sequence[Row], *, ignore_conflicts: bool = False) -> None:
        """Insert rows (structs or tuples, in column order without a self-counting `seq`)."""
        if rows:
            await self._insert(table, as_tuples(rows), ignore=ignore_conflicts)

    async def insert_new(self, table: Table, rows: Sequence[Row], returning: tuple[str, ...]) -> list[Sequence[Any]]:
        """Insert the rows that are not there yet; gives back the named columns of those that were new."""
        return await self._insert_new(table, as_tuples(rows), returning) if rows else []

    async def upsert_many(self, table: Table, rows: Sequence[Row], *, add: tuple[str, ...] = ()) -> None:
        """Insert rows or replace those with the same primary key; columns in `add` are added to what is stored."""
        if rows:
            await self._upsert(table, as_tuples(rows), add)

    async def update_many(
        self, table: Table, *, by: tuple[str, ...], columns: tuple[str, ...], rows: Sequence[Sequence[Any]]
    ) -> None:
        """Set `columns` of the rows that `by` names; each row is the `by` values, then the new ones."""
        if rows:
            await self._update(table, by, columns, list(rows))

    async def delete_by_keys(self, table: Table, keys: Iterable[Key], by: tuple[str, ...] | None = None) -> list[Key]:
        """Delete every row whose `by` columns are among `keys`; gives the primary keys of those that were there."""
        wanted = sorted(set(keys))
        if not wanted:
            return []
        gone = await self._delete(table, by or primary_key(table), wanted)
        return list(map(tuple, convert_rows(gone, sql_of(table, self.dialect).key_out())))

    async def move_by_keys(self, table: Table, into: Table, keys: Iterable[Key]) -> list[Key]:
        """Move rows, in key order, to the end of a table of the same columns that counts by itself; gives their keys.

        Only rows that are still there are moved.
        """
        wanted = sorted(set(keys))
        if not wanted:
            return []
        gone = await self._move(table, into, wanted)
        return list(map(tuple, convert_rows(gone, sql_of(table, self.dialect).key_out())))


class Database(ABC):
    """One service's database; `alone_at` is the machine time at which no other living process used it, if known."""

    dialect: Dialect
    alone_at: datetime | None = None

    @abstractmethod
    async def open(self) -> None:
        """Connect; raises Unavailable when that fails."""

    @abstractmethod
    async def close(self) -> None:
        """Let go of every connection."""

    @abstractmethod
    def read(self) -> AbstractAsyncContextManager[Reader]:
        """A snapshot to read from."""

    @abstractmethod
    def look(self) -> AbstractAsyncContextManager[Reader]:
        """A reader of which every statement sees what is committed by then: a single one needs no snapshot."""

    @abstractmethod
    def write(self) -> AbstractAsyncContextManager[Tx]:
        """A transaction, committed at the end, rolled back on an exception."""

    @abstractmethod
    async def append(
        self, appending: Appending, bundles: Sequence[Bundle], tallies: Sequence[Tally], writer: str
    ) -> list[Any] | None:
        """Insert the rows that are not there yet and count them, in a commit of its own that goes before others.

        Gives the first own column of the rows that were new; None when all of them were.
        """
