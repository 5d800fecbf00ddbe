"""The limit for a loyalty consumer: decode, inbox, lock, load, judge, store and nothing else, on each database.

Three-line orders become a booking, a lot, two entries and one or two facts; two rules and a tier are judged, or the
ten rules of `ten_rules.py`, written out by hand.
"""

import sqlite3
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5
from zoneinfo import ZoneInfo

import asyncpg
import msgspec

from shared.bus.base import Record

SPACE = UUID(int=7)
RULES: tuple[tuple[str, int], ...] = (("", 100), ("shoes", 50))
MADRID, EVERY_DAY = ZoneInfo("Europe/Madrid"), frozenset(range(7))
TIMES = (100, 125, 150)
TABLES = """
CREATE TABLE inbox (fact {uid} PRIMARY KEY);
CREATE TABLE member (account text, id text, available bigint, pending bigint, qualifying bigint, tier int,
                     PRIMARY KEY (account, id));
CREATE TABLE booking (account text, ord text, revision int, points bigint, PRIMARY KEY (account, ord));
CREATE TABLE lot (id {seq}, account text, member text, points bigint, remaining bigint, expires text, src text);
CREATE INDEX lot_open ON lot (account, member, expires) WHERE remaining > 0;
CREATE TABLE entry (id {seq}, account text, txn {uid}, wallet text, kind int, amount bigint);
CREATE INDEX entry_wallet ON entry (account, wallet, id);
CREATE TABLE outbox (id {seq}, key text, type text, fact {uid}, body {bytes});
"""
POSTGRES = {"uid": "uuid", "seq": "bigserial PRIMARY KEY", "bytes": "bytea"}
SQLITE = {"uid": "blob", "seq": "integer PRIMARY KEY", "bytes": "blob"}


class Line(msgspec.Struct):
    """As much of a line as the rules read."""

    net: int
    categories: list[str] = []


class Order(msgspec.Struct):
    """As much of an order as the rules read."""

    id: str
    revision: int
    lines: list[Line]
    paid_at: datetime


class Paid(msgspec.Struct):
    """The fact."""

    order: Order


class Member(msgspec.Struct, frozen=True):
    """A member's state."""

    id: str
    available: int = 0
    pending: int = 0
    qualifying: int = 0
    tier: int = 0


class Took(msgspec.Struct):
    """What a batch has judged and is to be stored."""

    members: dict[str, Member] = {}
    bookings: dict[str, tuple[str, int, int]] = {}
    lots: list[tuple[str, int, str]] = []
    entries: list[tuple[UUID, str, int, int]] = []
    facts: list[tuple[str, str, UUID, bytes]] = []


_paid = msgspec.json.Decoder(Paid).decode
_encode = msgspec.json.encode


Rule = Callable[[Order, Member], int]


