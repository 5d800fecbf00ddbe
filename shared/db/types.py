"""Column types that mean the same on both databases, and ids that sort by when they were made."""

import os
import time
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

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        """To microseconds."""
        return None if value is None else (value - EPOCH) // _MICROSECOND

    def process_result_value(self, value: int | None, dialect: Dialect) -> datetime | None:
        """From microseconds."""
        return None if value is None else EPOCH + timedelta(microseconds=value)


class _UidBytes(TypeDecorator[Any]):
    """A UUID as 16 bytes, for SQLite."""

    impl = LargeBinary
    cache_ok = True

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """To bytes."""
        return None if value is None else value.bytes

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        """From bytes."""
        return None if value is None else uid(value)


class Document(TypeDecorator[Any]):
    """Any value that msgspec can encode, stored as JSON bytes and read back as `kind`."""

    impl = LargeBinary
    cache_ok = True

    def __init__(self, kind: Any = Any) -> None:
        super().__init__()
        self.kind = kind
        self._encode = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(kind).decode

    def process_bind_param(self, value: Any, dialect: Dialect) -> bytes | None:
        """To JSON bytes."""
        return None if value is None else self._encode(value)

    def process_result_value(self, value: bytes | None, dialect: Dialect) -> Any:
        """From JSON bytes."""
        return None if value is None else self._decode(value)


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
