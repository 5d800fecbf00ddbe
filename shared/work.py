"""The loop of judgement, written once: resolve, lock, load, judge each in order, store; one bad fact stands aside."""

import asyncio
import traceback
from collections.abc import Callable, Iterable, Sequence
from typing import Any, TypeGuard, cast

import msgspec
import structlog

from shared import tx as carrying
from shared.clock import machine_seconds
from shared.config import stores_of
from shared.db.base import Tx
from shared.errors import NotYet, Unavailable
from shared.events.base import Event, Unreadable
from shared.events.ingest import CustomerErased, CustomerMerged, CustomerNamed
from shared.observe import METRICS
from shared.parking import Parking
from shared.service import Service
from shared.tables import AliasRow, KernelTables
from shared.workset import Command, Due, Work, WorkSet, customers, told

log = structlog.get_logger()
Act = Callable[[Command, Any], Any]
STRETCH_SECONDS = 0.020


class StoreFailed(Exception):
    """Judgement went well but the rows could not be written: the batch is halved to find the one that spoils it."""


class UnreadableFact(Exception):
    """A fact whose body cannot be read, for the reason given."""


class Stretch:
    """Judgement in stretches of 20 ms, after each of which others have the event loop; `held` is all its seconds."""

    def __init__(self) -> None:
        self.held = 0.0
        self._since = machine_seconds()

    async def between(self) -> None:
        """Let others have the event loop if it was held for long; to be called between two judgements."""
        if machine_seconds() - self._since > STRETCH_SECONDS:
            self.end()
            await asyncio.sleep(0)
            self._since = machine_seconds()

    def end(self) -> None:
        """Enter the last stretch."""
        self.held += machine_seconds() - self._since


