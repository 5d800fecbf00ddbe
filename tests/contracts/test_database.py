"""What a service may rely on in its database, the same on SQLite and on PostgreSQL."""

import asyncio
import sqlite3
from collections.abc import AsyncIterator, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from time import monotonic
from typing import Any
from uuid import UUID, uuid4

import asyncpg
import msgspec
import pytest
from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    bindparam,
    create_engine,
    func,
    select,
    update,
)
from sqlalchemy.ext.asyncio import create_async_engine

from shared.clock import Clock
from shared.db import Document, Instant, Uid
from shared.db.appending import Appending, Bundle, Tally
from shared.db.base import Database, Query, Tx
from shared.db.connect import connect
from shared.db.statements import MOST_PATTERNS, folded
from shared.errors import Unavailable
from shared.tables import SEQ
from shared.uids import uid
from tests.conftest import MODES
from tests.real.postgres import Postgres, start_postgres
from tests.real.processes import NotToBeHad

metadata = MetaData()


class Note(msgspec.Struct, frozen=True):
    """A document within a row."""

    text: str
    marks: tuple[int, ...] = ()


thing = Table(
    "thing",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", Instant(), nullable=False),
    Column("uid", Uid()),
    Column("note", Document(Note)),
    Column("raw", LargeBinary, nullable=False),
    Column("big", BigInteger, nullable=False),
    Column("small", Integer, nullable=False),
    Column("share", Float, nullable=False),
    Column("good", Boolean, nullable=False),
)
letter = Table(
    "letter",
    metadata,
    Column("seq", SEQ, primary_key=True),
    Column("id", Uid(), nullable=False, unique=True),
    Column("raw", LargeBinary, nullable=False),
    Column("box", Text, nullable=False),
    Column("note", Document(Note), nullable=False),
    Column("at", Instant(), nullable=False),
    Column("state", Text, nullable=False),
)
counter = Table(
    "counter",
    metadata,
    Column("name", Text, primary_key=True),
    Column("writer", Text, primary_key=True),
    Column("value", BigInteger, nullable=False),
)
LETTERS = Appending(letter, counter, own=("id", "raw"), shared=("box", "note"), stamped="at", same={"state": "unread"})
TALLIES = [Tally("letters", 10, 0), Tally("new", 0, 1), Tally("known", 10, -1)]
line = Table("line", metadata, Column("seq", SEQ, primary_key=True), Column("text", Text, nullable=False, unique=True))
dated = Table(
    "dated",
    metadata,
    Column("box", Text, nullable=False),
    Column("id", Text, primary_key=True),
    Column("at", Instant()),
)
kept = Table("kept", metadata, Column("seq", SEQ, primary_key=True), Column("text", Text, nullable=False))


class Thing(msgspec.Struct, frozen=True):
    """A row of `thing`."""

    account: str
    id: str
    at: datetime = datetime(2026, 3, 1, 12, 30, 15, 123457, tzinfo=UTC)
    uid: UUID | None = None
    note: Note | None = None
    raw: bytes = b""
    big: int = 0
    small: int = 0
    share: float = 0.0
    good: bool = False


@pytest.fixture(params=MODES)
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where the database is."""
    if request.param == "embedded":
        return f"sqlite:///{tmp_path}/thing.db"
    template: str = request.getfixturevalue("postgres_url")
    return template.replace("{service}", "loyalty")


async def make_tables(url: str) -> None:
    """Create the tables of this module."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
        metadata.create_all(engine)
        engine.dispose()
        return
    async_engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with async_engine.begin() as connection:
        await connection.run_sync(metadata.create_all)
    await async_engine.dispose()


@pytest.fixture
async def db(url: str) -> AsyncIterator[Database]:
    """An open database with the tables."""
    await make_tables(url)
    made = connect(url, Clock(), connections=5)
    await made.open()
    yield made
    await made.close()


async def things(db: Database) -> dict[str, Thing]:
    """All rows by id."""
    async with db.read() as reader:
        return {row[1]: Thing(*row) for row in await reader.fetch(select(*thing.columns))}


async def everything(db: Database) -> list[Thing]:
    """All rows of all accounts."""
    async with db.read() as reader:
        return [Thing(*row) for row in await reader.fetch(select(*thing.columns))]


