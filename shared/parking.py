"""Where work waits that our code failed on, and what queues behind it, by customer."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import select, update

from shared.db.base import Query, Tx
from shared.db.types import EPOCH
from shared.errors import StopTheLine
from shared.events.base import CATALOGUE, Event, Fact, Lane, Unreadable, decode, encode
from shared.events.ingest import ConsentChanged, CustomerErased
from shared.events.notifications import Unsubscribed
from shared.tables import AliasRow, KernelTables, ParkedRow
from shared.workset import Command, Due, Work, touched

OVERTAKERS: tuple[type[Fact], ...] = (CustomerErased, ConsentChanged, Unsubscribed)
MOST_KEYS_IN_A_ROW = 20
BEHIND = "behind an earlier one"


class ParkedEvent(msgspec.Struct, frozen=True):
    """An event as it is kept while parked: the body stays bytes, so a newer code may read it otherwise."""

    id: UUID
    type: str
    version: int
    body: bytes
    account: str
    store: str
    customer: str
    time: datetime
    recorded: datetime
    lane: Lane
    cause: UUID | None
    correlation: UUID | None
    trace: str


_event = msgspec.json.Decoder(ParkedEvent).decode
_due = msgspec.json.Decoder(Due).decode


def pack(item: Work) -> tuple[str, str, bytes]:
    """(kind, type, bytes) of a piece of work."""
    if isinstance(item, Due):
        return "timer", item.kind, encode(item)
    if isinstance(item, Command):
        raise TypeError("a call of the API is answered, never parked")
    fields = msgspec.structs.asdict(item)
    fact = fields.pop("fact")
    body = fact.body if isinstance(fact, Unreadable) else encode(fact)
    kept = ParkedEvent(type=fact.type, version=fact.version, body=body, **fields)
    return "event", fact.type, encode(kept)


def unpack(kind: str, data: bytes) -> Work:
    """The piece of work that `pack` made bytes of; raises NewerVersion like `decode`."""
    if kind == "timer":
        return _due(data)
    fields = msgspec.structs.asdict(_event(data))
    fact = decode(fields.pop("type"), fields.pop("version"), fields.pop("body"))
    return Event(fact=fact, **fields)


class Parking:
    """One service's parked work, as one batch sees it."""

    def __init__(self, kernel: KernelTables) -> None:
        self.kernel = kernel
        self._held: set[tuple[str, str]] = set()
        self._rows: list[ParkedRow] = []
        self._in_a_row: dict[str, set[tuple[str, str]]] = {}
        self._now = EPOCH
        table = kernel.parked
        self._any = Query(select(table.c.seq).limit(1))

    async def hold_back(self, tx: Tx, work: Sequence[Work]) -> list[Work]:
        """Keep in line whatever belongs to a customer with parked work, overtakers aside; gives the rest."""
        self.forget()
        self._now = tx.now
        if not await tx.fetch(self._any):
            return list(work)
        names = {(item.account, name) for item in work for name in touched(item)}
        rows = await tx.fetch_by_keys(self.kernel.parked, names, _customer_of, by=("account", "customer"))
        self._held = set(rows)
        free = []
        for item in work:
            if self.holds(item):
                self.queue_behind(item)
            else:
                free.append(item)
        return free

    def holds(self, item: Work) -> bool:
        """Whether a piece of work must wait behind parked work."""
        if not self._held or isinstance(item, Command) or _overtakes(item):
            return False
        return any((item.account, name) in self._held for name in touched(item))

    def park(self, item: Work, reason: str, detail: str, now: datetime) -> None:
        """Set a piece of work aside, and from now on all of its customers' with it."""
        failed = self._in_a_row.setdefault(_kind_of(item), set())
        failed.add((item.account, item.customer))
        if len(failed) >= MOST_KEYS_IN_A_ROW:
            self.forget()
            raise StopTheLine(f"{MOST_KEYS_IN_A_ROW} customers in a row failed: {reason}")
        self._add(item, reason, detail, now)

    def queue_behind(self, item: Work) -> None:
        """Set a piece of work behind the parked ones of its customer."""
        self._add(item, BEHIND, "", self._now)

    def _add(self, item: Work, reason: str, detail: str, now: datetime) -> None:
        self._held |= {(item.account, name) for name in touched(item)}
        kind, type_, data = pack(item)
        self._rows.append(ParkedRow(item.account, item.customer, kind, type_, data, reason, detail, now))

    def went_well(self, item: Work) -> None:
        """A judgement returned: failures on work of its kind are not in a row any more."""
        if self._in_a_row:
            self._in_a_row.pop(_kind_of(item), None)

    def forget(self) -> None:
        """Drop what this batch was going to park."""
        self._rows = []
        self._held = set()

    def drop(self, account: str, customer: str) -> dict[str, int]:
        """Drop what this batch was going to park of an erased customer; gives the facts by the books' names."""
        gone = [row for row in self._rows if (row.account, row.customer) == (account, customer)]
        self._rows = [row for row in self._rows if (row.account, row.customer) != (account, customer)]
        self._held.discard((account, customer))
        return _erased((row.kind, row.type) for row in gone)

    async def store(self, tx: Tx) -> None:
        """Write what this batch parked."""
        rows, self._rows = self._rows, []
        await tx.insert_many(self.kernel.parked, rows)

    async def follow(self, tx: Tx, merges: Sequence[AliasRow]) -> None:
        """Let a loser's parked work stand in the survivor's queue."""
        table = self.kernel.parked
        for merge in merges:
            await tx.execute(
                update(table)
                .where(table.c.account == merge.account, table.c.customer == merge.loser)
                .values(customer=merge.survivor)
            )

    async def empty(self, tx: Tx, names: set[tuple[str, str]]) -> dict[str, int]:
        """Delete everything parked of these customers; gives how many facts of each type, as the books name them."""
        rows = await tx.fetch_by_keys(self.kernel.parked, names, _kind_and_type, by=("account", "customer"))
        await tx.delete_by_keys(self.kernel.parked, names, by=("account", "customer"))
        return _erased(rows)


def _kind_of(item: Work) -> str:
    if isinstance(item, Event):
        return str(item.fact.type)
    return item.kind if isinstance(item, Due) else ""


def _overtakes(item: Work) -> bool:
    if not isinstance(item, Event) or not isinstance(item.fact, OVERTAKERS):
        return False
    return not (isinstance(item.fact, ConsentChanged) and item.fact.granted)


def _erased(rows: Iterable[tuple[str, str]]) -> dict[str, int]:
    facts = Counter(type_ for kind, type_ in rows if kind == "event")
    return {f"erased:{CATALOGUE[type_].topic}:{type_}": number for type_, number in facts.items()}


def _kind_and_type(_seq: int, _account: str, _customer: str, kind: str, type_: str, *_rest: Any) -> tuple[str, str]:
    return kind, type_


def _customer_of(_seq: int, account: str, customer: str, *_rest: Any) -> tuple[str, str]:
    return account, customer
