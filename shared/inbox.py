"""Facts from the bus into a service: each takes effect once, in one transaction with what it brings about."""

from collections.abc import Sequence
from datetime import datetime
from typing import TYPE_CHECKING, Any
from uuid import UUID

import msgspec

from shared.bus.base import HEARTBEAT, Record, Subscription, firsts
from shared.clock import machine_now, machine_seconds
from shared.config import take_config
from shared.db.base import Database, Tx
from shared.errors import NotYet
from shared.events.base import Event, Lane, decode_or_tell
from shared.events.config import TOPIC as CONFIG_TOPIC
from shared.events.config import ConfigFact
from shared.observe import METRICS
from shared.service import Service
from shared.tables import HeartbeatRow, InboxRow, KernelTables
from shared.uids import uid
from shared.work import Judge, StoreFailed
from shared.workset import Work

if TYPE_CHECKING:
    from shared.bus.base import Bus

LEAST, MOST = 25, 500
LANES = {lane.value: lane for lane in Lane}
AIM_SECONDS, STRETCHES = 0.020, 4
REST_SECONDS = 0.5


class Heartbeat(msgspec.Struct, frozen=True):
    """What ingest tells each partition about how far it has come."""

    at: datetime
    behind: dict[str, datetime]


_heartbeat = msgspec.json.Decoder(Heartbeat).decode