async def add(db: Database, *rows: Thing) -> None:
    """Insert in a transaction of its own."""
    async with db.write() as tx:
        await tx.insert_many(thing, rows)


ROWS = [
    Thing("acc_1", "plain"),
    Thing("acc_1", "zone", at=datetime(2026, 3, 1, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=-5)))),
    Thing("acc_1", "old", at=datetime(1901, 1, 1, tzinfo=UTC)),
    Thing("acc_1", "far", at=datetime(9999, 12, 31, tzinfo=UTC)),
    Thing("acc_1", "document", note=Note('quote " and \x00 and 日本 🎁', (1, 2)), uid=uuid4()),
    Thing("acc_1", "bytes", raw=bytes(range(256))),
    Thing("acc_1", "big", big=2**63 - 1, small=-(2**31)),
    Thing("acc_1", "negative", big=-(2**63), share=1e-300, good=True),
    Thing("acc_2", "plain", share=0.1),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: f"{row.account}-{row.id}")
async def test_a_row_comes_back_as_it_went_in(db: Database, row: Thing) -> None:
    await add(db, row)
    async with db.read() as reader:
        assert await reader.fetch_by_keys(thing, [(row.account, row.id)], Thing) == [row]


async def test_rows_are_found_by_key_and_by_other_columns(db: Database) -> None:
    await add(db, *ROWS)
    async with db.read() as reader:
        found = await reader.fetch_by_keys(thing, [("acc_1", "big"), ("acc_1", "big"), ("acc_9", "big")], Thing)
        assert [row.id for row in found] == ["big"]
        same = await reader.fetch_by_keys(thing, [("plain",)], Thing, by=("id",))
        assert {row.account for row in same} == {"acc_1", "acc_2"}
        assert await reader.fetch_by_keys(thing, [], Thing) == []


async def test_empty_sets_do_nothing(db: Database) -> None:
    async with db.write() as tx:
        await tx.insert_many(thing, [])
        await tx.upsert_many(thing, [])
        await tx.update_many(thing, by=("account",), columns=("big",), rows=[])
        assert await tx.insert_new(thing, [], ("id",)) == []
        assert await tx.delete_by_keys(thing, []) == []


async def test_only_rows_that_are_new_are_inserted_and_told(db: Database) -> None:
    await add(db, Thing("acc_1", "a", big=1))
    async with db.write() as tx:
        rows = [Thing("acc_1", "a", big=9), Thing("acc_1", "b", big=2), Thing("acc_1", "b", big=3)]
        assert [row[0] for row in await tx.insert_new(thing, rows, ("id",))] == ["b"]
        await tx.insert_many(thing, [Thing("acc_1", "a", big=7), Thing("acc_1", "c")], ignore_conflicts=True)
    assert {name: row.big for name, row in (await things(db)).items()} == {"a": 1, "b": 2, "c": 0}


async def test_upsert_replaces_and_adds_up_where_told(db: Database) -> None:
    await add(db, Thing("acc_1", "a", big=10, small=1))
    async with db.write() as tx:
        await tx.upsert_many(thing, [Thing("acc_1", "a", big=5, small=2), Thing("acc_1", "b", big=7)], add=("big",))
    found = await things(db)
    assert (found["a"].big, found["a"].small, found["b"].big) == (15, 2, 7)


async def test_update_sets_only_the_named_columns_of_the_named_rows(db: Database) -> None:
    await add(db, Thing("acc_1", "a", big=1, small=1), Thing("acc_2", "a", big=1), Thing("acc_1", "b", big=1))
    moment = datetime(2026, 5, 5, tzinfo=UTC)
    async with db.write() as tx:
        rows = [("acc_1", "a", 5, moment), ("acc_1", "missing", 6, moment)]
        await tx.update_many(thing, by=("account", "id"), columns=("big", "at"), rows=rows)
    async with db.read() as reader:
        (changed,) = await reader.fetch_by_keys(thing, [("acc_1", "a")], Thing)
        assert (changed.big, changed.at, changed.small) == (5, moment, 1)
        assert await reader.fetch(select(func.sum(thing.c.big))) == [(7,)]


