"""Apache Kafka through aiokafka: batches sent by partition, offsets committed by hand."""

import asyncio
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from itertools import groupby
from typing import Any

import msgspec
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic
from aiokafka.errors import KafkaError, NoError, TopicAlreadyExistsError, for_code

from shared.bus.base import Outgoing, Record, firsts
from shared.clock import machine_seconds
from shared.errors import Unavailable
from shared.partition import SINGLE, partitions_of

SEND_SECONDS = 10.0
MOST_BYTES = 8 * 1024 * 1024  # of one record: a fact says more than the event of up to 1 MiB it came from
RETENTION_MS = 14 * 24 * 3600 * 1000
_head = msgspec.json.Decoder(dict[str, str]).decode
AWAY = (KafkaError, OSError, asyncio.TimeoutError)


@contextmanager
def _told_apart() -> Iterator[None]:
    """Turn the broker's absence into Unavailable."""
    try:
        yield
    except AWAY as error:
        raise Unavailable(f"Kafka: {type(error).__name__}") from error


class KafkaBus:
    """Kafka as the bus; a topic's name carries the installation's prefix on the broker only."""

    def __init__(self, address: str, prefix: str = "", replication: int = 1) -> None:
        self._address = address
        self._prefix = prefix
        self._replication = replication
        self._producer: AIOKafkaProducer | None = None
        self._reader: AIOKafkaConsumer | None = None
        self._admin: AIOKafkaAdminClient | None = None
        self._starting = asyncio.Lock()

    async def open(self) -> None:
        """Nothing yet: the producer starts with the first send, so that the broker may be away now."""

    async def _ready(self) -> AIOKafkaProducer:
        async with self._starting:
            if self._producer is None:
                producer = AIOKafkaProducer(
                    bootstrap_servers=self._address,
                    acks="all",
                    enable_idempotence=True,
                    linger_ms=5,
                    max_batch_size=MOST_BYTES,
                    max_request_size=2 * MOST_BYTES,
                    request_timeout_ms=8000,
                )
                try:
                    await asyncio.wait_for(producer.start(), SEND_SECONDS)
                except AWAY as error:
                    await _stop(producer)
                    raise Unavailable(f"Kafka: {type(error).__name__}") from error
                self._producer = producer
            return self._producer

    async def close(self) -> None:
        """Stop the producer, within seconds even with the broker away."""
        producer, self._producer = self._producer, None
        reader, self._reader = self._reader, None
        admin, self._admin = self._admin, None
        for client in (producer, reader):
            if client is not None:
                await _stop(client)
        if admin is not None:
            await admin.close()

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Send all, a few batches for each partition; an unfinished send has an unknown outcome and is sent again."""
        producer = await self._ready()
        try:
            await asyncio.wait_for(self._send(producer, records), SEND_SECONDS)
        except AWAY as error:
            self._producer = None
            await _stop(producer)
            raise Unavailable(f"Kafka: {type(error).__name__}") from error

    async def _send(self, producer: AIOKafkaProducer, records: Sequence[Outgoing]) -> None:
        placed = sorted(records, key=lambda record: (record.topic, record.partition))
        waits: list[Any] = []
        for (topic, partition), group in groupby(placed, key=lambda record: (record.topic, record.partition)):
            waits += await self._send_partition(producer, self._prefix + topic, partition, list(group))
        await asyncio.gather(*waits)

    async def _send_partition(
        self, producer: AIOKafkaProducer, topic: str, partition: int, records: Sequence[Outgoing]
    ) -> list[Any]:
        waits = []
        batch = producer.create_batch()
        for record in records:
            given: dict[str, Any] = {
                "key": record.key.encode(),
                "value": record.body,
                "timestamp": None,
                "headers": [(name, value.encode()) for name, value in _head(record.head).items()],
            }
            if batch.append(**given) is None:
                waits.append(await producer.send_batch(batch, topic, partition=partition))
                batch = producer.create_batch()
                if batch.append(**given) is None:
                    raise Unavailable("a fact is larger than a batch may be")
        waits.append(await producer.send_batch(batch, topic, partition=partition))
        return waits

    async def subscribe(self, group: str, topics: Sequence[str]) -> "KafkaSubscription":
        """Join the group; raises Unavailable while the broker is away."""
        consumer = AIOKafkaConsumer(
            *(self._prefix + topic for topic in topics),
            bootstrap_servers=self._address,
            group_id=self._prefix + group,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            max_poll_interval_ms=120_000,
            session_timeout_ms=10_000,
            heartbeat_interval_ms=2_000,
            fetch_max_wait_ms=250,
            metadata_max_age_ms=30_000,
        )
        try:
            await asyncio.wait_for(consumer.start(), 30)
        except AWAY as error:
            await _stop(consumer)
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        return KafkaSubscription(consumer, self._prefix)

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition."""
        places = [TopicPartition(self._prefix + topic, p) for p in range(partitions_of(topic))]
        reader = await self._looker()
        with _told_apart():
            ends = await asyncio.wait_for(reader.end_offsets(places), SEND_SECONDS)
        return {place.partition: end for place, end in ends.items()}

    async def lag(self, group: str, topics: Sequence[str]) -> int:
        """Records past a group's committed offsets."""
        admin = await self._administrator()
        with _told_apart():
            stored = await asyncio.wait_for(admin.list_consumer_group_offsets(self._prefix + group), SEND_SECONDS)
        done = {(place.topic, place.partition): meta.offset for place, meta in stored.items()}
        total = 0
        for topic in topics:
            for partition, end in (await self.ends(topic)).items():
                total += end - max(0, done.get((self._prefix + topic, partition), 0))
        return total

    async def make_topics(self, topics: Sequence[str]) -> None:
        """Create what is missing, with the kernel's partition count and retention; raises Unavailable if refused."""
        admin = await self._administrator()
        with _told_apart():
            there = set(await admin.list_topics())
            missing = [self._new_topic(topic) for topic in topics if self._prefix + topic not in there]
            answer = await admin.create_topics(missing) if missing else None
        for topic, code, *_ in answer.topic_errors if answer else ():
            if for_code(code) not in {NoError, TopicAlreadyExistsError}:
                raise Unavailable(f"Kafka: no topic {topic}: {for_code(code).__name__}")

    async def trim(self) -> None:
        """Nothing to do: the broker keeps to the topics' retention."""

    async def _looker(self) -> AIOKafkaConsumer:
        """A client outside any group that looks up ends."""
        if self._reader is None:
            reader = AIOKafkaConsumer(bootstrap_servers=self._address)
            with _told_apart():
                try:
                    await asyncio.wait_for(reader.start(), SEND_SECONDS)
                except BaseException:  # also when whoever asked does not wait any longer
                    await _stop(reader)
                    raise
            self._reader = reader
        return self._reader

    async def _administrator(self) -> AIOKafkaAdminClient:
        if self._admin is None:
            admin = AIOKafkaAdminClient(bootstrap_servers=self._address)
            with _told_apart():
                try:
                    await asyncio.wait_for(admin.start(), SEND_SECONDS)
                except AWAY:
                    await admin.close()
                    raise
            self._admin = admin
        return self._admin

    def _new_topic(self, topic: str) -> NewTopic:
        keep = {"cleanup.policy": "compact"} if topic in SINGLE else {"retention.ms": str(RETENTION_MS)}
        in_sync = max(1, self._replication - 1)  # one broker may be away
        given = {**keep, "max.message.bytes": str(MOST_BYTES), "min.insync.replicas": str(in_sync)}
        return NewTopic(self._prefix + topic, partitions_of(topic), self._replication, topic_configs=given)