def two_rules(order: Order, _member: Member) -> int:
    """A point for each 1.00, and more for shoes."""
    return sum(sum(line.net for line in order.lines if not c or c in line.categories) // per for c, per in RULES)


def ten_rules(order: Order, member: Member) -> int:
    """Five rules on money spent, four that multiply what these bring, one for the first order; then the tier."""
    today = order.paid_at.astimezone(MADRID).weekday() in EVERY_DAY
    shoes, hats = ([line for line in order.lines if kind in line.categories] for kind in ("shoes", "hats"))
    whole = _spent(order.lines, today=today)
    double = _spent(shoes, today=today) or _spent(hats, today=today) * 50 // 100  # one of a group, the dearer first
    more = (whole * 10 // 100 if today else 0) + (whole * 5 // 100 if not member.tier else 0)
    cut = max(0, sum(line.net for line in order.lines) // 300 - max(0, 10_000 - member.pending))
    return (whole - cut + double + more) * TIMES[member.tier] // 100 + (0 if member.qualifying else 50)


def _spent(lines: Sequence[Line], *, today: bool) -> int:
    """For all, for shoes, for hats line by line, for dear things every day, and what a month's cap may cut."""
    net = sum(line.net for line in lines)
    shoes = sum(line.net for line in lines if "shoes" in line.categories)
    hats = sum(line.net // 700 for line in lines if "hats" in line.categories)
    return net // 100 + shoes // 500 + hats + (net // 5_000 if today else 0) + net // 300


def _tier(qualifying: int) -> int:
    return 2 if qualifying > 50_000 else int(qualifying > 10_000)


def _judge(fact: UUID, customer: str, order: Order, took: Took, points: Rule) -> None:
    booked = took.bookings.get(order.id, ("", 0, 0))
    if booked[1] >= order.revision:
        return
    old = took.members[customer]
    due = points(order, old) - booked[2]
    earned = old.qualifying + due
    new = Member(old.id, old.available, old.pending + due, earned, _tier(earned))
    took.members[customer] = new
    took.bookings[order.id] = (order.id, order.revision, booked[2] + due)
    txn = uuid5(SPACE, fact.hex)
    took.lots.append((customer, due, order.id))
    took.entries += [(txn, customer, 1, due), (txn, "issuer", 2, -due)]
    rated = _encode({"order": order.id, "points": due, "tier": new.tier})
    took.facts.append((customer, "order.rated", uuid5(SPACE, fact.hex + "r"), rated))
    if new.tier != old.tier:
        took.facts.append((customer, "tier.upgraded", uuid5(SPACE, fact.hex + "t"), _encode({"tier": new.tier})))


def _read(records: Sequence[Record]) -> list[tuple[UUID, str, Order]]:
    return [(UUID(r.headers["ce_id"]), r.headers["ce_subject"], _paid(r.body).order) for r in records]


def _columns(rows: Sequence[Sequence[Any]], width: int) -> list[list[Any]]:
    return [[row[at] for row in rows] for at in range(width)]


class BarePostgres:
    """The loop on PostgreSQL: one statement for each table."""

    def __init__(self, connection: "asyncpg.Connection[Any]", points: Rule) -> None:
        self._connection = connection
        self._points = points

    async def prepare(self) -> None:
        """Make the tables."""
        await self._connection.execute(TABLES.format(**POSTGRES))

    async def take(self, records: Sequence[Record]) -> None:
        """One batch in one transaction."""
        facts, con = _read(records), self._connection
        async with con.transaction():
            inbox = "INSERT INTO inbox SELECT unnest($1::uuid[]) ON CONFLICT DO NOTHING RETURNING fact"
            new = {row[0] for row in await con.fetch(inbox, [fact for fact, _, _ in facts])}
            facts = [each for each in facts if each[0] in new]
            took = await self._loaded(facts)
            for fact, customer, order in facts:
                _judge(fact, customer, order, took, self._points)
            await self._stored(took)

    async def _loaded(self, facts: Sequence[tuple[UUID, str, Order]]) -> Took:
        con, names = self._connection, sorted({customer for _, customer, _ in facts})
        made = "INSERT INTO member SELECT 'a', unnest($1::text[]), 0, 0, 0, 0 ON CONFLICT DO NOTHING"
        await con.execute(made, names)
        members = "SELECT id, available, pending, qualifying, tier FROM member WHERE account = 'a' AND id = any($1)"
        rows = await con.fetch(members + " ORDER BY id FOR UPDATE", names)
        bookings = "SELECT ord, revision, points FROM booking WHERE account = 'a' AND ord = any($1)"
        booked = await con.fetch(bookings, [order.id for _, _, order in facts])
        return Took(members={row[0]: Member(*row) for row in rows}, bookings={row[0]: tuple(row) for row in booked})

    async def _stored(self, took: Took) -> None:
        con = self._connection
        members = [msgspec.structs.astuple(member) for member in took.members.values()]
        await con.execute(
            "UPDATE member m SET available = u.a, pending = u.p, qualifying = u.q, tier = u.t"
            " FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::int[]) u(id, a, p, q, t)"
            " WHERE m.account = 'a' AND m.id = u.id",
            *_columns(members, 5),
        )
        await con.execute(
            "INSERT INTO booking SELECT 'a', u.* FROM unnest($1::text[], $2::int[], $3::bigint[]) u"
            " ON CONFLICT (account, ord) DO UPDATE SET revision = excluded.revision, points = excluded.points",
            *_columns(list(took.bookings.values()), 3),
        )
        await con.execute(
            "INSERT INTO lot (account, member, points, remaining, expires, src)"
            " SELECT 'a', u.m, u.p, u.p, '2027-01-01', u.s"
            " FROM unnest($1::text[], $2::bigint[], $3::text[]) u(m, p, s)",
            *_columns(took.lots, 3),
        )
        await con.execute(
            "INSERT INTO entry (account, txn, wallet, kind, amount)"
            " SELECT 'a', u.* FROM unnest($1::uuid[], $2::text[], $3::int[], $4::bigint[]) u",
            *_columns(took.entries, 4),
        )
        await con.execute(
            "INSERT INTO outbox (key, type, fact, body)"
            " SELECT * FROM unnest($1::text[], $2::text[], $3::uuid[], $4::bytea[])",
            *_columns(took.facts, 4),
        )


class BareSqlite:
    """The loop on SQLite: statements in a row, WAL, every commit on disk."""

    def __init__(self, path: str, points: Rule) -> None:
        self._con = sqlite3.connect(path, isolation_level=None)
        self._points = points

    async def prepare(self) -> None:
        """Make the tables."""
        for pragma in ("journal_mode = wal", "synchronous = full", "cache_size = -65536"):
            self._con.execute(f"PRAGMA {pragma}")
        self._con.executescript(TABLES.format(**SQLITE))

    async def take(self, records: Sequence[Record]) -> None:
        """One batch in one transaction."""
        con = self._con
        facts = _read(records)
        con.execute("BEGIN IMMEDIATE")
        inbox = "INSERT INTO inbox VALUES (?) ON CONFLICT DO NOTHING"
        facts = [each for each in facts if con.execute(inbox, (each[0].bytes,)).rowcount]
        took = self._loaded(facts)
        for fact, customer, order in facts:
            _judge(fact, customer, order, took, self._points)
        self._stored(took)
        con.execute("COMMIT")

    def _loaded(self, facts: Sequence[tuple[UUID, str, Order]]) -> Took:
        con, took = self._con, Took()
        names = sorted({customer for _, customer, _ in facts})
        con.executemany("INSERT INTO member VALUES ('a', ?, 0, 0, 0, 0) ON CONFLICT DO NOTHING", [(n,) for n in names])
        member = "SELECT id, available, pending, qualifying, tier FROM member WHERE account = 'a' AND id = ?"
        for name in names:
            took.members[name] = Member(*con.execute(member, (name,)).fetchone())
        booking = "SELECT ord, revision, points FROM booking WHERE account = 'a' AND ord = ?"
        for _, _, order in facts:
            row = con.execute(booking, (order.id,)).fetchone()
            if row:
                took.bookings[order.id] = row
        return took

    def _stored(self, took: Took) -> None:
        con = self._con
        members = [(m.available, m.pending, m.qualifying, m.tier, m.id) for m in took.members.values()]
        update = "UPDATE member SET available = ?, pending = ?, qualifying = ?, tier = ? WHERE account = 'a' AND id = ?"
        con.executemany(update, members)
        con.executemany(
            "INSERT INTO booking VALUES ('a', ?, ?, ?)"
            " ON CONFLICT (account, ord) DO UPDATE SET revision = excluded.revision, points = excluded.points",
            list(took.bookings.values()),
        )
        lots = [(member, points, points, source) for member, points, source in took.lots]
        lot = (
            "INSERT INTO lot (account, member, points, remaining, expires, src) VALUES ('a', ?, ?, ?, '2027-01-01', ?)"
        )
        con.executemany(lot, lots)
        entries = [(txn.bytes, wallet, kind, amount) for txn, wallet, kind, amount in took.entries]
        con.executemany("INSERT INTO entry (account, txn, wallet, kind, amount) VALUES ('a', ?, ?, ?, ?)", entries)
        facts = [(key, kind, fact.bytes, body) for key, kind, fact, body in took.facts]
        con.executemany("INSERT INTO outbox (key, type, fact, body) VALUES (?, ?, ?, ?)", facts)