async def test_deleting_tells_which_rows_were_there(db: Database) -> None:
    await add(db, Thing("acc_1", "a"), Thing("acc_1", "b"), Thing("acc_2", "a"))
    async with db.write() as tx:
        assert await tx.delete_by_keys(thing, [("acc_1", "a"), ("acc_1", "z")]) == [("acc_1", "a")]
        assert await tx.delete_by_keys(thing, [("a",)], by=("id",)) == [("acc_2", "a")]
    assert set(await things(db)) == {"b"}


async def test_a_self_counting_column_counts_in_the_order_given(db: Database) -> None:
    async with db.write() as tx:
        await tx.insert_many(line, [(f"{number}",) for number in range(50)])
    async with db.read() as reader:
        rows = await reader.fetch(select(line.c.text).order_by(line.c.seq))
    assert [row[0] for row in rows] == [str(number) for number in range(50)]


async def test_rows_move_in_order_to_the_end_of_another_table_if_they_are_still_there(db: Database) -> None:
    async with db.write() as tx:
        await tx.insert_many(line, [(f"{number}",) for number in range(50)])
        await tx.insert_many(kept, [("before",)])
        assert await tx.delete_by_keys(line, [(7,)]) == [(7,)]
    async with db.write() as tx:
        moved = await tx.move_by_keys(line, kept, [(number,) for number in range(40, 4, -1)])
    assert sorted(moved) == [(number,) for number in range(5, 41) if number != 7]
    async with db.read() as reader:
        left = [row[0] for row in await reader.fetch(select(line.c.seq).order_by(line.c.seq))]
        rows = [row[0] for row in await reader.fetch(select(kept.c.text).order_by(kept.c.seq))]
    assert left == [*range(1, 5), *range(41, 51)]
    assert rows == ["before", *(str(number - 1) for number in range(5, 41) if number != 7)]


async def test_the_first_rows_of_each_key_come_in_order_null_last(db: Database) -> None:
    early, late = (datetime(2026, 3, day, tzinfo=UTC) for day in (1, 2))
    async with db.write() as tx:
        rows = [
            ("a", "1", None),
            ("a", "2", late),
            ("a", "3", early),
            ("b", "4", None),
            ("b", "5", late),
            ("c", "6", late),
        ]
        await tx.insert_many(dated, rows)
    async with db.read() as reader:

        async def first(*names: str, most: int) -> list[str]:
            keys = [(name,) for name in names]
            found = await reader.fetch_first_by_keys(
                dated, keys, lambda *row: row, by=("box",), order=("at", "id"), most=most
            )
            return [row[1] for row in found]

        assert await first("a", most=9) == ["3", "2", "1"]
        assert sorted(await first("a", "b", "none", most=2)) == ["2", "3", "4", "5"]
        assert await first(most=2) == []


def bundle(box: str, *numbers: int) -> Bundle:
    """Letters of one box."""
    ids = [uid(number.to_bytes(16)) for number in numbers]
    return Bundle((ids, [f"{box}{number}".encode() for number in numbers]), (box, Note(box, (1,))))


async def letters(db: Database) -> list[tuple[int, str, bytes]]:
    """(number, box, raw) of all letters, in the order they were written."""
    async with db.read() as reader:
        rows = await reader.fetch(select(*letter.columns).order_by(letter.c.seq))
    assert all(row[4] == Note(row[3], (1,)) and row[6] == "unread" for row in rows)
    assert all(abs(row[5] - datetime.now(UTC)) < timedelta(minutes=1) for row in rows)
    return [(row[1].int, row[3], row[2]) for row in rows]


async def counts(db: Database) -> dict[str, int]:
    """What the counters say."""
    async with db.read() as reader:
        return {row[0]: row[1] for row in await reader.fetch(select(counter.c.name, counter.c.value))}


async def test_bundles_are_appended_in_order_each_row_once_and_counted(db: Database) -> None:
    assert await db.append(LETTERS, [bundle("a", 1, 2), bundle("b"), bundle("c", 3)], TALLIES, "me") is None
    assert await letters(db) == [(1, "a", b"a1"), (2, "a", b"a2"), (3, "c", b"c3")]
    assert await counts(db) == {"letters": 10, "new": 3, "known": 7}
    new = await db.append(LETTERS, [bundle("d", 5, 3), bundle("e", 5, 4)], TALLIES, "me")
    assert new == [UUID(int=5), UUID(int=4)]
    assert (await letters(db))[3:] == [(5, "d", b"d5"), (4, "e", b"e4")]
    assert await db.append(LETTERS, [bundle("f", 1, 2)], TALLIES, "me") == []
    assert await db.append(LETTERS, [bundle("g")], TALLIES, "me") in ([], None)
    assert await counts(db) == {"letters": 40, "new": 5, "known": 35}


