"""SQL texts for work by the set, made once for each table and database."""

from collections.abc import Callable, Sequence
from functools import cache
from itertools import repeat
from operator import is_
from typing import Any, cast

from sqlalchemy import Boolean, Column, Executable, Float, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], Any]
Converters = tuple[tuple[int, Convert], ...]
Alike = tuple[int, ...]
LEAST_ALIKE = 8
MOST_PATTERNS = 8

POSTGRES: Dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")


def to_driver(columns: Sequence[Column[Any]], dialect: Dialect) -> Converters:
    """Converters for values on their way in, by position, only where one is needed: both drivers take booleans."""
    given = [(at, column.type) for at, column in enumerate(columns) if not isinstance(column.type, Boolean)]
    found = ((at, kind.dialect_impl(dialect).bind_processor(dialect)) for at, kind in given)
    return tuple((at, convert) for at, convert in found if convert)


def from_driver(types: Sequence[Any], dialect: Dialect) -> Converters:
    """Converters for values on their way out, by position, only where one is needed."""
    given = [(at, kind) for at, kind in enumerate(types) if not isinstance(kind, Float)]  # both drivers give floats
    found = ((at, kind.dialect_impl(dialect).result_processor(dialect, None)) for at, kind in given)
    return tuple((at, convert) for at, convert in found if convert)


def primary_key(table: Table) -> tuple[str, ...]:
    """Names of a table's primary key columns."""
    return tuple(column.name for column in table.primary_key.columns)


def written(table: Table) -> list[Column[Any]]:
    """The columns that a row carries when it is written: all but a self-counting `seq`."""
    return [column for column in table.columns if column.name != "seq"]


def convert_columns(columns: list[Sequence[Any]], converters: Converters) -> list[Sequence[Any]]:
    """Apply converters to whole columns; the very same object all the way down is converted once."""
    for at, convert in converters:
        values = columns[at]
        if len(values) > 1 and values[0] is values[-1] and all(map(is_, values, repeat(values[0]))):
            columns[at] = [None if values[0] is None else convert(values[0])] * len(values)
        else:
            columns[at] = [None if value is None else convert(value) for value in values]
    return columns


def folded(columns: list[Sequence[Any]], patterns: list[Alike]) -> tuple[Alike, list[Any]]:
    """Which columns to insert hold the same value in every row, and the columns with one value for each of these.

    The driver asks every value of an array whether it is a container, which costs more than writing it. At least one
    column stays as it is, and short ones all do. Floats do: 0.0 and -0.0 are alike in Python only. Keys to look up do
    too: the planner would read all that have the one account, instead of each key by the index. `patterns` are what
    was answered for the table so far; they stay few, since each makes a text, and every connection prepares it.
    """
    number = len(columns[0])
    if number < LEAST_ALIKE:
        return (), list(columns)
    alike = [at for at, values in enumerate(columns) if _same(values, number)]
    if len(alike) == len(columns):
        alike.pop()
    pattern = _one_of_few(tuple(alike), patterns)
    given: list[Any] = list(columns)
    for at in pattern:
        given[at] = columns[at][0]
    return pattern, given


def _one_of_few(alike: Alike, patterns: list[Alike]) -> Alike:
    """The pattern itself while there are few, then the widest known one that it covers."""
    if alike in patterns:
        return alike
    if len(patterns) < MOST_PATTERNS:
        patterns.append(alike)
        return alike
    return max((known for known in patterns if set(known) <= set(alike)), key=len, default=())


def _same(values: Sequence[Any], number: int) -> bool:
    first = values[0]
    return not isinstance(first, float) and first == values[-1] and values.count(first) == number


def convert_rows(rows: Sequence[Sequence[Any]], converters: Converters) -> Sequence[Sequence[Any]]:
    """Apply converters to many rows: column by column, which costs less than row by row."""
    if not converters or not rows:
        return rows
    return list(zip(*convert_columns(list(zip(*rows, strict=True)), converters), strict=True))


def convert_row(row: Sequence[Any], converters: Converters) -> Sequence[Any]:
    """Apply converters to one row."""
    if not converters:
        return row
    values = list(row)
    for at, convert in converters:
        if values[at] is not None:
            values[at] = convert(values[at])
    return values


