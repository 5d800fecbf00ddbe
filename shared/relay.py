"""The relay: outbox → bus, in order, by one lease holder for each service's database; at ingest also the heartbeats."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any

import msgspec
from msgspec.structs import replace
from sqlalchemy import Table, bindparam, delete, func, select, update

from shared import tx as carrying
from shared.bus.base import HEARTBEAT, Bus, Outgoing
from shared.clock import Clock, machine_seconds
from shared.db.base import Database, Query, Reader
from shared.events.base import CATALOGUE
from shared.inbox import Heartbeat
from shared.observe import METRICS
from shared.partition import PARTITIONS, SINGLE
from shared.service import Service
from shared.tracing import TRACING

MOST = 500
LEASE = timedelta(seconds=5)
BEAT_SECONDS = 1.0
LINE_UP_SECONDS = 1.0
_encode = msgspec.json.Encoder().encode


class Traced(msgspec.Struct, frozen=True):
    """What a trace wants to know of a fact's headers."""

    ce_type: str
    ce_traceparent: str


_head = msgspec.json.Decoder(Traced).decode


class Turns:
    """What of an outbox goes out next: the oldest; once there is more than that, some of every account in turn.

    So an account with much to tell holds nobody up for longer than it takes to send a batch for each account. A turn
    ends with what was there when the line was made: rows of before may be committed since, and later ones follow them.
    """

    def __init__(self, outbox: Table) -> None:
        seq = outbox.c.seq
        columns = (seq, outbox.c.type, outbox.c.topic, outbox.c.partition, outbox.c.key, outbox.c.head, outbox.c.body)
        self._oldest = Query(select(*columns).order_by(seq).limit(MOST))
        self._accounts = Query(select(outbox.c.account, func.min(seq), func.max(seq)).group_by(outbox.c.account))
        own = (outbox.c.account == bindparam("account_"), seq >= bindparam("first"), seq <= bindparam("last"))
        self._of_account = Query(select(*columns).where(*own).order_by(seq).limit(MOST))
        self._line: deque[tuple[str, int, int]] = deque()
        self._lined_up_at = -1e9

    async def next(self, reader: Reader) -> list[Sequence[Any]]:
        """The next batch, in the order in which it was written as far as any one account goes."""
        while self._line:
            account, first, last = self._line.popleft()
            if rows := await reader.fetch(self._of_account, account_=account, first=first, last=last):
                return rows
        rows = await reader.fetch(self._oldest)
        if len(rows) == MOST and machine_seconds() > self._lined_up_at + LINE_UP_SECONDS:
            waiting = await reader.fetch(self._accounts)
            self._line.extend(tuple(row) for row in waiting if len(waiting) > 1)
            self._lined_up_at = machine_seconds()
        return rows