async def test_appending_moves_with_the_business_clock(url: str) -> None:
    await make_tables(url)
    db = connect(url, Clock(timedelta(days=7)), connections=2)
    await db.open()
    await db.append(LETTERS, [bundle("a", 1)], [], "me")
    async with db.read() as reader:
        row = await reader.fetch_one(select(letter.c.at))
    await db.close()
    assert row is not None
    assert abs(row[0] - datetime.now(UTC) - timedelta(days=7)) < timedelta(minutes=1)


async def test_what_cannot_be_appended_leaves_nothing_behind(db: Database) -> None:
    spoiled = Bundle(([uid(bytes(16))], [None]), ("b", Note("b", (1,))))
    with pytest.raises((asyncpg.NotNullViolationError, sqlite3.IntegrityError)):
        await db.append(LETTERS, [bundle("a", 1), spoiled], TALLIES, "me")
    assert await letters(db) == []
    assert await counts(db) == {}
    assert await db.append(LETTERS, [bundle("a", 1)], TALLIES, "me") is None


async def test_many_rows_are_written_as_they_are_whatever_they_have_in_common(db: Database) -> None:
    rows = [Thing("acc_1", f"{n}", note=Note("same"), big=n % 2, share=0.5, good=True) for n in range(20)]
    await add(db, *rows)
    found = await things(db)
    assert found == {row.id: row for row in rows}
    async with db.write() as tx:
        await tx.upsert_many(thing, [msgspec.structs.replace(row, good=False) for row in rows], add=("big",))
        gone = await tx.insert_new(thing, [*rows, *(Thing("acc_2", f"{n}") for n in range(9))], ("account", "id"))
    assert [tuple(row) for row in gone] == [("acc_2", f"{n}") for n in range(9)]
    assert {row.id: row.big for row in (await everything(db)) if row.account == "acc_1"} == {
        row.id: 2 * row.big for row in rows
    }


def many(account: str) -> list[Thing]:
    """More rows than any statement takes at once; the first and the last have the very same moment."""
    ends = datetime(2026, 1, 1, tzinfo=UTC)
    return [
        Thing(
            account,
            f"{n:03}",
            at=ends if n in {0, 249} else ends + timedelta(hours=n),
            note=Note(f"{n}", (n,)) if n % 3 else None,
            raw=bytes([n]),
            big=n,
            share=n / 7,
            good=n % 2 == 0,
        )
        for n in range(250)
    ]


async def test_hundreds_of_rows_go_in_and_are_found_together(db: Database) -> None:
    rows = many("acc_1")
    await add(db, *rows)
    keys = [(row.account, row.id) for row in rows[:70]]
    async with db.write() as tx:
        found = await tx.fetch_by_keys(thing, [*keys, ("acc_1", "missing"), ("acc_2", "001")], Thing)
        assert sorted(found, key=lambda row: row.id) == rows[:70]
        assert await tx.lock_many(thing, [*keys, ("acc_2", "001")]) == keys
        both = await tx.fetch_by_keys(thing, [("acc_1", True), ("acc_1", False)], Thing, by=("account", "good"))
        assert sorted(both, key=lambda row: row.id) == rows


@pytest.mark.parametrize("wrong", [Thing("acc_2", "007"), Thing("acc_2", "b", big=2**63)], ids=["twice", "too big"])
async def test_one_wrong_row_among_hundreds_takes_all_back_and_is_no_outage(db: Database, wrong: Thing) -> None:
    with pytest.raises(Exception, match=r".") as caught:
        await add(db, *many("acc_2"), wrong)
    assert not isinstance(caught.value, Unavailable)
    assert await things(db) == {}
    await add(db, *many("acc_2"))
    assert len(await things(db)) == len(many("acc_2"))


def test_a_column_is_folded_only_where_all_values_are_the_same_and_one_stays() -> None:
    assert folded([["a"] * 8, list(range(8))], []) == ((0,), ["a", list(range(8))])
    assert folded([["a"] * 8, [None] * 8], []) == ((0,), ["a", [None] * 8])
    assert folded([["a"] * 7, [1, *[2] * 6]], []) == ((), [["a"] * 7, [1, *[2] * 6]])
    assert folded([["a"] * 7 + ["b"], [0.0] * 7 + [-0.0]], [])[0] == ()


