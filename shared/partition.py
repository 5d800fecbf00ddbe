"""Which partition a key belongs to: Kafka's murmur2, the same on the log and on Kafka."""

from functools import lru_cache
from struct import unpack_from

PARTITIONS = 24
SINGLE = frozenset({"ingest.config"})
_M, _SEED, _MASK = 0x5BD1E995, 0x9747B28C, 0xFFFFFFFF


def murmur2(data: bytes) -> int:
    """Kafka's variant of murmur2 (org.apache.kafka.common.utils.Utils), unsigned 32 bit."""
    h = _SEED ^ len(data)
    words = len(data) // 4
    for word in unpack_from(f"<{words}I", data):
        k = word * _M & _MASK
        h = (h * _M & _MASK) ^ ((k ^ (k >> 24)) * _M & _MASK)
    if tail := data[4 * words :]:
        h = (h ^ int.from_bytes(tail, "little")) * _M & _MASK
    h = (h ^ (h >> 13)) * _M & _MASK
    return h ^ (h >> 15)


def partitions_of(topic: str) -> int:
    """How many partitions a topic has."""
    return 1 if topic in SINGLE else PARTITIONS


@lru_cache(maxsize=200_000)
def partition_of(topic: str, key: str) -> int:
    """The partition of a key: positive murmur2 modulo the count, as Kafka's own clients do."""
    count = partitions_of(topic)
    return 0 if count == 1 else (murmur2(key.encode()) & 0x7FFFFFFF) % count