class TableSql:
    """The statements for one table on one database."""

    def __init__(self, table: Table, dialect: Dialect) -> None:
        self.table = table
        self.dialect = dialect
        self.is_postgres = dialect.name == "postgresql"
        self.columns = written(table)
        self.into = to_driver(self.columns, dialect)
        self.out = from_driver([column.type for column in table.columns], dialect)
        self.name = table.name
        self.names = tuple(column.name for column in self.columns)
        self.patterns: list[Alike] = []

    def _kind(self, name: str) -> str:
        return str(self.table.columns[name].type.compile(dialect=self.dialect))

    def _given(self, names: Sequence[str], alike: Alike = ()) -> list[str]:
        """What stands for the value of each column: PostgreSQL gets columns as arrays, those alike as one value."""
        kinds = [self._kind(name) for name in names]
        return [f"${at + 1}::{kind}" if at in alike else f"given.k{at}" for at, kind in enumerate(kinds)]

    def _rows(self, names: Sequence[str], alike: Alike = ()) -> str:
        own = [at for at in range(len(names)) if at not in alike]
        arrays = ", ".join(f"${at + 1}::{self._kind(names[at])}[]" for at in own)
        return f"unnest({arrays}) AS given({', '.join(f'k{at}' for at in own)})"

    def _insert_head(self, alike: Alike) -> str:
        names = ", ".join(self.names)
        if self.is_postgres:
            values, rows = ", ".join(self._given(self.names, alike)), self._rows(self.names, alike)
            return f"INSERT INTO {self.name} ({names}) SELECT {values} FROM {rows}"  # noqa: S608
        marks = ", ".join("?" for _ in self.names)
        return f"INSERT INTO {self.name} ({names}) VALUES ({marks})"  # noqa: S608

    @cache  # noqa: B019 - one object for each table, kept for ever
    def insert(self, returning: tuple[str, ...], *, ignore: bool, alike: Alike = ()) -> str:
        """Insert many, perhaps leaving out those that exist, perhaps giving back columns of those inserted."""
        tail = " ON CONFLICT DO NOTHING" if ignore else ""
        return self._insert_head(alike) + tail + (f" RETURNING {', '.join(returning)}" if returning else "")

    @cache  # noqa: B019
    def upsert(self, add: tuple[str, ...], alike: Alike = ()) -> str:
        """Insert or replace many by primary key; columns in `add` are added up."""
        keys = primary_key(self.table)
        sets = ", ".join(
            f"{c.name} = {self.name}.{c.name} + excluded.{c.name}" if c.name in add else f"{c.name} = excluded.{c.name}"
            for c in self.columns
            if c.name not in keys
        )
        action = f"UPDATE SET {sets}" if sets else "NOTHING"
        return f"{self._insert_head(alike)} ON CONFLICT ({', '.join(keys)}) DO {action}"

    @cache  # noqa: B019
    def update(self, by: tuple[str, ...], columns: tuple[str, ...]) -> str:
        """Set `columns` of every row that its `by` columns name."""
        if not self.is_postgres:
            sets = ", ".join(f"{name} = ?" for name in columns)
            return f"UPDATE {self.name} SET {sets} WHERE {self._on(by)}"  # noqa: S608
        given = self._given((*by, *columns))[len(by) :]
        sets = ", ".join(f"{name} = {value}" for name, value in zip(columns, given, strict=True))
        source = self._rows((*by, *columns))
        return f"UPDATE {self.name} SET {sets} FROM {source} WHERE {self._on(by)}"  # noqa: S608

    def _on(self, by: tuple[str, ...]) -> str:
        if self.is_postgres:
            given = zip(by, self._given(by), strict=True)
            return " AND ".join(f"{self.name}.{name} = {value}" for name, value in given)
        return " AND ".join(f"{name} = ?" for name in by)

    @cache  # noqa: B019
    def fetch(self, by: tuple[str, ...], lock: str, *, keys_only: bool = False, at_once: int = 1) -> str:
        """Read all rows whose `by` columns match, or only their primary keys; `lock` is '', 'wait' or 'skip'.

        SQLite looks up so many keys `at_once`; its CROSS JOIN is one that the planner never turns round.
        """
        read = self.table.primary_key.columns if keys_only else self.table.columns
        names = ", ".join(f"{self.name}.{column.name}" for column in read)
        on = self._on(by)
        if not self.is_postgres and at_once == 1:
            return f"SELECT {names} FROM {self.name} WHERE {on}"  # noqa: S608
        if not self.is_postgres:
            rows = ", ".join([f"({', '.join('?' for _ in by)})"] * at_once)
            alike = " AND ".join(f"{self.name}.{name} = given.column{at}" for at, name in enumerate(by, 1))
            return f"SELECT {names} FROM (VALUES {rows}) AS given CROSS JOIN {self.name} ON {alike}"  # noqa: S608
        order = ", ".join(f"{self.name}.{name}" for name in primary_key(self.table))
        tail = {"": "", "wait": " FOR UPDATE OF {}", "skip": " FOR UPDATE OF {} SKIP LOCKED"}[lock].format(self.name)
        return f"SELECT {names} FROM {self.name} JOIN {self._rows(by)} ON {on} ORDER BY {order}{tail}"  # noqa: S608

    @cache  # noqa: B019
    def first(self, by: tuple[str, ...], order: tuple[str, ...], most: int) -> str:
        """Read so many rows of each key, in an order."""
        names = ", ".join(f"{self.name}.{column.name}" for column in self.table.columns)
        ordered = ", ".join(f"{self.name}.{name} NULLS LAST" for name in order)
        found = f"SELECT {names} FROM {self.name} WHERE {self._on(by)} ORDER BY {ordered} LIMIT {most}"  # noqa: S608
        return f"SELECT found.* FROM {self._rows(by)} CROSS JOIN LATERAL ({found}) found" if self.is_postgres else found  # noqa: S608

    @cache  # noqa: B019
    def delete(self, by: tuple[str, ...]) -> str:
        """Delete all rows whose `by` columns match, giving back the primary keys of those that were there."""
        back = ", ".join(f"{self.name}.{name}" for name in primary_key(self.table))
        using = f" USING {self._rows(by)}" if self.is_postgres else ""
        return f"DELETE FROM {self.name}{using} WHERE {self._on(by)} RETURNING {back}"  # noqa: S608

    @cache  # noqa: B019
    def move(self, into: str) -> str:
        """Move all rows of these keys into another table; SQLite, row by row, leaves the old one to `delete`."""
        names = ", ".join(self.names)
        by = primary_key(self.table)
        if not self.is_postgres:
            return f"INSERT INTO {into} ({names}) SELECT {names} FROM {self.name} WHERE {self._on(by)}"  # noqa: S608
        keys = ", ".join(by)
        gone = f"DELETE FROM {self.name} USING {self._rows(by)} WHERE {self._on(by)} RETURNING {self.name}.*"  # noqa: S608
        kept = f"INSERT INTO {into} ({names}) SELECT {names} FROM gone ORDER BY {keys}"  # noqa: S608
        return f"WITH gone AS ({gone}), kept AS ({kept}) SELECT {keys} FROM gone"  # noqa: S608

    @cache  # noqa: B019
    def places(self, names: tuple[str, ...]) -> tuple[int, ...]:
        """Where columns stand in a row that is written."""
        return tuple(self.names.index(name) for name in names)

    @cache  # noqa: B019
    def key_into(self, by: tuple[str, ...]) -> Converters:
        """Converters for key values."""
        return to_driver([self.table.columns[name] for name in by], self.dialect)

    @cache  # noqa: B019
    def key_out(self) -> Converters:
        """Converters for primary keys given back."""
        return from_driver([column.type for column in self.table.primary_key.columns], self.dialect)


