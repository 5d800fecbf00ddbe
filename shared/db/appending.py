"""Appending: bundles of rows into one table, each row at most once, counted in the same commit, in one round trip."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Table

from shared.db.statements import POSTGRES, SQLITE, convert_columns, convert_row, sql_of


class Bundle(msgspec.Struct, frozen=True):
    """Rows that were handed in together: their own values by column, and those that all of them share."""

    own: tuple[Sequence[Any], ...]
    shared: tuple[Any, ...]


class Tally(msgspec.Struct, frozen=True):
    """What is entered in a counter: `fixed`, and `each` for every row that was new."""

    name: str
    fixed: int
    each: int

    def of(self, new: int) -> int:
        """The number for so many new rows."""
        return self.fixed + self.each * new


class Appending:
    """How rows get into a table: which columns they have of their own, share, are stamped in, and have in `same`.

    The first of the `own` columns must be unique; `stamped` gets the database's clock plus the business offset.
    """

    def __init__(
        self,
        table: Table,
        counter: Table,
        *,
        own: tuple[str, ...],
        shared: tuple[str, ...],
        stamped: str,
        same: Mapping[str, Any],
    ) -> None:
        self._table = table
        self._counter = counter
        self._own = own
        self._shared = shared
        self._names = (*own, *shared, stamped, *same)
        self._same = same
        self.postgres = self._postgres_text()
        self.sqlite = self._sqlite_text()
        self.sqlite_count = (
            f"INSERT INTO {counter.name} (name, writer, value) VALUES (?, ?, ?) "  # noqa: S608
            f"ON CONFLICT (name, writer) DO UPDATE SET value = {counter.name}.value + excluded.value"
        )

    def _kind(self, name: str) -> str:
        return str(self._table.columns[name].type.compile(dialect=POSTGRES))

    def _postgres_text(self) -> str:
        """Every bundle's first row number lies in an array, in which a row looks up what it shares."""
        own, shared, same = self._own, self._shared, tuple(self._same)
        after = len(own) + len(shared)
        columns = ", ".join(f"${at}::{self._kind(name)}[]" for at, name in enumerate(own, 1))
        looked_up = [f"(${at}::{self._kind(name)}[])[bundle]" for at, name in enumerate(shared, len(own) + 1)]
        firsts, offset, first_same = after + 1, after + 2, after + 3
        alike = [f"${at}::{self._kind(name)}" for at, name in enumerate(same, first_same)]
        names, bases, each, writer, handed = (first_same + len(same) + at for at in range(5))
        values = ", ".join((*own, *looked_up, f"statement_timestamp() + ${offset}::interval", *alike))
        return f"""
            WITH new AS (
                INSERT INTO {self._table.name} ({", ".join(self._names)})
                SELECT {values} FROM (
                    SELECT {", ".join(own)}, width_bucket(place, ${firsts}::bigint[]) AS bundle
                    FROM unnest({columns}) WITH ORDINALITY AS given({", ".join(own)}, place)
                ) AS bundled
                ON CONFLICT DO NOTHING RETURNING {own[0]}
            ), counted AS (
                INSERT INTO {self._counter.name} (name, writer, value)
                SELECT name, ${writer}::text, fixed + each * (SELECT count(*) FROM new)
                FROM unnest(${names}::text[], ${bases}::bigint[], ${each}::bigint[]) AS given(name, fixed, each)
                WHERE fixed + each * (SELECT count(*) FROM new) <> 0
                ON CONFLICT (name, writer) DO UPDATE SET value = {self._counter.name}.value + excluded.value
            )
            SELECT count(*), CASE WHEN count(*) < ${handed}::bigint THEN array_agg({own[0]}) END FROM new
        """  # noqa: S608 - names of our own tables and columns

    def _sqlite_text(self) -> str:
        marks = ", ".join("?" for _ in self._names)
        names = ", ".join(self._names)
        return f"INSERT INTO {self._table.name} ({names}) VALUES ({marks}) ON CONFLICT DO NOTHING"  # noqa: S608

    def postgres_values(
        self, bundles: Sequence[Bundle], offset: Any, tallies: Sequence[Tally], writer: str
    ) -> list[Any]:
        """The parameters of the PostgreSQL statement."""
        sql = sql_of(self._table, POSTGRES)
        own = [_joined([bundle.own[at] for bundle in bundles]) for at in range(len(self._own))]
        shared: list[Sequence[Any]] = list(zip(*(bundle.shared for bundle in bundles), strict=True))
        counted = [[tally.name for tally in tallies], [tally.fixed for tally in tallies], [t.each for t in tallies]]
        return [
            *convert_columns(own, sql.key_into(self._own)),
            *convert_columns(shared, sql.key_into(self._shared)),
            _firsts(bundles),
            offset,
            *convert_row(list(self._same.values()), sql.key_into(tuple(self._same))),
            *counted,
            writer,
            len(own[0]),
        ]

    def sqlite_values(self, bundle: Bundle, stamp: Any) -> list[Sequence[Any]]:
        """The rows of one bundle for the SQLite statement."""
        sql = sql_of(self._table, SQLITE)
        own = convert_columns(list(bundle.own), sql.key_into(self._own))
        after = convert_row([*bundle.shared, stamp, *self._same.values()], sql.key_into(self._names[len(own) :]))
        return [(*row, *after) for row in zip(*own, strict=True)]


def _joined(columns: Sequence[Sequence[Any]]) -> Sequence[Any]:
    return columns[0] if len(columns) == 1 else [value for column in columns for value in column]


def _firsts(bundles: Sequence[Bundle]) -> list[int]:
    """The number of each bundle's first row, counted from 1."""
    firsts, number = [], 1
    for bundle in bundles:
        firsts.append(number)
        number += len(bundle.own[0])
    return firsts