class Judge:
    """Takes batches of work through one service's reactions; `held_loop` adds up the seconds of judgement itself."""

    def __init__(self, service: Service, writer: str) -> None:
        self.service = service
        self.kernel: KernelTables = service.kernel
        self.writer = writer
        self.parking = Parking(service.kernel)
        self.spoiled_by = ""
        self.held_loop = 0.0
        self._reactions = {fact.type: react for fact, react in service.reactions.items()}

    async def judge(self, tx: Tx, work: Sequence[Work], *, park: bool = True) -> WorkSet | None:
        """Judge a batch within `tx` and write what comes of it; gives the desk, or None when nothing was left to judge.

        With `park` a failing item is parked and later ones of its customer queue behind it; without it its error is
        raised, and what a parked item would hold back is judged all the same (redrive).
        """
        work = await self._in_hand(tx, work)
        if park:
            work = await self.parking.hold_back(tx, work)
        if not work:
            await self.parking.store(tx)
            return None
        desk = await self._desk(tx, work)
        await self._judge_each(desk, work, park=park)
        await self._store(tx, desk)
        return desk

    async def command(self, tx: Tx, command: Command, act: Act) -> Any:
        """Judge one API call and write what comes of it; gives what `act` gave, raises what it raised."""
        (outcome,) = await self.commands(tx, [(command, act)])
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    async def commands(self, tx: Tx, calls: Sequence[tuple[Command, Act]]) -> list[Any]:
        """Judge API calls one after the other; gives what each `act` gave, or the exception that it raised.

        What comes of them is written only if none raised.
        """
        work = await self._in_hand(tx, [command for command, _act in calls])
        desk = await self._desk(tx, work)
        outcomes = [_acted(act, item, desk) for item, (_command, act) in zip(work, calls, strict=True)]
        if not any(isinstance(outcome, Exception) for outcome in outcomes):
            await carrying.store(tx, self.kernel, self.service.name, self.writer, desk)
        return outcomes

    async def park_whole(self, tx: Tx, work: Sequence[Work]) -> None:
        """Park work whose result the store refuses, with `spoiled_by` as the reason."""
        for item in await self.parking.hold_back(tx, await self._in_hand(tx, work)):
            self.parking.park(item, self.spoiled_by, "", tx.now)
        await self.parking.store(tx)

    async def _in_hand(self, tx: Tx, work: Sequence[Work]) -> list[Work]:
        """Work under its customers' living names, their rows locked: only now may their parked lines be read."""
        await self._record_merges(tx, work)
        resolved, names = await self._resolved(tx, work)
        await self._lock(tx, names)
        await self._unmoved(tx, names)
        await self._queue_together(tx, resolved)
        await self._empty_queues(tx, resolved)
        return resolved

    async def _desk(self, tx: Tx, work: Sequence[Work]) -> WorkSet:
        needing = [item for item in work if not _unreadable(item) and not _naming(item)]
        desk: WorkSet = await self.service.load(tx, needing)
        desk.stores = await stores_of(tx, self.kernel, work)
        return desk

    async def _store(self, tx: Tx, desk: WorkSet) -> None:
        try:
            await carrying.store(tx, self.kernel, self.service.name, self.writer, desk)
            await self.parking.store(tx)
        except Unavailable:
            self.parking.forget()
            raise
        except Exception as error:
            self.parking.forget()
            raise StoreFailed(str(error)) from error

    async def _judge_each(self, desk: WorkSet, work: Sequence[Work], *, park: bool) -> None:
        stretch = Stretch()
        try:
            await self._in_turn(desk, work, stretch, park=park)
        finally:
            stretch.end()
            self.held_loop += stretch.held

    async def _in_turn(self, desk: WorkSet, work: Sequence[Work], stretch: Stretch, *, park: bool) -> None:
        for item in work:
            await stretch.between()
            if park and self.parking.holds(item):
                self.parking.queue_behind(item)
                continue
            desk.begin(item)
            try:
                self.react(item, desk)
            except Unavailable as error:
                self.parking.forget()
                raise NotYet(str(error)) from error
            except Exception as error:
                desk.discard()
                if not park:
                    raise
                self._park(item, error, desk)
            else:
                desk.keep()
                self.parking.went_well(item)
                if told(item) is CustomerErased:
                    desk.counts.update(self.parking.drop(item.account, item.customer))

    def _park(self, item: Work, error: Exception, desk: WorkSet) -> None:
        reason = f"{type(error).__name__}: {error}"
        log.error("parked", service=self.service.name, customer=item.customer, reason=reason, trace=item.trace)
        METRICS.parked.labels(self.service.name).inc()
        self.parking.park(item, reason, "".join(traceback.format_exception(error)), desk.now)

    def react(self, item: Work, desk: WorkSet) -> None:
        """Hand one item to its reaction; raises what that raises, and UnreadableFact."""
        if _unreadable(item):
            raise UnreadableFact(item.fact.reason)
        if isinstance(item, Event):
            fact = item.fact
            self._reactions[fact.type](item, desk)
            desk.count(f"effected:{fact.topic}:{fact.type}")
        elif isinstance(item, Due):
            self.service.timers[item.kind](item, desk)
            desk.count("timers_fired")

    async def _resolved(self, tx: Tx, work: Sequence[Work]) -> tuple[list[Work], list[tuple[str, str]]]:
        """Work under its customers' living names, and these, sorted."""
        names = customers(work)
        aliases = await survivors(tx, self.kernel, names)
        if not aliases:
            return list(work), names
        renamed = [self._renamed(item, aliases) for item in work]
        return renamed, customers(renamed)

    def _renamed(self, item: Work, aliases: dict[tuple[str, str], str]) -> Work:
        survivor = aliases.get((item.account, item.customer))
        return item if survivor is None else msgspec.structs.replace(item, customer=survivor)

    async def _record_merges(self, tx: Tx, work: Sequence[Work]) -> None:
        """Before names are resolved, so that what follows a merge in its own batch finds the survivor."""
        rows = [AliasRow(m.account, m.fact.loser, m.customer) for m in _merges(work) if m.fact.loser != m.customer]
        await tx.upsert_many(self.kernel.alias, rows)

    async def _queue_together(self, tx: Tx, work: Sequence[Work]) -> None:
        """What is parked of a loser stands from now on in the survivor's queue."""
        await self.parking.follow(tx, [AliasRow(m.account, m.fact.loser, m.customer) for m in _merges(work)])

    async def _empty_queues(self, tx: Tx, work: Sequence[Work]) -> None:
        """What is parked of an erased customer goes with it, counted as erased."""
        erased = [item for item in work if told(item) is CustomerErased]
        gone = {(item.account, item.customer) for item in erased}
        if gone:
            await carrying.count(tx, self.kernel, self.writer, await self.parking.empty(tx, gone))

    async def _lock(self, tx: Tx, names: list[tuple[str, str]]) -> None:
        """Hold the customers' rows, in key order; those that are missing are made."""
        service = self.service
        held = set(await tx.lock_many(service.subjects, names))
        missing = [name for name in names if name not in held]
        rows = [service.subject_row(account, name, tx.now) for account, name in missing]
        await tx.insert_many(service.subjects, rows, ignore_conflicts=True)
        if missing and tx.dialect.name == "postgresql":
            await tx.lock_many(service.subjects, missing)

    async def _unmoved(self, tx: Tx, names: list[tuple[str, str]]) -> None:
        """Raise Unavailable if a customer was merged away between resolving and locking."""
        if tx.dialect.name != "postgresql":
            return
        rows = await tx.fetch_by_keys(self.kernel.alias, names, AliasRow)
        if any((row.account, row.survivor) not in set(names) for row in rows):
            raise Unavailable("a customer was merged meanwhile")


def _acted(act: Act, item: Work, desk: WorkSet) -> Any:
    desk.begin(item)
    try:
        outcome = act(cast(Command, item), desk)
    except Exception as error:  # noqa: BLE001 - whoever called is told
        desk.discard()
        return error
    desk.keep()
    return outcome


async def survivors(tx: Tx, kernel: KernelTables, names: Iterable[tuple[str, str]]) -> dict[tuple[str, str], str]:
    """The last survivor of each (account, customer) that was merged away, however long the chain."""
    found: dict[tuple[str, str], str] = {}
    asked = list(names)
    while asked:
        rows = await tx.fetch_by_keys(kernel.alias, asked, AliasRow)
        found.update({(row.account, row.loser): row.survivor for row in rows})
        asked = [(row.account, row.survivor) for row in rows if (row.account, row.survivor) not in found]
    return {key: _end(found, key) for key in found}


def _unreadable(item: Work) -> TypeGuard[Event[Any]]:
    return told(item) is Unreadable


def _naming(item: Work) -> bool:
    """Whether an item only names somebody, so that none of the service's own rows are needed for it."""
    return told(item) is CustomerNamed


def _merges(work: Sequence[Work]) -> list[Event[CustomerMerged]]:
    return [cast(Event[CustomerMerged], item) for item in work if told(item) is CustomerMerged]


def _end(chain: dict[tuple[str, str], str], key: tuple[str, str]) -> str:
    account, name = key
    seen = {name}
    while (following := chain.get((account, name))) is not None and following not in seen:
        name = following
        seen.add(name)
    return name
