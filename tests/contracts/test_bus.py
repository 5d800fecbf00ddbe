"""What the kernel may rely on in its bus, the same on the log and on Kafka."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from itertools import groupby
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shared.bus.base import HEARTBEAT, Bus, Outgoing, Record, Subscription
from shared.bus.connect import connect
from shared.bus.log import LogBus
from shared.errors import Unavailable
from shared.partition import PARTITIONS, murmur2, partition_of
from shared.settings import Settings
from tests.conftest import MODES
from tests.real.kafka import start_broker
from tests.real.processes import NotToBeHad

HEAD = msgspec.json.encode({"ce_type": "test.told", "ce_subject": "cus_ana"})
TOPICS = ("ingest", "ingest.config")
OpenBus = Callable[[], Awaitable[Bus]]


def a_record(number: int, *, topic: str = "ingest", partition: int = 0, key: str = "acc/cus") -> Outgoing:
    """A record whose body is its number."""
    return Outgoing(topic, partition, key, HEAD, str(number).encode())


@pytest.fixture(params=MODES)
def settings(request: pytest.FixtureRequest, tmp_path: Path) -> Settings:
    """Where the bus is."""
    given: dict[str, Any] = {}
    if request.param == "distributed":
        given = {
            "bus_url": f"kafka://{request.getfixturevalue('kafka_address')}",
            "topic_prefix": request.getfixturevalue("topic_prefix"),
        }
    return Settings(data_dir=tmp_path, _env_file=None, **given)


@asynccontextmanager
async def opened(settings: Settings) -> AsyncIterator[Bus]:
    """An open bus."""
    bus = connect(settings)
    await bus.open()
    try:
        yield bus
    finally:
        await bus.close()


@pytest.fixture
async def bus(settings: Settings) -> AsyncIterator[Bus]:
    """An open bus with its topics."""
    async with opened(settings) as made:
        await made.make_topics(TOPICS)
        yield made


@asynccontextmanager
async def reader(
    bus: Bus, group: str = "loyalty", topics: tuple[str, ...] = ("ingest",)
) -> AsyncIterator[Subscription]:
    """A member of a group, left at the end."""
    subscription = await bus.subscribe(group, topics)
    try:
        yield subscription
    finally:
        await subscription.close()


async def take(subscription: Subscription, number: int, limit: int = 500) -> list[Record]:
    """Fetch until that many records have come; gives up when nothing comes any more."""
    found: list[Record] = []
    while len(found) < number:
        records = await subscription.fetch(limit, 10.0)
        if not records:
            break
        found += records
    return found


def bodies(records: list[Record]) -> list[int]:
    """The numbers in the bodies."""
    return [int(record.body) for record in records]


async def test_records_arrive_whole_and_in_the_order_of_their_partition(bus: Bus) -> None:
    sent = [a_record(number, partition=number % 3, key=f"acc/{number % 3}") for number in range(900)]
    await bus.publish(sent[:500])
    await bus.publish(sent[500:])
    async with reader(bus) as subscription:
        records = await take(subscription, 900, limit=200)
    assert {record.key for record in records} == {"acc/0", "acc/1", "acc/2"}
    assert dict(records[0].headers) == {"ce_type": "test.told", "ce_subject": "cus_ana"}
    by_partition = groupby(sorted(records, key=lambda record: record.partition), key=lambda record: record.partition)
    for partition, group in by_partition:
        mine = list(group)
        assert bodies(mine) == [number for number in range(900) if number % 3 == partition]
        assert [record.offset for record in mine] == sorted(record.offset for record in mine)


async def test_a_fetch_gives_no_more_than_asked_for(bus: Bus) -> None:
    await bus.publish([a_record(number) for number in range(10)])
    async with reader(bus) as subscription:
        assert bodies(await subscription.fetch(4, 10.0)) == [0, 1, 2, 3]
        assert bodies(await subscription.fetch(4, 10.0)) == [4, 5, 6, 7]


async def test_what_was_not_committed_comes_again_and_what_was_does_not(settings: Settings) -> None:
    async with opened(settings) as first:
        await first.make_topics(TOPICS)
        await first.publish([a_record(number) for number in range(10)])
        async with reader(first) as subscription:
            await subscription.commit(await subscription.fetch(4, 10.0))
            assert bodies(await subscription.fetch(4, 10.0)) == [4, 5, 6, 7]
    async with opened(settings) as again, reader(again) as subscription:
        assert bodies(await take(subscription, 6)) == [4, 5, 6, 7, 8, 9]


async def test_groups_read_apart(bus: Bus) -> None:
    await bus.publish([a_record(1), a_record(2)])
    async with reader(bus, "loyalty") as one, reader(bus, "scoring") as other:
        await one.commit(await take(one, 2))
        assert bodies(await take(other, 2)) == [1, 2]


async def test_going_back_without_a_commit_starts_at_the_first_of_the_batch(bus: Bus) -> None:
    await bus.publish([a_record(number, partition=number % 2) for number in range(6)])
    async with reader(bus) as subscription:
        records = await take(subscription, 6)
        await subscription.rewind(records)
        again = await take(subscription, 6)
        assert sorted(bodies(again)) == sorted(bodies(records))
        await subscription.commit(again)


async def test_going_back_in_one_partition_leaves_the_others_and_lets_it_rest(bus: Bus) -> None:
    await bus.publish([a_record(number, partition=number % 2) for number in range(6)])
    async with reader(bus) as subscription:
        records = await take(subscription, 6)
        await subscription.commit(records)
        await bus.publish([a_record(6, partition=0), a_record(7, partition=1)])
        waits = [record for record in await take(subscription, 2) if record.partition == 0]
        await subscription.rewind(waits, 0.4)
        await bus.publish([a_record(9, partition=1)])
        assert bodies(await take(subscription, 1)) == [9]
        assert bodies(await _until_some(subscription)) == [6]


async def _until_some(subscription: Subscription) -> list[Record]:
    for _ in range(40):
        if records := await subscription.fetch(10, 0.1):
            return records
    return []


async def test_lag_counts_what_a_group_has_not_committed(bus: Bus) -> None:
    await bus.publish([a_record(number, partition=number % 4) for number in range(10)])
    assert await bus.lag("loyalty", ["ingest"]) == 10
    async with reader(bus) as subscription:
        await subscription.commit((await take(subscription, 10))[:0])
        assert await bus.lag("loyalty", ["ingest"]) == 10
    async with reader(bus) as subscription:
        await subscription.commit(await take(subscription, 10))
    assert await bus.lag("loyalty", ["ingest"]) == 0
    assert sum((await bus.ends("ingest")).values()) == 10
    assert set(await bus.ends("ingest")) == set(range(PARTITIONS))


async def test_news_end_the_wait(bus: Bus) -> None:
    async with reader(bus) as subscription:
        waiting = asyncio.create_task(take(subscription, 1))
        await bus.publish([a_record(1)])
        assert bodies(await waiting) == [1]


async def test_a_large_fact_travels(bus: Bus) -> None:
    large = Outgoing("ingest", 0, "acc/cus", HEAD, b"x" * 3_000_000)
    await bus.publish([a_record(1), large, a_record(2)])
    async with reader(bus) as subscription:
        records = await take(subscription, 3)
    assert [len(record.body) for record in records] == [1, 3_000_000, 1]


async def test_the_log_keeps_the_newest_heartbeat_and_the_newest_of_each_thing_set_up(tmp_path: Path) -> None:
    async with opened(Settings(data_dir=tmp_path, _env_file=None)) as bus:
        for number in range(5):
            await bus.publish([a_record(number, key=HEARTBEAT), a_record(number + 100)])
            setup = [a_record(number, topic="ingest.config", key=f"acc/{name}") for name in ("key", "store")]
            await bus.publish(setup)
        async with reader(bus, topics=TOPICS) as subscription:
            records = await take(subscription, 8)
        found = {(r.topic, r.key): [x for x in bodies(records) if x >= 0] for r in records}
        assert set(found) == {
            ("ingest", HEARTBEAT),
            ("ingest", "acc/cus"),
            ("ingest.config", "acc/key"),
            ("ingest.config", "acc/store"),
        }
        assert [r.body for r in records if r.key == HEARTBEAT] == [b"4"]
        assert [r.body for r in records if r.key == "acc/key"] == [b"4"]
        assert bodies([r for r in records if r.key == "acc/cus"]) == [100, 101, 102, 103, 104]


async def test_a_commit_the_log_could_not_write_spoils_nothing(tmp_path: Path) -> None:
    async with opened(Settings(data_dir=tmp_path, _env_file=None)) as bus:
        assert isinstance(bus, LogBus)
        await bus.publish([a_record(1)])
        async with reader(bus) as subscription:
            records = await take(subscription, 1)
            await bus.thread.run(lambda con: con.execute("ALTER TABLE cursor RENAME TO gone"))
            with pytest.raises(Unavailable):
                await subscription.commit(records)
            await bus.thread.run(lambda con: con.execute("ALTER TABLE gone RENAME TO cursor"))
            await subscription.commit(records)
            await bus.publish([a_record(2)])
            assert bodies(await take(subscription, 1)) == [2]


@pytest.mark.kafka
async def test_topics_that_the_brokers_refuse_are_told_of(
    kafka_address: str, topic_prefix: str, tmp_path: Path
) -> None:
    """One broker cannot keep two copies; a topic that another process has made meanwhile is there."""
    given: dict[str, Any] = {"bus_url": f"kafka://{kafka_address}", "topic_prefix": topic_prefix, "data_dir": tmp_path}
    async with opened(Settings(**given, topic_replication=2, _env_file=None)) as bus:
        with pytest.raises(Unavailable, match="InvalidReplicationFactor"):
            await bus.make_topics(TOPICS)
    async with opened(Settings(**given, _env_file=None)) as one, opened(Settings(**given, _env_file=None)) as other:
        await asyncio.gather(one.make_topics(TOPICS), other.make_topics(TOPICS))


@pytest.mark.kafka
async def test_a_broker_that_is_away_is_unavailable_and_nothing_is_passed_over(tmp_path: Path) -> None:
    try:
        broker = start_broker()
    except NotToBeHad as why:
        pytest.skip(str(why))
    try:
        async with opened(Settings(data_dir=tmp_path, bus_url=f"kafka://{broker.address}", _env_file=None)) as bus:
            await bus.make_topics(TOPICS)
            await bus.publish([a_record(number) for number in range(3)])
            async with reader(bus) as subscription:
                records = await take(subscription, 3)
                broker.kill()
                with pytest.raises(Unavailable):
                    await bus.publish([a_record(3)])
                await subscription.rewind(records)
                broker.start()
                await _published(bus, a_record(4))
                again: list[int] = []
                while 4 not in again:  # 3 may have arrived too: what became of it was unknown
                    again += bodies(await take(subscription, 1))
        assert again[:3] == [0, 1, 2]
    finally:
        broker.remove()


async def _published(bus: Bus, record: Outgoing) -> None:
    for _ in range(30):
        try:
            await bus.publish([record])
        except Unavailable:
            continue
        return


@pytest.mark.parametrize(
    ("text", "hashed"),
    [
        ("21", -973932308),
        ("foobar", -790332482),
        ("a-little-bit-long-string", -985981536),
        ("a-little-bit-longer-string", -1486304829),
        ("lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
        ("abc", 479470107),
    ],
)
def test_keys_are_hashed_as_kafkas_own_client_does(text: str, hashed: int) -> None:
    """The vectors of Kafka's UtilsTest.testMurmur2."""
    assert murmur2(text.encode()) == hashed & 0xFFFFFFFF
    assert partition_of("ingest", text) == (hashed & 0x7FFFFFFF) % PARTITIONS
    assert partition_of("ingest.config", text) == 0
