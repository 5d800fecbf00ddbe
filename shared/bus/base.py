"""What a bus promises: durable, ordered within a partition, at least once."""

from collections.abc import Mapping, Sequence
from typing import Protocol

import msgspec


class Outgoing(msgspec.Struct, frozen=True, gc=False):
    """A record to publish; `head` is its headers as a JSON object."""

    topic: str
    partition: int
    key: str
    head: bytes
    body: bytes


class Record(msgspec.Struct, frozen=True, gc=False):
    """A record as it was read."""

    topic: str
    partition: int
    offset: int
    key: str
    headers: Mapping[str, str]
    body: bytes


HEARTBEAT = "heartbeat"


def firsts(records: Sequence[Record]) -> dict[tuple[str, int], int]:
    """The lowest offset of each (topic, partition)."""
    found: dict[tuple[str, int], int] = {}
    for record in records:
        place = (record.topic, record.partition)
        found[place] = min(record.offset, found.get(place, record.offset))
    return found


class Subscription(Protocol):
    """One member of a consumer group."""

    async def fetch(self, limit: int, wait_seconds: float) -> list[Record]:
        """Up to `limit` records, in order within each partition; waits at most `wait_seconds` for the first."""

    async def commit(self, records: Sequence[Record]) -> None:
        """Tell that these, and all before them in their partitions, are done with."""

    async def rewind(self, records: Sequence[Record], rest_seconds: float = 0.0) -> None:
        """Have these fetched again, they could not be worked off; their partitions rest so long. Needs no broker."""

    def places(self) -> frozenset[tuple[str, int]]:
        """The partitions (topic, number) that are this member's now."""

    async def close(self) -> None:
        """Leave the group."""


class Bus(Protocol):
    """Where facts travel."""

    async def open(self) -> None:
        """Get ready to publish; must not need the broker to be there."""

    async def publish(self, records: Sequence[Outgoing]) -> None:
        """Return once all are durable, in order within each partition; raises Unavailable (outcome unknown)."""

    async def subscribe(self, group: str, topics: Sequence[str]) -> Subscription:
        """Join a group; a new group starts at the beginning."""

    async def ends(self, topic: str) -> dict[int, int]:
        """The next offset of each partition of a topic; raises Unavailable."""

    async def lag(self, group: str, topics: Sequence[str]) -> int:
        """How many records a group has not committed, heartbeats included; raises Unavailable."""

    async def make_topics(self, topics: Sequence[str]) -> None:
        """Create the topics that are missing."""

    async def trim(self) -> None:
        """Drop records past their retention, where the bus does not do so by itself."""

    async def close(self) -> None:
        """Let go of every connection."""