class Relay:
    """Publishes one service's outbox while it holds the lease."""

    def __init__(self, service: Service, db: Database, bus: Bus, clock: Clock, writer: str) -> None:
        self.service = service
        self.db = db
        self.bus = bus
        self.clock = clock
        self.writer = writer
        self.news = asyncio.Event()
        kernel = service.kernel
        self.kernel = kernel
        outbox = kernel.outbox
        self._turns = Turns(outbox)
        self._behind = Query(
            select(outbox.c.account, func.min(outbox.c.recorded))
            .where(outbox.c.lane == "live")
            .group_by(outbox.c.account)
        )
        lease = kernel.lease
        self._renew = Query(
            update(lease)
            .where(lease.c.name == "relay", (lease.c.holder == bindparam("me")) | (lease.c.until < bindparam("now_")))
            .values(holder=bindparam("me"), until=bindparam("until_"))
        )
        self._held_until = 0.0
        self._beaten_at = -1e9
        self._moved = False
        clock.on_move(self.beat_now)

    def beat_now(self) -> None:
        """Have the next beat go out at once."""
        self._moved = True
        self.news.set()

    async def hold(self) -> bool:
        """Take or renew the lease, by the database's clock; the holder renews well before it ends."""
        if machine_seconds() < self._held_until:
            return True
        async with self.db.write() as tx:
            now = await tx.machine_now()
            mine = await tx.execute(self._renew, me=self.writer, now_=self._over(now), until_=now + LEASE)
            if not mine:  # the very first lease, unless another holds one
                row = ("relay", self.writer, now + LEASE)
                mine = len(await tx.insert_new(self.kernel.lease, [row], ("name",)))
        self._held_until = machine_seconds() + LEASE.total_seconds() / 2 if mine else 0.0
        return bool(mine)

    def _over(self, now: datetime) -> datetime:
        """Leases that end before then are nobody's: whoever took one before we were alone is dead."""
        alone = self.db.alone_at
        return now if alone is None else max(now, alone + LEASE)

    async def release(self) -> None:
        """Give the lease back, so that the next holder need not wait for its end."""
        if self._held_until:
            self._held_until = 0.0
            lease = self.kernel.lease
            async with self.db.write() as tx:
                await tx.execute(delete(lease).where(lease.c.name == "relay", lease.c.holder == self.writer))

    async def step(self) -> int:
        """Publish one batch, then forget it here (at ingest: move it to the archive); gives how many."""
        async with self.db.look() as reader:
            rows = await self._turns.next(reader)
        if not rows:
            return 0
        facts = [Outgoing(*row[2:]) for row in rows]
        if TRACING.on:
            await self._publish_traced(facts)
        else:
            await self.bus.publish(facts)
        await self._forget(rows)
        METRICS.published.labels(self.service.name).inc(len(rows))
        return len(rows)

    async def _publish_traced(self, facts: Sequence[Outgoing]) -> None:
        """Publish, with a span for each fact from which its consumers follow."""
        heads = [_head(fact.head) for fact in facts]
        spans = [TRACING.opens(f"publish {head.ce_type}", head.ce_traceparent, kind="producer") for head in heads]
        told = zip(facts, heads, spans, strict=True)
        await self.bus.publish([_following(fact, head.ce_traceparent, span.trace) for fact, head, span in told])
        for span in spans:
            span.end()

    async def _forget(self, rows: Sequence[Sequence[Any]]) -> None:
        async with self.db.write() as tx:
            kept = {(row[0],) for row in rows if self.service.owns_setup and CATALOGUE[row[1]].archived}
            moved = await tx.move_by_keys(self.kernel.outbox, self.kernel.archive, kept)
            rest = [(row[0],) for row in rows if (row[0],) not in kept]
            gone = {*moved, *await tx.delete_by_keys(self.kernel.outbox, rest)}
            counts = Counter(
                f"published:{row[2]}:{row[1]}" for row in rows if (row[0],) in gone and row[2] not in SINGLE
            )
            await carrying.count(tx, self.kernel, self.writer, counts)

    async def beat(self) -> None:
        """Tell every partition how far ingest has come, once a machine second and at once when time was moved."""
        if not self._moved and machine_seconds() - self._beaten_at < BEAT_SECONDS:
            return
        self._moved = False
        await self.bus.publish(beats_of(*await self._state()))
        self._beaten_at = machine_seconds()

    async def _state(self) -> tuple[datetime, dict[str, datetime]]:
        """T first, then what is waiting in one snapshot taken after T.

        What was stamped before T and is committed after the snapshot is not seen, and need not be: it is answered
        after its commit, so after T, and no timer that T lets fire is due later than that answer.
        """
        offset = self.clock.offset
        async with self.db.look() as reader:
            moment = await reader.machine_now() + offset
        async with self.db.read() as reader:
            oldest: dict[str, datetime] = {row[0]: row[1] for row in await reader.fetch(self._behind)}
            untaken = self.service.untaken
            for account, recorded in await reader.fetch(untaken) if untaken else ():
                oldest[account] = min(recorded, oldest.get(account, recorded))
        before = {account: min(moment, recorded - timedelta(microseconds=1)) for account, recorded in oldest.items()}
        return moment, before

    async def oldest(self, reader: Reader) -> datetime | None:
        """The recorded time of the oldest live fact in the outbox."""
        return min((row[1] for row in await reader.fetch(self._behind)), default=None)

    async def waiting(self, reader: Reader) -> int:
        """How many facts wait in the outbox."""
        row = await reader.fetch_one(select(func.count()).select_from(self.kernel.outbox))
        return int(row[0]) if row else 0


def _following(fact: Outgoing, before: str, trace: str) -> Outgoing:
    """A fact under another trace context; one that had none stays without."""
    return replace(fact, head=fact.head.replace(before.encode(), trace.encode())) if before else fact


def beats_of(at: datetime, behind: dict[str, datetime]) -> list[Outgoing]:
    """A heartbeat for every partition of ingest's topic."""
    head = _encode({"ce_type": HEARTBEAT})
    body = _encode(Heartbeat(at, behind))
    return [Outgoing("ingest", partition, HEARTBEAT, head, body) for partition in range(PARTITIONS)]
