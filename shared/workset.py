"""Load, judge, store: what a micro-batch has on its desk, and how a judgement changes it all or not at all."""

from abc import ABC, abstractmethod
from collections import Counter
from collections.abc import Sequence
from datetime import datetime
from typing import Any, Protocol, cast
from uuid import UUID

import msgspec

from shared.db.base import Tx
from shared.drafts import Added, Keyed
from shared.errors import Unavailable
from shared.events.base import Event, Fact, Lane, fact_id
from shared.events.config import StoreConfigured
from shared.events.ingest import CustomerMerged
from shared.tables import NameRow
from shared.tracing import TRACING, Span


class Due(msgspec.Struct, frozen=True, kw_only=True):
    """A timer that fired; `due` is when it was meant to, `id` that of this firing."""

    account: str
    customer: str
    store: str
    kind: str
    name: str
    due: datetime
    id: UUID
    payload: dict[str, Any]
    correlation: UUID | None = None
    trace: str = ""

    @property
    def time(self) -> datetime:
        """When it was due."""
        return self.due


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A call of the API that changes something of a customer, or of an `other` one too.

    `about` is the ids of the things it names, with spaces between, for `load`; `draws` says how much of what its
    customer has it takes in the usual order where nothing else of that is wanted, 0 where all of it may be.
    """

    account: str
    customer: str
    store: str
    id: UUID
    time: datetime
    trace: str = ""
    about: str = ""
    other: str = ""
    draws: int = 0
    lane: Lane = Lane.LIVE


class Cause(Protocol):
    """What any work is at least: something that happened in an account, from which facts may follow."""

    @property
    def account(self) -> str:
        """Whose it is."""

    @property
    def store(self) -> str:
        """The store, or ''."""

    @property
    def customer(self) -> str:
        """The customer, or ''."""

    @property
    def id(self) -> UUID:
        """What facts that follow derive their ids from."""

    @property
    def time(self) -> datetime:
        """When it happened."""

    @property
    def trace(self) -> str:
        """W3C trace context."""


Work = Event[Any] | Due | Command


def _named(work: Cause) -> str:
    """What a trace calls a piece of work: the fact, the timer, the connector of a delivery, or a command."""
    if isinstance(work, Event):
        return f"judge {work.fact.type}"
    return f"judge {getattr(work, 'kind', 'command')}"


def told(work: Work) -> type[Any] | None:
    """The very type of fact that a piece of work tells; None for a timer or a call.

    To ask it of a whole batch costs a fifth of `isinstance`, which goes through the classes' abstract base.
    """
    return type(work.fact) if type(work) is Event else None


def touched(work: Work) -> tuple[str, ...]:
    """The customers whose state a piece of work may read or change."""
    if told(work) is CustomerMerged:
        return (work.customer, cast(Event[CustomerMerged], work).fact.loser)
    if type(work) is Command and work.other:
        return (work.customer, work.other)
    return (work.customer,)


def customers(work: Sequence[Work]) -> list[tuple[str, str]]:
    """(account, customer) of all that a batch touches, sorted, each once."""
    return sorted({(item.account, name) for item in work for name in touched(item) if name})


class TimerSet(msgspec.Struct, frozen=True):
    """A timer to set (or, with `due` None, to cancel)."""

    account: str
    kind: str
    name: str
    customer: str
    store: str
    due: datetime | None
    payload: dict[str, Any]
    unguarded: bool
    correlation: UUID | None
    trace: str


class WorkSet(ABC):
    """The base of every service's desk: collects facts, timers and counts beside the service's own rows."""

    def __init__(self, now: datetime) -> None:
        self.now = now
        self.work: Cause
        self.trace = ""
        self._span: Span | None = None
        self.facts: Added[Event[Any]] = Added()
        self.timers: Keyed[tuple[str, str], TimerSet] = Keyed()
        self.namings: Keyed[tuple[str, bytes], NameRow] = Keyed()
        self.counts: Counter[str] = Counter()
        self.stores: dict[tuple[str, str], StoreConfigured] = {}
        self._counted: list[tuple[str, int]] = []
        self._ordinal = 0
        self._recorded = now
        self._lane = Lane.LIVE
        self._correlation: UUID | None = None
        self._parts: tuple[Keyed[Any, Any] | Added[Any], ...] = ()

    @abstractmethod
    async def store(self, tx: Tx) -> None:
        """Write what was judged: one set-based write for each table."""

    def begin(self, work: Cause) -> None:
        """Put one piece of work on the desk."""
        self.work = work
        self.trace = work.trace
        if TRACING.on and work.trace:
            self._span = TRACING.opens(_named(work), work.trace)
            self.trace = self._span.trace
        self._ordinal = 0
        if type(work) is Event:
            self._recorded, self._lane, self._correlation = work.recorded, work.lane, work.correlation or work.id
            return
        self._recorded = getattr(work, "recorded", self.now)
        self._lane = getattr(work, "lane", Lane.LIVE)
        self._correlation = getattr(work, "correlation", None) or work.id

    def keep(self) -> None:
        """The judgement returned: its changes count."""
        if not self._parts:
            self._parts = tuple(part for part in vars(self).values() if isinstance(part, Keyed | Added))
        for part in self._parts:
            if part.draft:
                part.keep()
        for name, number in self._counted:
            self.counts[name] += number
        self._counted.clear()
        if self._span is not None:
            self._ends(well=True)

    def discard(self) -> None:
        """The judgement raised: nothing of it remains."""
        for part in vars(self).values():
            if isinstance(part, Keyed | Added):
                part.discard()
        self._counted = []
        self._ends(well=False)

    def _ends(self, *, well: bool) -> None:
        span, self._span = self._span, None
        if span is not None:
            span.end(well=well)

    def store_of(self, account: str, store: str) -> StoreConfigured:
        """A store's set-up; raises Unavailable while this service has not read of it yet."""
        found = self.stores.get((account, store))
        if found is None:
            raise Unavailable(f"store {store} is not known here yet")
        return found

    def emit(
        self,
        fact: Fact,
        *,
        customer: str | None = None,
        store: str | None = None,
        time: datetime | None = None,
    ) -> Event[Any]:
        """Tell a fact; account, lane, trace and ids come from the work in hand."""
        work = self.work
        event = Event(
            id=fact_id(fact, work.id, self._ordinal),
            fact=fact,
            account=work.account,
            store=work.store if store is None else store,
            customer=work.customer if customer is None else customer,
            time=work.time if time is None else time,
            recorded=self._recorded,
            lane=self._lane,
            cause=work.id,
            correlation=self._correlation,
            trace=self.trace,
        )
        self._ordinal += 1
        self.facts.append(event)
        return event

    def set_timer(
        self,
        kind: str,
        name: str,
        due: datetime,
        payload: dict[str, Any] | None = None,
        *,
        customer: str | None = None,
        unguarded: bool = False,
    ) -> None:
        """Set or move the timer `kind:name`; it fires when business time and ingest's heartbeats have passed `due`."""
        work = self.work
        owner = work.customer if customer is None else customer
        self.timers[work.account, f"{kind}:{name}"] = TimerSet(
            work.account, kind, name, owner, work.store, due, payload or {}, unguarded, self._correlation, self.trace
        )

    def cancel_timer(self, kind: str, name: str) -> None:
        """Cancel the timer `kind:name` of the account, if there is one."""
        work = self.work
        self.timers[work.account, f"{kind}:{name}"] = TimerSet(
            work.account, kind, name, "", "", None, {}, False, None, ""
        )

    def count(self, name: str, number: int = 1) -> None:
        """Enter a number in the books, in the transaction it counts."""
        self._counted.append((name, number))
