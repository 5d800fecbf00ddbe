"""Column types that mean the same on both databases, and ids that sort by when they were made.

Their processors are handed no NULL: the database kit, which alone calls them, leaves it as it is.
"""

import os
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec
from sqlalchemy import BigInteger, DateTime, LargeBinary, TypeDecorator, Uuid
from sqlalchemy.engine import Dialect
from sqlalchemy.types import TypeEngine

from shared.uids import uid

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


class _Micros(TypeDecorator[datetime]):
    """A moment as microseconds since 1970, for SQLite."""

    impl = BigInteger
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """To microseconds."""
        return lambda value: (value - EPOCH) // _MICROSECOND

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From microseconds."""
        return lambda value: EPOCH + timedelta(microseconds=value)


class _UidBytes(TypeDecorator[Any]):
    """A UUID as 16 bytes, for SQLite."""

    impl = LargeBinary
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """To bytes."""
        return lambda value: value.bytes

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From bytes."""
        return uid


class Document(TypeDecorator[Any]):
    """Any value that msgspec can encode, stored as JSON bytes and read back as `kind`."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, kind: Any = Any) -> None:
        super().__init__()
        self.kind = kind
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode

    def bind_processor(self, dialect: Dialect) -> Callable[[Any], Any]:
        """To JSON bytes."""
        return self._encode

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], Any]:
        """From JSON bytes."""
        return self._decode


def Instant() -> TypeEngine[datetime]:  # noqa: N802 - reads as a column type
    """An aware moment in UTC, to the microsecond."""
    return DateTime(timezone=True).with_variant(_Micros(), "sqlite")


def Uid() -> TypeEngine[Any]:  # noqa: N802 - reads as a column type
    """A UUID."""
    return Uuid(as_uuid=True).with_variant(_UidBytes(), "sqlite")


def new_id(kind: str) -> str:
    """A new random id that sorts by time: the kind, an underscore, 32 hex digits of a UUIDv7 (RFC 9562)."""
    stamp = time.time_ns() // 1_000_000
    rand = int.from_bytes(os.urandom(10), "big")
    value = (stamp << 80) | (0x7 << 76) | ((rand >> 68) << 64) | (0b10 << 62) | (rand & ((1 << 62) - 1))
    return f"{kind}_{value:032x}"