class BatchSize:
    """How many facts the next batch may have, so that it holds others up for about 20 ms; heartbeats always fit in.

    On SQLite others wait for the file's one writer, so the whole transaction counts; on PostgreSQL they wait for the
    event loop only, so judgement does, which lets it go on after each 20 ms: a batch may have some such stretches.
    """

    def __init__(self, db: Database, fixed: int | None = None) -> None:
        self._one_writer = db.dialect.name == "sqlite"
        self._fixed = fixed
        self.size = fixed or 50

    def measured(self, facts: int, judged: float, took: float) -> None:
        """Learn from the last batch: the seconds of its judgement and of all of it."""
        if self._fixed or not facts:
            return
        seconds = took if self._one_writer else judged / STRETCHES
        aim = int(AIM_SECONDS * facts / max(seconds, 1e-6))
        self.size = max(LEAST, min(MOST, (self.size + aim) // 2 if aim < self.size else max(aim, self.size + 1)))


def event_of(record: Record) -> Event[Any] | None:
    """The fact in a record, even if only its envelope can be read; None for one of a type this code does not know."""
    head = record.headers
    fact = decode_or_tell(head["ce_type"], int(head["ce_dataschema"].rsplit("/", 1)[1]), record.body)
    if fact is None:
        return None
    return Event(
        id=uid(head["ce_id"]),
        fact=fact,
        account=head["ce_account"],
        store=head["ce_store"],
        customer=head["ce_subject"],
        time=datetime.fromisoformat(head["ce_time"]),
        recorded=datetime.fromisoformat(head["ce_recordedtime"]),
        lane=LANES[head["ce_lane"]],
        cause=_uid(head["ce_causationid"]),
        correlation=_uid(head["ce_correlationid"]),
        trace=head["ce_traceparent"],
    )


def _uid(text: str) -> UUID | None:
    return uid(text) if text else None


class Inbox:
    """One service's end of the bus."""

    def __init__(self, service: Service, db: Database, bus: "Bus", writer: str, batch_size: int | None = None) -> None:
        self.service = service
        self.db = db
        self.bus = bus
        self.kernel: KernelTables = service.kernel
        self.judge = Judge(service, writer)
        self.size = BatchSize(db, batch_size)
        self.subscription: Subscription | None = None
        self.waiting: dict[tuple[str, int], tuple[float, str]] = {}
        self._wanted = frozenset(fact.type for fact in service.reactions)
        self.effected = 0

    @property
    def topics(self) -> tuple[str, ...]:
        """What this service reads."""
        return (*self.service.topics, CONFIG_TOPIC)

    async def join(self) -> Subscription:
        """The subscription, made at first use."""
        if self.subscription is None:
            self.subscription = await self.bus.subscribe(self.service.name, self.topics)
        return self.subscription

    async def leave(self) -> None:
        """Leave the group."""
        subscription, self.subscription = self.subscription, None
        if subscription is not None:
            await subscription.close()

    @property
    def waiting_for(self) -> str:
        """Why facts wait, or ''."""
        return "; ".join(sorted({reason for _since, reason in self.waiting.values()}))

    async def step(self, wait_seconds: float = 0.5) -> int:
        """Take in one batch; gives the number of records read.

        Whatever fails, nothing is passed over: what was fetched is fetched again. Raises what went wrong, but for
        facts that have to wait for something else: their partitions rest, the others go on.
        """
        subscription = await self.join()
        records = await subscription.fetch(self.size.size, wait_seconds)
        if self.waiting:  # what went to another member waits there
            mine = subscription.places()
            self.waiting = {place: why for place, why in self.waiting.items() if place in mine}
        if not records:
            return 0
        try:
            await self._work_off(subscription, records)
        except NotYet:
            await self._part_by_part(subscription, records)
        except Exception as error:
            self._waits(records, error)
            await subscription.rewind(records)
            raise
        return len(records)

    async def _work_off(self, subscription: Subscription, records: Sequence[Record]) -> None:
        await self.take(records)
        await subscription.commit(records)
        for place in firsts(records):
            self.waiting.pop(place, None)

    async def _part_by_part(self, subscription: Subscription, records: Sequence[Record]) -> None:
        """Each partition by itself, so that only the one that has to wait does."""
        parts = [[r for r in records if (r.topic, r.partition) == place] for place in firsts(records)]
        for at, part in enumerate(parts):
            try:
                await self._work_off(subscription, part)
            except NotYet as error:
                self._waits(part, error)
                await subscription.rewind(part, REST_SECONDS)
            except Exception:
                await subscription.rewind([record for left in parts[at:] for record in left])
                raise

    def _waits(self, records: Sequence[Record], error: Exception) -> None:
        for place in firsts(records):
            since, _reason = self.waiting.get(place, (machine_seconds(), ""))
            self.waiting[place] = (since, str(error))

    async def take(self, records: Sequence[Record]) -> None:
        """Give a batch its effect, in one transaction; halves it when the store refuses what came of it.

        What it tells of the set-up is kept first, in a transaction of its own: facts may be waiting for it.
        """
        await self._keep_setup([record for record in records if record.topic == CONFIG_TOPIC])
        told = [record for record in records if record.key != HEARTBEAT and record.topic != CONFIG_TOPIC]
        facts = [record for record in told if record.headers["ce_type"] in self._wanted]
        events = [event for event in map(event_of, facts) if event is not None]
        beats = [record for record in records if record.key == HEARTBEAT]
        if not events and not beats:
            return
        begun, self.judge.held_loop = machine_seconds(), 0.0
        try:
            await self._effect(events, beats)
        except StoreFailed as error:
            await self._halved(events, error)
            await self._effect((), beats)
        took = machine_seconds() - begun
        self.effected += len(events)
        self.size.measured(len(events), self.judge.held_loop, took)
        if events:
            METRICS.judged.labels(self.service.name, "facts").inc(len(events))
            METRICS.batch.labels(self.service.name, "facts").observe(took)

    async def _effect(self, events: Sequence[Event[Any]], beats: Sequence[Record], *, park: bool = False) -> None:
        async with self.db.write() as tx:
            new = await self._new(tx, events)
            if new and park:
                await self.judge.park_whole(tx, new)
            elif new:
                await self.judge.judge(tx, new)
            await self._take_heartbeats(tx, beats)

    async def _halved(self, events: Sequence[Event[Any]], error: StoreFailed) -> None:
        if len(events) == 1:
            self.judge.spoiled_by = f"{type(error.__cause__).__name__}: {error}"
            await self._effect(events, (), park=True)
            return
        middle = len(events) // 2
        for part in (events[:middle], events[middle:]):
            try:
                await self._effect(part, ())
            except StoreFailed as worse:
                await self._halved(part, worse)

    async def _new(self, tx: Tx, events: Sequence[Event[Any]]) -> list[Work]:
        """The events that were not taken in before, in order."""
        if not events:
            return []
        ids = {event.id: event for event in events}
        taken = machine_now()
        rows = [InboxRow(id_, taken) for id_ in ids]
        new = {row[0] for row in await tx.insert_new(self.kernel.inbox, rows, ("id",))}
        return [event for event in ids.values() if event.id in new]

    async def _keep_setup(self, records: Sequence[Record]) -> None:
        if not records:
            return
        events = [event for event in map(event_of, records) if event is not None]
        async with self.db.write() as tx:
            if not self.service.owns_setup:  # the owner of the set-up has it already
                await take_config(tx, self.kernel, [event for event in events if isinstance(event.fact, ConfigFact)])
            await tx.upsert_many(self.kernel.progress, [(CONFIG_TOPIC, 0, max(r.offset for r in records) + 1)])
        self.effected += len(records)

    async def _take_heartbeats(self, tx: Tx, records: Sequence[Record]) -> None:
        newest: dict[int, Heartbeat] = {}
        for record in records:
            beat = _heartbeat(record.body)
            known = newest.get(record.partition)
            if known is None or beat.at > known.at:
                newest[record.partition] = beat
        if not newest:
            return
        held = await tx.fetch_by_keys(self.kernel.heartbeat, [(partition,) for partition in newest], HeartbeatRow)
        later = {row.partition for row in held if row.at >= newest[row.partition].at}
        rows = [HeartbeatRow(p, beat.at, beat.behind) for p, beat in sorted(newest.items()) if p not in later]
        await tx.upsert_many(self.kernel.heartbeat, rows)
