"""The embedded bus: an append-only log in one SQLite file, with Kafka's partitions and group cursors."""

import asyncio
import json
import random
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path

import msgspec

from shared.bus.base import HEARTBEAT, Outgoing, Record, firsts
from shared.clock import machine_now, machine_seconds
from shared.db.thread import Thread
from shared.errors import Unavailable
from shared.partition import SINGLE, partitions_of

SCHEMA = """
CREATE TABLE IF NOT EXISTS record (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, offset INTEGER NOT NULL, key TEXT NOT NULL,
  head BLOB NOT NULL, body BLOB NOT NULL, at REAL NOT NULL, PRIMARY KEY (topic, partition, offset)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS tip (
  topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL, beat INTEGER NOT NULL DEFAULT -1,
  PRIMARY KEY (topic, partition)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS cursor (
  name TEXT NOT NULL, topic TEXT NOT NULL, partition INTEGER NOT NULL, next INTEGER NOT NULL,
  PRIMARY KEY (name, topic, partition)) WITHOUT ROWID;
"""
KEPT = timedelta(days=14)
_head = msgspec.json.Decoder(dict[str, str]).decode


class LogBus:
    """An append-only log for one process: no broker, no rebalancing, the same guarantees."""

    def __init__(self, path: str) -> None:
        self.path = path
        self._thread: Thread | None = None
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Open or create the file."""
        Path(self.path).parent.mkdir(parents=True, exist_ok=True)
        self._thread = Thread(self.path, readonly=False)
        await self._thread.run(lambda con: con.executescript(SCHEMA) and None)

    @property
    def thread(self) -> Thread:
        """The connection's thread."""
        if self._thread is None:
            raise Unavailable("the log is not open")
        return self._thread

    async def close(self) -> None:
        """Close the file."""
        if self._thread is not None:
            await self._thread.stop()
            self._thread = None

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Append all in one transaction; returns after it is on disk."""
        now = machine_now().timestamp()
        await self.thread.run(lambda con: _append(con, records, now))
        news, self._news = self._news, asyncio.Event()
        news.set()

    async def subscribe(self, group: str, topics: Sequence[str]) -> "LogSubscription":
        """One reader of all partitions."""
        return LogSubscription(self, group, topics)

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        rows = await self.thread.run(
            lambda con: con.execute("SELECT partition, next FROM tip WHERE topic = ?", (topic,)).fetchall()
        )
        return dict.fromkeys(range(partitions_of(topic)), 0) | dict(rows)

    async def lag(self, group: str, topics: Sequence[str]) -> int:
        """Records past a group's stored cursor."""
        return await self.thread.run(lambda con: _lag(con, group, topics))

    async def make_topics(self, topics: Sequence[str]) -> None:
        """Nothing to do: a topic is there once something is published to it."""

    async def trim(self) -> None:
        """Drop what is older than the retention; the set-up topic keeps the newest of each key."""
        oldest = (machine_now() - KEPT).timestamp()
        await self.thread.run(lambda con: _trim(con, oldest))

    def news(self) -> asyncio.Event:
        """Set when something is next published."""
        return self._news


class LogSubscription:
    """The one reader of a group on the log."""

    def __init__(self, bus: LogBus, group: str, topics: Sequence[str]) -> None:
        self._bus = bus
        self._group = group
        self._topics = tuple(topics)
        self._at: dict[tuple[str, int], int] | None = None
        self._rests: dict[tuple[str, int], float] = {}

    async def fetch(self, limit: int, wait_seconds: float) -> list[Record]:
        """Records past the cursor, partition by partition."""
        news = self._bus.news()
        at = self._at
        if at is None:
            at = self._at = await self._bus.thread.run(lambda con: _cursors(con, self._group, self._topics))
        found = await self._read(at, limit)
        if not found and wait_seconds > 0:
            try:
                await asyncio.wait_for(news.wait(), wait_seconds)
            except TimeoutError:
                return []
            found = await self._read(at, limit)
        return found

    async def _read(self, at: dict[tuple[str, int], int], limit: int) -> list[Record]:
        self._rests = {place: until for place, until in self._rests.items() if until > machine_seconds()}
        rests = frozenset(self._rests)
        rows = await self._bus.thread.run(lambda con: _read(con, self._topics, at, rests, limit))
        for topic, partition, offset, *_rest in rows:
            at[topic, partition] = offset + 1
        return [
            Record(topic, partition, offset, key, _head(head), body)
            for topic, partition, offset, key, head, body in rows
        ]

    async def commit(self, records: Sequence[Record]) -> None:
        """Store the cursor."""
        ends = {(record.topic, record.partition): record.offset + 1 for record in records}
        rows = [(self._group, topic, partition, following) for (topic, partition), following in ends.items()]
        await self._bus.thread.run(lambda con: _commit(con, rows))

    async def rewind(self, records: Sequence[Record], rest_seconds: float = 0.0) -> None:
        """Read again from the first of these in each partition."""
        at = self._at or {}  # whoever gives records back has fetched them
        for place, offset in firsts(records).items():
            at[place] = min(offset, at[place])
            self._rests[place] = machine_seconds() + rest_seconds

    def places(self) -> frozenset[tuple[str, int]]:
        """All of them: a group has one reader here."""
        return frozenset((topic, number) for topic in self._topics for number in range(partitions_of(topic)))

    async def close(self) -> None:
        """Nothing to leave."""


