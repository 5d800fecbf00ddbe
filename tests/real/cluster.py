"""What a cluster of brokers keeps of each topic: how many copies, how many of them are up to date, how many must be."""

import asyncio
import time
from typing import NamedTuple

from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType


class Copies(NamedTuple):
    """Of the partition that has the fewest."""

    kept: int
    in_sync: int
    needed: int


def copies_of(address: str) -> dict[str, Copies]:
    """By topic."""
    return asyncio.run(_copies_of(address))


async def _copies_of(address: str) -> dict[str, Copies]:
    admin = AIOKafkaAdminClient(bootstrap_servers=address)
    await admin.start()
    try:
        topics = {topic["topic"]: topic["partitions"] for topic in await admin.describe_topics()}
        asked = [ConfigResource(ConfigResourceType.TOPIC, name, {"min.insync.replicas": None}) for name in topics]
        answers = await admin.describe_configs(asked)
    finally:
        await admin.close()
    needed = {name: int(entries[0][1]) for answer in answers for _, _, _, name, entries in answer.resources}
    return {
        name: Copies(
            min(len(one["replicas"]) for one in partitions), min(len(one["isr"]) for one in partitions), needed[name]
        )
        for name, partitions in topics.items()
    }


def catches_up(address: str, within: float) -> None:
    """Wait until every copy is up to date; raises AssertionError when that takes longer than `within` seconds."""
    until = time.monotonic() + within
    while behind := {name: copies for name, copies in copies_of(address).items() if copies.in_sync < copies.kept}:
        assert time.monotonic() < until, f"never caught up: {behind}"
        time.sleep(0.2)