class KafkaSubscription:
    """One member of a Kafka consumer group."""

    def __init__(self, consumer: AIOKafkaConsumer, prefix: str) -> None:
        self._consumer = consumer
        self._prefix = prefix
        self._rests: dict[TopicPartition, float] = {}

    async def fetch(self, limit: int, wait_seconds: float) -> list[Record]:
        """Records by partition, in order."""
        self._wake_rested()
        try:
            found = await self._consumer.getmany(max_records=limit, timeout_ms=int(wait_seconds * 1000))
        except KafkaError as error:
            raise Unavailable(f"Kafka: {type(error).__name__}") from error
        return [self._record(message) for messages in found.values() for message in messages]

    def _record(self, message: Any) -> Record:
        return Record(
            message.topic.removeprefix(self._prefix),
            message.partition,
            message.offset,
            (message.key or b"").decode(),
            {name: value.decode() for name, value in message.headers},
            message.value or b"",
        )

    async def commit(self, records: Sequence[Record]) -> None:
        """Commit offsets; after a rebalance what went elsewhere is left out, the inbox sees to repeats."""
        ends = {TopicPartition(self._prefix + r.topic, r.partition): r.offset + 1 for r in records}
        mine = self._consumer.assignment()
        kept = {place: end for place, end in ends.items() if place in mine}
        if not kept:
            return
        try:
            await asyncio.wait_for(self._consumer.commit(kept), SEND_SECONDS)
        except (*AWAY, ValueError) as error:
            raise Unavailable(f"Kafka: {type(error).__name__}") from error

    async def rewind(self, records: Sequence[Record], rest_seconds: float = 0.0) -> None:
        """Seek back to the first of these in each partition that is still ours; its new owner reads the others."""
        mine = self._consumer.assignment()
        for (topic, partition), offset in firsts(records).items():
            place = TopicPartition(self._prefix + topic, partition)
            if place in mine:
                self._consumer.seek(place, offset)
                if rest_seconds:
                    self._consumer.pause(place)
                    self._rests[place] = machine_seconds() + rest_seconds

    def places(self) -> frozenset[tuple[str, int]]:
        """What the group has given to this member."""
        mine = self._consumer.assignment()
        return frozenset((place.topic.removeprefix(self._prefix), place.partition) for place in mine)

    def _wake_rested(self) -> None:
        mine = self._consumer.assignment()
        for place in [place for place, until in self._rests.items() if until <= machine_seconds()]:
            del self._rests[place]
            if place in mine:
                self._consumer.resume(place)

    async def close(self) -> None:
        """Leave the group, within seconds even with the broker away."""
        await _stop(self._consumer)


async def _stop(client: AIOKafkaProducer | AIOKafkaConsumer) -> None:
    try:
        await asyncio.wait_for(client.stop(), 4)
    except AWAY:
        return