@contextmanager
def _whole(con: sqlite3.Connection) -> Iterator[None]:
    """All of it or nothing."""
    con.execute("BEGIN IMMEDIATE")
    try:
        yield
        con.execute("COMMIT")
    except BaseException:
        if con.in_transaction:
            con.execute("ROLLBACK")
        raise


def _append(con: sqlite3.Connection, records: Sequence[Outgoing], now: float) -> None:
    with _whole(con):
        tips: dict[tuple[str, int], list[int]] = {}
        for record in records:
            place = (record.topic, record.partition)
            if place not in tips:
                row = con.execute("SELECT next, beat FROM tip WHERE topic = ? AND partition = ?", place).fetchone()
                tips[place] = list(row) if row else [0, -1]
            _append_one(con, record, tips[place], now)
        con.executemany(
            "INSERT INTO tip VALUES (?, ?, ?, ?) "
            "ON CONFLICT (topic, partition) DO UPDATE SET next = excluded.next, beat = excluded.beat",
            [(topic, partition, *tip) for (topic, partition), tip in tips.items()],
        )


def _append_one(con: sqlite3.Connection, record: Outgoing, tip: list[int], now: float) -> None:
    """Append one record, over the older heartbeat of its partition or the older state of its thing of the set-up."""
    offset, beat = tip
    if record.key == HEARTBEAT:
        if beat >= 0:
            con.execute(
                "DELETE FROM record WHERE topic = ? AND partition = ? AND offset = ?",
                (record.topic, record.partition, beat),
            )
        tip[1] = offset
    elif record.topic in SINGLE:
        con.execute("DELETE FROM record WHERE topic = ? AND key = ?", (record.topic, record.key))
    con.execute(
        "INSERT INTO record VALUES (?, ?, ?, ?, ?, ?, ?)",
        (record.topic, record.partition, offset, record.key, record.head, record.body, now),
    )
    tip[0] = offset + 1


def _cursors(con: sqlite3.Connection, group: str, topics: Sequence[str]) -> dict[tuple[str, int], int]:
    stored = {
        (topic, partition): following
        for topic, partition, following in con.execute(
            "SELECT topic, partition, next FROM cursor WHERE name = ?", (group,)
        )
    }
    return {(topic, p): stored.get((topic, p), 0) for topic in topics for p in range(partitions_of(topic))}


def _read(
    con: sqlite3.Connection,
    topics: Sequence[str],
    at: dict[tuple[str, int], int],
    rests: frozenset[tuple[str, int]],
    limit: int,
) -> list[tuple[str, int, int, str, bytes, bytes]]:
    marks = ", ".join("?" for _ in topics)
    tips = con.execute(f"SELECT topic, partition, next FROM tip WHERE topic IN ({marks})", topics).fetchall()  # noqa: S608
    waiting = [(topic, partition) for topic, partition, following in tips if following > at.get((topic, partition), 0)]
    behind = [place for place in waiting if place not in rests]
    random.shuffle(behind)
    rows: list[tuple[str, int, int, str, bytes, bytes]] = []
    for topic, partition in behind:
        if len(rows) >= limit:
            break
        rows += con.execute(
            "SELECT topic, partition, offset, key, head, body FROM record "
            "WHERE topic = ? AND partition = ? AND offset >= ? ORDER BY offset LIMIT ?",
            (topic, partition, at[topic, partition], limit - len(rows)),
        ).fetchall()
    return rows


def _commit(con: sqlite3.Connection, rows: Sequence[tuple[str, str, int, int]]) -> None:
    with _whole(con):
        con.executemany(
            "INSERT INTO cursor VALUES (?, ?, ?, ?) "
            "ON CONFLICT (name, topic, partition) DO UPDATE SET next = excluded.next",
            rows,
        )


def _lag(con: sqlite3.Connection, group: str, topics: Sequence[str]) -> int:
    at = _cursors(con, group, topics)
    total = 0
    for topic in topics:
        for partition in range(partitions_of(topic)):
            total += con.execute(
                "SELECT count(*) FROM record WHERE topic = ? AND partition = ? AND offset >= ?",
                (topic, partition, at[topic, partition]),
            ).fetchone()[0]
    return total


def _trim(con: sqlite3.Connection, oldest: float) -> None:
    marks = json.dumps(sorted(SINGLE))
    con.execute("DELETE FROM record WHERE at < ? AND topic NOT IN (SELECT value FROM json_each(?))", (oldest, marks))