def test_a_table_has_few_patterns_of_folding_and_the_widest_that_fits_is_taken() -> None:
    same, apart = [0] * 8, list(range(8))
    patterns: list[tuple[int, ...]] = []
    for at in range(2**6):
        columns: list[Sequence[Any]] = [same if at >> bit & 1 else apart for bit in range(6)]
        found, given = folded([*columns, apart], patterns)
        assert [value == 0 for value in given] == [place in found for place in range(7)]
        assert all(columns[place] is same for place in found)
    assert len(patterns) == MOST_PATTERNS
    assert patterns[:4] == [(), (0,), (1,), (0, 1)]
    assert folded([same, same, apart, same, apart, apart, apart], patterns)[0] == (0, 1)


async def test_statements_take_parameters_and_tell_how_many_rows_they_touched(db: Database) -> None:
    await add(db, Thing("acc_1", "a", big=1), Thing("acc_1", "b", big=2))
    raise_ = Query(update(thing).where(thing.c.at <= bindparam("until")).values(big=thing.c.big + bindparam("by")))
    async with db.write() as tx:
        assert await tx.execute(raise_, until=ROWS[0].at, by=10) == 2
        assert await tx.execute(raise_, until=ROWS[0].at - timedelta(microseconds=1), by=10) == 0
    assert {row.big for row in (await things(db)).values()} == {11, 12}


async def test_an_error_takes_everything_back(db: Database) -> None:
    async def fail() -> None:
        async with db.write() as tx:
            await tx.insert_many(thing, [Thing("acc_1", "a")])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await fail()
    await add(db, Thing("acc_1", "b"))
    assert set(await things(db)) == {"b"}


async def test_what_the_store_refuses_takes_everything_back_and_is_not_an_outage(db: Database) -> None:
    async def write(wrong: Thing) -> None:
        async with db.write() as tx:
            await tx.insert_many(thing, [Thing("acc_1", "a")])
            await tx.insert_many(thing, [wrong])

    for wrong in (Thing("acc_1", "b", big=2**63), Thing("acc_1", "a")):
        with pytest.raises(Exception, match=r".") as caught:
            await write(wrong)
        assert not isinstance(caught.value, Unavailable)
    assert await things(db) == {}


async def test_a_failed_statement_that_nobody_minded_does_not_commit_half(db: Database) -> None:
    async def half(tx: Tx) -> None:
        await tx.insert_many(thing, [Thing("acc_1", "a")])
        try:
            await tx.insert_many(thing, [Thing("acc_1", "a")])
        except Exception:  # noqa: BLE001 - what no service should do
            return

    try:
        async with db.write() as tx:
            await half(tx)
    except Unavailable:
        assert await things(db) == {}
    else:
        assert set(await things(db)) == {"a"}


async def test_writers_at_once_lose_nothing(db: Database) -> None:
    await add(db, Thing("acc_1", "sum"))

    async def one_more() -> None:
        async with db.write() as tx:
            (row,) = await tx.fetch_by_keys(thing, [("acc_1", "sum")], Thing, lock="wait")
            await tx.upsert_many(thing, [msgspec.structs.replace(row, big=row.big + 1)])

    for _ in range(8):
        await asyncio.gather(*(one_more() for _ in range(4)))
    assert (await things(db))["sum"].big == 32


async def test_a_reader_sees_one_moment(db: Database) -> None:
    await add(db, Thing("acc_1", "a", big=1))
    async with db.read() as reader:
        assert await reader.fetch(select(thing.c.big)) == [(1,)]
        async with db.write() as tx:
            await tx.upsert_many(thing, [Thing("acc_1", "a", big=2)])
        assert await reader.fetch(select(thing.c.big)) == [(1,)]
    assert (await things(db))["a"].big == 2


