"""The relay beside the plainest publisher: one `send_and_wait` after the other, without linger, on Apache Kafka."""

import os
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

from aiokafka import AIOKafkaProducer

from services.ingest.service import ingest
from shared import tx as carrying
from shared.bus.base import Record
from shared.runtime import collect_seldom
from tests.bench.cpu import own_seconds
from tests.bench.facts import order_events, orders
from tests.bench.figures import Figure, figure, reported
from tests.real.postgres import Postgres, database_names
from tests.world import World, a_world

ROUNDS = 3
FACTS = 4_000
ONE_BY_ONE = 400


async def _relayed(world: World, seed: int) -> tuple[float, float]:
    """(facts a second, Python CPU microseconds a fact) from outbox to broker and archive."""
    running = world.of("ingest")
    async with running.db.write() as tx:
        await carrying.emit(tx, running.kernel, "ingest", order_events(FACTS, seed))
    cpu, begun = own_seconds(), time.perf_counter()
    moved = 0
    while moved < FACTS:
        moved += await running.relay.step()
    return FACTS / (time.perf_counter() - begun), (own_seconds() - cpu) * 1e6 / FACTS


async def _one_by_one(producer: AIOKafkaProducer, topic: str, records: Sequence[Record]) -> float:
    """Facts a second, each acknowledged before the next is sent."""
    begun = time.perf_counter()
    for record in records:
        headers = [(name, value.encode()) for name, value in record.headers.items()]
        key = record.key.encode()
        await producer.send_and_wait(topic, record.body, key=key, partition=record.partition, headers=headers)
    return len(records) / (time.perf_counter() - begun)


async def measure(server: Postgres, kafka: str) -> list[Figure]:
    """Ingest's outbox on PostgreSQL, paid orders of three lines."""
    prefix, pairs, cpu = f"b{os.getpid()}r.", [], []
    plain = AIOKafkaProducer(bootstrap_servers=kafka, acks="all", enable_idempotence=True, linger_ms=0)
    with tempfile.TemporaryDirectory() as folder, database_names(server.address) as template:
        bus = f"kafka://{kafka}"
        async with a_world([ingest], Path(folder), database_url=template, bus_url=bus, topic_prefix=prefix) as world:
            collect_seldom()
            await plain.start()
            try:
                await _relayed(world, 1)
                await _one_by_one(plain, f"{prefix}ingest", orders(50, 2))
                for number in range(ROUNDS):
                    rate, used = await _relayed(world, 10 + number)
                    pairs.append((rate, await _one_by_one(plain, f"{prefix}ingest", orders(ONE_BY_ONE, 20 + number))))
                    cpu.append(used)
            finally:
                await plain.stop()
    mode = "Kafka + PostgreSQL"
    return [
        figure("relay: facts/s / send_and_wait with linger 0", mode, "facts/s", pairs, floor=10),
        reported("relay: Python CPU per fact", mode, "µs", sorted(cpu)[len(cpu) // 2]),
    ]
