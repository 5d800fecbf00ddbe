"""A service is a value: its tables, its routes, and what it does when facts come in and timers fire."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import msgspec
from fastapi import Request, Response
from pydantic import BaseModel
from sqlalchemy import MetaData, Table

from shared.db.base import Query, Reader, Tx
from shared.events.base import Event, Fact
from shared.openapi import Router
from shared.tables import KernelTables, attach
from shared.workset import Due, Work

if TYPE_CHECKING:
    from shared.running import Running

Load = Callable[[Tx, Sequence[Work]], Awaitable[Any]]
React = Callable[[Any, Any], None]


class Loop(Protocol):
    """Something the runtime keeps doing: one step after the other, at its `pace` where it has one."""

    async def step(self) -> int:
        """Do some work; gives how much there was."""


class Pace(NamedTuple):
    """How long a loop rests when it had nothing to do, and at most backs off after failures, in machine seconds.

    The rest doubles from `rest` to `longest` until there is something again; with 0 the step itself does the waiting.
    What a step has done is news for the loop that `wakes` names ('' for none), which then rests no longer; other
    processes tell no news. A loop of which no step ended well for `silence` seconds is unwell.
    """

    rest: float = 0.1
    longest: float = 0.5
    back_off: float = 5.0
    wakes: str = "relay"
    silence: float = 30.0


class Direct(NamedTuple):
    """A POST route that may be answered without FastAPI's routing: its function, its body, and who may call it."""

    answer: Callable[[Request, Any, Any], Awaitable[Response]]
    body: type[BaseModel]
    caller: Callable[[Request], Awaitable[Any]]


MakeLoop = Callable[["Running"], Loop]


class Audit(msgspec.Struct, frozen=True):
    """A service's own check of its books: figures, and what does not add up, in words."""

    figures: dict[str, int]
    faults: list[str]


class Refold(NamedTuple):
    """How a service whose rows follow from facts alone is made anew: `clear` empties them, a desk of `load` is mute."""

    clear: Callable[[Tx], Awaitable[None]]
    load: Load


@dataclass(frozen=True, kw_only=True)
class Service:
    """The table of contents of a service.

    `subjects` is the table whose primary key is (account, customer): the row that is locked, and made by
    `subject_row` when missing, before `load`. `loops` are further loops that the runtime supervises, `asgi` hot
    routes as plain ASGI callables by path, `documents` what OpenAPI says of them; `direct` are routes of `router` that
    are called often, by path. `owns_setup` is true for the one service whose config table is the original; it also
    keeps the archive of facts and sends the heartbeats, for which `untaken` gives by account the recorded time of the
    oldest live input that is not a fact yet. `refold` is
    how it is rebuilt; a service without is an original. `deep` holds it against the facts of its types out of the
    archive, and says what does not add up.
    """

    name: str
    metadata: MetaData
    subjects: Table
    subject_row: Callable[[str, str, datetime], msgspec.Struct]
    load: Load
    reactions: Mapping[type[Fact], React] = field(default_factory=dict)
    timers: Mapping[str, Callable[[Due, Any], None]] = field(default_factory=dict)
    router: Router = field(default_factory=Router)
    prefixes: tuple[str, ...] = ()
    audit: Callable[[Reader], Awaitable[Audit]] | None = None
    loops: Mapping[str, MakeLoop] = field(default_factory=dict)
    owns_setup: bool = False
    untaken: Query | None = None
    asgi: Mapping[str, Callable[["Running"], Any]] = field(default_factory=dict)
    direct: Mapping[str, Direct] = field(default_factory=dict)
    documents: Callable[[], Mapping[str, Any]] | None = None
    on_start: Callable[["Running"], Awaitable[None]] | None = None
    refold: Refold | None = None
    deep: Callable[[Reader, AsyncIterator[Sequence[Event[Any]]]], Awaitable[list[str]]] | None = None

    @property
    def kernel(self) -> KernelTables:
        """The kernel's tables in this service's database."""
        return attach(self.metadata)

    @property
    def topics(self) -> tuple[str, ...]:
        """Topics this service reads, its own set-up topic aside."""
        return tuple(sorted({fact.topic for fact in self.reactions}))
