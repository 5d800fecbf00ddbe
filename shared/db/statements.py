"""SQL texts for work by the set, made once for each table and database."""

from collections.abc import Callable, Sequence
from functools import cache
from typing import Any, cast

from sqlalchemy import Column, Executable, Float, Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.engine import Dialect
from sqlalchemy.sql.compiler import SQLCompiler

Convert = Callable[[Any], Any]
Converters = tuple[tuple[int, Convert], ...]

POSTGRES: Dialect = postgresql.dialect(paramstyle="numeric_dollar")  # type: ignore[no-untyped-call]
SQLITE: Dialect = sqlite.dialect(paramstyle="qmark")


def to_driver(columns: Sequence[Column[Any]], dialect: Dialect) -> Converters:
    """Converters for values on their way in, by position, only where one is needed."""
    found = ((at, column.type.dialect_impl(dialect).bind_processor(dialect)) for at, column in enumerate(columns))
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
    """Apply converters to whole columns."""
    for at, convert in converters:
        columns[at] = [None if value is None else convert(value) for value in columns[at]]
    return columns


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

    def _cast(self, column: Column[Any], at: int) -> str:
        return f"${at}::{column.type.compile(dialect=self.dialect)}[]"

    def _source(self, columns: Sequence[Column[Any]]) -> str:
        return ", ".join(self._cast(column, at) for at, column in enumerate(columns, 1))

    def _insert_head(self) -> str:
        names = ", ".join(column.name for column in self.columns)
        if self.is_postgres:
            return f"INSERT INTO {self.name} ({names}) SELECT * FROM unnest({self._source(self.columns)})"  # noqa: S608
        marks = ", ".join("?" for _ in self.columns)
        return f"INSERT INTO {self.name} ({names}) VALUES ({marks})"  # noqa: S608

    @cache  # noqa: B019 - one object for each table, kept for ever
    def insert(self, returning: tuple[str, ...], *, ignore: bool) -> str:
        """Insert many, perhaps leaving out those that exist, perhaps giving back columns of those inserted."""
        tail = " ON CONFLICT DO NOTHING" if ignore else ""
        return self._insert_head() + tail + (f" RETURNING {', '.join(returning)}" if returning else "")

    @cache  # noqa: B019
    def upsert(self, add: tuple[str, ...]) -> str:
        """Insert or replace many by primary key; columns in `add` are added up."""
        keys = primary_key(self.table)
        sets = ", ".join(
            f"{c.name} = {self.name}.{c.name} + excluded.{c.name}" if c.name in add else f"{c.name} = excluded.{c.name}"
            for c in self.columns
            if c.name not in keys
        )
        action = f"UPDATE SET {sets}" if sets else "NOTHING"
        return f"{self._insert_head()} ON CONFLICT ({', '.join(keys)}) DO {action}"

    @cache  # noqa: B019
    def update(self, by: tuple[str, ...], columns: tuple[str, ...]) -> str:
        """Set `columns` of every row that its `by` columns name."""
        given = [self.table.columns[name] for name in (*by, *columns)]
        if not self.is_postgres:
            sets = ", ".join(f"{name} = ?" for name in columns)
            return f"UPDATE {self.name} SET {sets} WHERE {self._on(by)}"  # noqa: S608
        sets = ", ".join(f"{name} = given.k{at}" for at, name in enumerate(columns, len(by)))
        names = ", ".join(f"k{at}" for at in range(len(given)))
        source = f"unnest({self._source(given)}) AS given({names})"
        return f"UPDATE {self.name} SET {sets} FROM {source} WHERE {self._on(by)}"  # noqa: S608

    def _matched(self, by: tuple[str, ...]) -> str:
        keys = ", ".join(f"k{at}" for at in range(len(by)))
        source = self._source([self.table.columns[name] for name in by])
        return f"unnest({source}) AS given({keys})"

    def _on(self, by: tuple[str, ...]) -> str:
        if self.is_postgres:
            return " AND ".join(f"{self.name}.{name} = given.k{at}" for at, name in enumerate(by))
        return " AND ".join(f"{name} = ?" for name in by)

    @cache  # noqa: B019
    def fetch(self, by: tuple[str, ...], lock: str, *, keys_only: bool = False) -> str:
        """Read all rows whose `by` columns match, or only their primary keys; `lock` is '', 'wait' or 'skip'."""
        read = self.table.primary_key.columns if keys_only else self.table.columns
        names = ", ".join(f"{self.name}.{column.name}" for column in read)
        if not self.is_postgres:
            return f"SELECT {names} FROM {self.name} WHERE {self._on(by)}"  # noqa: S608
        order = ", ".join(f"{self.name}.{name}" for name in primary_key(self.table))
        tail = {"": "", "wait": " FOR UPDATE OF {}", "skip": " FOR UPDATE OF {} SKIP LOCKED"}[lock].format(self.name)
        return f"SELECT {names} FROM {self.name} JOIN {self._matched(by)} ON {self._on(by)} ORDER BY {order}{tail}"  # noqa: S608

    @cache  # noqa: B019
    def delete(self, by: tuple[str, ...]) -> str:
        """Delete all rows whose `by` columns match, giving back the primary keys of those that were there."""
        back = ", ".join(f"{self.name}.{name}" for name in primary_key(self.table))
        using = f" USING {self._matched(by)}" if self.is_postgres else ""
        return f"DELETE FROM {self.name}{using} WHERE {self._on(by)} RETURNING {back}"  # noqa: S608

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
