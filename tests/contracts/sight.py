"""Everything that an embedded installation has written down, read past the services."""

import sqlite3
from collections.abc import Sequence
from pathlib import Path

from shared.running import Running

BOOKKEEPING = frozenset({"counter", "lease", "heartbeat", "idempotency"})  # not what a call is about
State = dict[str, tuple[int, int]]


class Sight:
    """Looks into each service's database file, and reads again only those that were written to.

    With an `account` it sees that one's rows only, and only tables whose rows are somebody's.
    """

    def __init__(self, running: Sequence[Running], folder: Path, account: str = "") -> None:
        self._account = account
        self._tables = {
            one.service.name: [
                each.name
                for each in one.service.metadata.sorted_tables
                if each.name not in BOOKKEEPING and (not account or "account" in each.columns)
            ]
            for one in running
        }
        self._files = {name: sqlite3.connect(f"file:{folder}/{name}.db?mode=ro", uri=True) for name in self._tables}
        self._seen: dict[str, tuple[int, State]] = {}

    def close(self) -> None:
        """Let the files go."""
        for file in self._files.values():
            file.close()

    def now(self) -> State:
        """Number of rows of each table, and a digest of them."""
        found: State = {}
        for name, file in self._files.items():
            [version] = file.execute("PRAGMA data_version").fetchone()
            if name not in self._seen or self._seen[name][0] != version:
                self._seen[name] = version, {f"{name}.{table}": self._read(file, table) for table in self._tables[name]}
            found |= self._seen[name][1]
        return found

    def _read(self, file: sqlite3.Connection, table: str) -> tuple[int, int]:
        chosen, given = (" WHERE account = ?", [self._account]) if self._account else ("", [])
        rows = file.execute(f'SELECT * FROM "{table}"{chosen}', given).fetchall()
        return len(rows), hash(frozenset(rows))


def changed(one: State, other: State) -> list[str]:
    """The tables that are not the same."""
    return [name for name in one if one[name] != other[name]]


def more(before: State, after: State) -> dict[str, int]:
    """The tables that were written to, and how many rows each has more."""
    return {name: after[name][0] - before[name][0] for name in changed(before, after)}