_TABLES: dict[tuple[int, str], TableSql] = {}


def sql_of(table: Table, dialect: Dialect) -> TableSql:
    """The statements for a table, made at first use."""
    key = (id(table), dialect.name)
    found = _TABLES.get(key)
    if found is None:
        found = _TABLES[key] = TableSql(table, dialect)
    return found


class CompiledQuery:
    """A Core statement as text for one database, with the converters its values need."""

    def __init__(self, statement: Executable, dialect: Dialect) -> None:
        options = {"render_postcompile": True}
        compiled = cast(SQLCompiler, statement.compile(dialect=dialect, compile_kwargs=options))  # type: ignore[attr-defined]
        self._compiled = compiled
        self.text = str(compiled)
        self._names = compiled.positiontup or []
        self._processors = compiled._bind_processors  # noqa: SLF001 - SQLAlchemy has no public way to its converters
        self.out = from_driver([entry.type for entry in compiled._result_columns], dialect)  # noqa: SLF001

    def values(self, params: dict[str, Any]) -> list[Any]:
        """Values in the order the text wants them."""
        given = self._compiled.construct_params(params, extracted_parameters=None)
        result = []
        for name in self._names:
            value = given[name]
            convert: Any = self._processors.get(name)
            result.append(convert(value) if convert and value is not None else value)
        return result