@pytest.mark.parametrize("after", range(6))
async def test_a_cancelled_transaction_leaves_nothing_behind(db: Database, after: int) -> None:
    """Cancelled after each number of turns of the loop, also within BEGIN and COMMIT."""

    async def write() -> None:
        async with db.write() as tx:
            await tx.insert_many(thing, [Thing("acc_1", "half")])
            await tx.insert_many(thing, [Thing("acc_1", "whole")])

    async def read() -> None:
        async with db.read() as reader:
            await reader.fetch(select(thing.c.id))

    for act in (write, read):
        task = asyncio.create_task(act())
        for _ in range(after):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert set(await things(db)) in (set(), {"half", "whole"})
    await add(db, Thing("acc_1", "next"))
    assert "next" in await things(db)


async def test_a_first_writer_passes_the_line_but_never_twice(tmp_path: Path) -> None:
    """SQLite has one writer at a time; PostgreSQL has no line."""
    url = f"sqlite:///{tmp_path}/thing.db"
    await make_tables(url)
    db = connect(url, Clock())
    await db.open()

    async def write(number: int) -> None:
        async with db.write() as tx:
            await tx.insert_many(letter, [(uid(number.to_bytes(16)), b"", "", Note(""), Clock().now(), "")])

    async def append(number: int) -> None:
        await db.append(LETTERS, [bundle("", number)], [], "me")

    await asyncio.gather(write(1), write(2), write(3), append(4), append(5))
    async with db.read() as reader:
        rows = await reader.fetch(select(letter.c.id).order_by(letter.c.seq))
    await db.close()
    assert [row[0].int for row in rows] == [1, 4, 2, 5, 3]


@pytest.mark.postgres
async def test_rows_that_others_hold_can_be_left_out(postgres_url: str) -> None:
    url = postgres_url.replace("{service}", "loyalty")
    await make_tables(url)
    db = connect(url, Clock(), connections=4)
    await db.open()
    await add(db, Thing("acc_1", "a"), Thing("acc_1", "b"))
    keys = [("acc_1", "a"), ("acc_1", "b")]
    async with db.write() as holder:
        await holder.fetch_by_keys(thing, keys[:1], Thing, lock="wait")
        async with db.write() as tx:
            assert [row.id for row in await tx.fetch_by_keys(thing, keys, Thing, lock="skip")] == ["b"]
    await db.close()


@pytest.fixture
def own_postgres() -> Iterator[Postgres]:
    """A server that a test may stop."""
    try:
        server = start_postgres()
    except NotToBeHad as why:
        pytest.skip(str(why))
    yield server
    server.remove()


@pytest.mark.postgres
async def test_a_database_that_is_away_is_unavailable_within_a_second_and_comes_back(own_postgres: Postgres) -> None:
    url = f"{own_postgres.address}/postgres"
    await make_tables(url)
    db = connect(url, Clock(), connections=4)
    await db.open()
    await add(db, Thing("acc_1", "before"))
    own_postgres.stop(immediate=True)
    for _ in range(6):
        begun = monotonic()
        with pytest.raises(Unavailable):
            await add(db, Thing("acc_1", "meanwhile"))
        with pytest.raises(Unavailable):
            await things(db)
        assert monotonic() - begun < 2
    own_postgres.start()
    await _until_there(db)
    await add(db, Thing("acc_1", "after"))
    assert set(await things(db)) == {"before", "after"}
    await db.close()


async def _until_there(db: Database) -> None:
    for _ in range(50):
        try:
            await things(db)
        except Unavailable:
            continue
        return


async def test_a_file_that_cannot_be_opened_is_unavailable(tmp_path: Path) -> None:
    (tmp_path / "thing.db").mkdir()
    db = connect(f"sqlite:///{tmp_path}/thing.db", Clock())
    with pytest.raises(Unavailable):
        await db.open()
    await db.close()


async def test_a_full_disk_is_unavailable_and_spoils_nothing(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/thing.db"
    await make_tables(url)
    db = connect(url, Clock())
    await db.open()
    await _cap(db, pages=20)
    with pytest.raises(Unavailable):
        await add(db, Thing("acc_1", "small"), Thing("acc_1", "huge", raw=bytes(1_000_000)))
    assert await things(db) == {}
    await _cap(db, pages=1_000_000)
    await add(db, Thing("acc_1", "huge", raw=bytes(1_000_000)))
    assert set(await things(db)) == {"huge"}
    await db.close()


async def _cap(db: Any, pages: int) -> None:
    def act(con: sqlite3.Connection) -> None:
        con.execute(f"PRAGMA max_page_count={pages}")

    await db._writer.run(act)
