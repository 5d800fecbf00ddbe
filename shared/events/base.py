"""What a fact is, the envelope it travels in, and how both are written and read."""

from collections.abc import Callable, Mapping
from datetime import datetime
from enum import StrEnum
from functools import cache
from typing import Any, ClassVar, Generic, TypeVar
from uuid import UUID

import msgspec

from shared.errors import NewerVersion
from shared.uids import uid_within

NAMESPACE = UUID("6f1d5a0e-54a3-5c0b-9a55-9d1f1c3f7a10")

Upcast = Callable[[dict[str, Any]], dict[str, Any]]


class Lane(StrEnum):
    """Whether a fact happened just now or is told afterwards: history scores, but never earns or sends."""

    LIVE = "live"
    HISTORY = "history"


class Fact(msgspec.Struct, frozen=True, kw_only=True):
    """Something that happened, in the past tense, owned by one service.

    `type` is the wire name, `version` the newest one written; `upcasts[n]` turns a body of version n into n + 1;
    what is not `archived` carries personal data or is re-made from current state.
    """

    type: ClassVar[str] = ""
    version: ClassVar[int] = 1
    topic: ClassVar[str] = ""
    archived: ClassVar[bool] = True
    upcasts: ClassVar[Mapping[int, Upcast]] = {}

    @property
    def aggregate(self) -> str | None:
        """`id:revision` of the thing this fact is a state of (orders, carts, products); None for all other facts."""
        return None


F = TypeVar("F", bound=Fact)
F_co = TypeVar("F_co", bound=Fact, covariant=True)

CATALOGUE: dict[str, type[Fact]] = {}


def fact(cls: type[F]) -> type[F]:
    """Class decorator: enter a fact into the catalogue under its wire name."""
    if not cls.type or not cls.topic or cls.type in CATALOGUE:
        raise TypeError(f"{cls.__name__} needs a wire name of its own and a topic")
    CATALOGUE[cls.type] = cls
    return cls


class Event(msgspec.Struct, Generic[F_co], frozen=True, kw_only=True):
    """A fact in its envelope (CloudEvents 1.0).

    `time` is when it happened, `recorded` when we first knew (business time); `store` and `customer` are '' where
    the fact belongs to none; `cause` and `correlation` name the fact it follows from and the first of its chain.
    """

    id: UUID
    fact: F_co
    account: str
    store: str
    customer: str
    time: datetime
    recorded: datetime
    lane: Lane = Lane.LIVE
    cause: UUID | None = None
    correlation: UUID | None = None
    trace: str = ""


class Unreadable(msgspec.Struct, frozen=True):
    """Stands for a fact of a known type whose body cannot be read; `reason` says why."""

    type: str
    topic: str
    version: int
    body: bytes
    reason: str


def fact_id(body: Fact, cause: UUID, ordinal: int) -> UUID:
    """The id that the same work done twice gives again: of its aggregate and revision, else of its cause."""
    aggregate = body.aggregate
    if aggregate is not None:
        return uid_within(NAMESPACE, f"{body.type}|{aggregate}")
    return uid_within(NAMESPACE, f"{cause}|{body.type}|{ordinal}")


@cache
def _decoder(cls: type[Fact]) -> msgspec.json.Decoder[Fact]:
    return msgspec.json.Decoder(cls)


encode = msgspec.json.Encoder().encode


def decode(type_: str, version: int, body: bytes) -> Fact | None:
    """Read a fact of any version ever written; None for a type this code does not know.

    Raises NewerVersion when the body was written by newer code, msgspec.ValidationError when it is malformed.
    """
    cls = CATALOGUE.get(type_)
    if cls is None:
        return None
    if version > cls.version:
        raise NewerVersion(f"{type_} version {version} is newer than {cls.version}")
    if version == cls.version:
        return _decoder(cls).decode(body)
    plain = msgspec.json.decode(body, type=dict[str, Any])
    for older in range(version, cls.version):
        plain = cls.upcasts[older](plain)
    return msgspec.convert(plain, cls, strict=False)


def decode_or_tell(type_: str, version: int, body: bytes) -> Fact | Unreadable | None:
    """Like `decode`, but a body that cannot be read comes back as one that says so; raises NewerVersion only."""
    try:
        return decode(type_, version, body)
    except NewerVersion:
        raise
    except Exception as error:  # noqa: BLE001 - a broken body and a bug in an upcast are parked alike
        reason = f"{type(error).__name__}: {error}"
        return Unreadable(type_, CATALOGUE[type_].topic, version, body, reason)
