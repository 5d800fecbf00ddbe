"""Timers: due rows are claimed by generation, run once, and never overtake a fact that was recorded before."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid5

import structlog
from sqlalchemy import bindparam, select

from shared.clock import machine_seconds
from shared.db.base import Database, Query, Reader, Tx
from shared.errors import NotYet
from shared.events.base import NAMESPACE
from shared.inbox import REST_SECONDS, BatchSize
from shared.observe import METRICS
from shared.partition import PARTITIONS
from shared.service import Service
from shared.tables import HeartbeatRow, TimerRow
from shared.work import Judge, StoreFailed
from shared.workset import Due, Work

log = structlog.get_logger()
LOOKED_AT = 1000


class Horizon:
    """How far timers may look, by account: the lowest heartbeat over all partitions of ingest."""

    def __init__(self, rows: Sequence[HeartbeatRow]) -> None:
        self._complete = len(rows) == PARTITIONS
        self._rows = rows
        self.lowest = min((row.at for row in rows), default=None)

    def of(self, account: str) -> datetime | None:
        """The moment before which every live fact of an account has been taken in; None before the first heartbeats."""
        if not self._complete:
            return None
        return min(row.behind.get(account, row.at) for row in self._rows)


class Timers:
    """One service's timers."""

    def __init__(self, service: Service, db: Database, writer: str, batch_size: int | None = None) -> None:
        self.service = service
        self.db = db
        self.judge = Judge(service, writer)
        self.size = BatchSize(db, batch_size)
        self._resting: dict[tuple[str, str, UUID], float] = {}
        kernel = service.kernel
        self.kernel = kernel
        timer = kernel.timer
        self._due = Query(
            select(*timer.columns)
            .where(timer.c.due <= bindparam("now"))
            .order_by(timer.c.due, timer.c.name)
            .limit(bindparam("most"))
        )
        self._beats = Query(select(*kernel.heartbeat.columns))
        self._next = Query(select(timer.c.due).order_by(timer.c.due).limit(1))

    async def step(self) -> int:
        """Fire one batch of what is due; gives how many fired."""
        ready = await self._ready()
        if not ready:
            return 0
        try:
            return await self._fire(ready)
        except NotYet:
            return await self._one_by_one(ready)
        except StoreFailed as error:
            return await self._halved(ready, error)

    async def _ready(self) -> list[TimerRow]:
        """Due timers that no fact can precede any more, unlocked."""
        most = LOOKED_AT
        async with self.db.look() as reader:  # each is claimed by its generation: no snapshot is needed
            rows = await self._due_now(reader, most)
            horizon = await self.horizon(reader) if rows else Horizon(())
            while not (free := [row for row in rows if self._may_fire(row, horizon)]) and len(rows) == most:
                most *= 8  # an account that lags far behind must not hold up the others' timers
                rows = await self._due_now(reader, most)
        return free[: self.size.size]

    async def _due_now(self, reader: Reader, most: int) -> list[TimerRow]:
        return [TimerRow(*row) for row in await reader.fetch(self._due, now=reader.now, most=most)]

    def _may_fire(self, row: TimerRow, horizon: Horizon) -> bool:
        if self._resting.get(_firing(row), 0.0) > machine_seconds():
            return False
        return row.unguarded or _passed(horizon.of(row.account), row.due)

    async def horizon(self, reader: Reader) -> Horizon:
        """The heartbeats as stored."""
        return Horizon([HeartbeatRow(*row) for row in await reader.fetch(self._beats)])

    async def next_due(self, reader: Reader) -> datetime | None:
        """When the next timer is due."""
        row = await reader.fetch_one(self._next)
        return row[0] if row else None

    async def _fire(self, ready: Sequence[TimerRow], *, park_reason: str = "") -> int:
        begun, self.judge.held_loop = machine_seconds(), 0.0
        async with self.db.write() as tx:
            mine = await self._claimed(tx, ready)
            work: list[Work] = [due_of(row) for row in mine]
            if not work:
                return 0
            if park_reason:
                self.judge.spoiled_by = park_reason
                await self.judge.park_whole(tx, work)
            else:
                await self.judge.judge(tx, work)
            late = max((tx.now - row.due).total_seconds() for row in mine)
        self.size.measured(len(work), self.judge.held_loop, machine_seconds() - begun)
        METRICS.timer_lateness.labels(self.service.name).set(late)
        METRICS.judged.labels(self.service.name, "timers").inc(len(work))
        return len(work)

    async def _one_by_one(self, ready: Sequence[TimerRow]) -> int:
        """Each timer by itself, so that only the one that has to wait does; it rests before it is tried again."""
        now = machine_seconds()
        self._resting = {firing: until for firing, until in self._resting.items() if until > now}
        fired = 0
        for row in ready:
            try:
                fired += await self._fire([row])
            except NotYet as error:
                self._resting[_firing(row)] = machine_seconds() + REST_SECONDS
                log.info("timer waits", service=self.service.name, timer=row.name, reason=str(error))
            except StoreFailed as error:
                fired += await self._halved([row], error)
        return fired

    async def _halved(self, ready: Sequence[TimerRow], error: StoreFailed) -> int:
        if len(ready) == 1:
            return await self._fire(ready, park_reason=f"{type(error.__cause__).__name__}: {error}")
        middle = len(ready) // 2
        fired = 0
        for part in (ready[:middle], ready[middle:]):
            try:
                fired += await self._fire(part)
            except StoreFailed as worse:
                fired += await self._halved(part, worse)
        return fired

    async def _claimed(self, tx: Tx, ready: Sequence[TimerRow]) -> list[TimerRow]:
        """Lock the customers that nobody else holds, then delete by generation: what comes back is ours."""
        free = ready
        if tx.dialect.name == "postgresql":
            names = {(row.account, row.customer) for row in ready if row.customer}
            held = set(await tx.lock_many(self.service.subjects, names, skip=True))
            known = set(await tx.fetch_by_keys(self.service.subjects, names, _subject))
            busy = known - held
            free = [row for row in ready if (row.account, row.customer) not in busy]
        keys = [(row.account, row.name, row.generation) for row in free]
        gone = await tx.delete_by_keys(self.kernel.timer, keys, by=("account", "name", "generation"))
        mine = set(gone)
        return [row for row in free if (row.account, row.name) in mine]


def _subject(account: str, customer: str, *_rest: Any) -> tuple[str, str]:
    return account, customer


def _firing(row: TimerRow) -> tuple[str, str, UUID]:
    return row.account, row.name, row.generation


def _passed(horizon: datetime | None, due: datetime) -> bool:
    return horizon is not None and due <= horizon


def due_of(row: TimerRow) -> Due:
    """A timer as it fires."""
    return Due(
        account=row.account,
        customer=row.customer,
        store=row.store,
        kind=row.kind,
        name=row.name.removeprefix(row.kind + ":"),
        due=row.due,
        id=uuid5(NAMESPACE, f"{row.account}|{row.name}|{row.generation}"),
        payload=row.payload,
        correlation=row.correlation,
        trace=row.trace,
    )
