"""Accept: deliveries are on disk before they are answered, many requests in one commit."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from services.ingest.tables import Head, delivery
from shared import tx as carrying
from shared.db.base import Tx
from shared.errors import Unavailable
from shared.events import Lane
from shared.observe import METRICS

if TYPE_CHECKING:
    from shared.running import Running

MOST_ROWS = 2000
MOST_WAITING = 50_000
VARYING = ("id", "head", "raw")
_encode = msgspec.json.Encoder().encode


class Parcel(msgspec.Struct):
    """What one request hands in: (id, raw bytes) of the events of one source, and what they share."""

    account: str
    source: str
    store: str
    lane: Lane
    head: Head
    events: Sequence[tuple[UUID, bytes]]
    rejected: int
    done: "asyncio.Future[set[UUID]]"


class Accept:
    """The queue between requests and commits: a flush begins when the last one has returned, without a timer."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._queue: deque[Parcel] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()

    async def put(self, parcel: Parcel) -> set[UUID]:
        """Wait until the parcel is committed; gives the ids that were new; raises Unavailable when too much waits."""
        number = len(parcel.events)
        if self._waiting + number > MOST_WAITING:
            raise Unavailable("too much is waiting to be written")
        self._waiting += number
        self._queue.append(parcel)
        self._wake.set()
        try:
            return await parcel.done
        finally:
            self._waiting -= number

    async def step(self) -> int:
        """Write one batch of what is waiting; gives the number of deliveries."""
        if not self._queue:
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), 0.5)
            except TimeoutError:
                return 0
        return await self._flush(self._take())

    def _take(self) -> list[Parcel]:
        taken: list[Parcel] = []
        rows = 0
        while self._queue and rows < MOST_ROWS:
            taken.append(self._queue.popleft())
            rows += len(taken[-1].events)
        return taken

    async def _flush(self, parcels: list[Parcel]) -> int:
        try:
            new = await self._write(parcels)
        except Unavailable as error:
            _fail(parcels, error)
            raise
        except Exception as error:  # noqa: BLE001 - one bad row must not fail the other requests
            return await self._halved(parcels, error)
        for parcel in parcels:
            mine = {id_ for id_, _ in parcel.events if id_ in new}
            new -= mine
            if not parcel.done.done():
                parcel.done.set_result(mine)
        return sum(len(parcel.events) for parcel in parcels)

    async def _halved(self, parcels: list[Parcel], error: Exception) -> int:
        if len(parcels) == 1:
            _fail(parcels, error)
            return 0
        middle = len(parcels) // 2
        return await self._flush(parcels[:middle]) + await self._flush(parcels[middle:])

    async def _write(self, parcels: Sequence[Parcel]) -> set[UUID]:
        async with self._running.db.write(first=True) as tx:
            new = await self._insert(tx, parcels)
            handed = sum(len(parcel.events) for parcel in parcels)
            rejected = sum(parcel.rejected for parcel in parcels)
            counts = Counter(
                {
                    "deliveries:received": handed + rejected,
                    "deliveries:accepted": len(new),
                    "deliveries:duplicate": handed - len(new),
                    "deliveries:rejected": rejected,
                }
            )
            await carrying.count(tx, self._running.kernel, self._running.writer, counts)
        for name, number in counts.items():
            METRICS.deliveries.labels(name.removeprefix("deliveries:")).inc(number)
        return new

    async def _insert(self, tx: Tx, parcels: Sequence[Parcel]) -> set[UUID]:
        """One statement for each source, its rows in the order they came; recorded by the database's clock."""
        recorded = await tx.machine_now() + self._running.clock.offset
        groups: dict[tuple[str, str, str, Lane], list[tuple[UUID, msgspec.Raw, bytes]]] = {}
        for parcel in parcels:
            head = msgspec.Raw(_encode(parcel.head))
            group = groups.setdefault((parcel.account, parcel.source, parcel.store, parcel.lane), [])
            group += [(id_, head, raw) for id_, raw in parcel.events]
        new: set[UUID] = set()
        for (account, source, store, lane), rows in groups.items():
            same = {"account": account, "source": source, "store": store, "lane": lane.value, "recorded": recorded}
            untaken = {"verdict": "", "reason": "", "customer": ""}
            new.update(await tx.insert_alike(delivery, VARYING, rows, {**same, **untaken}, "id"))
        return new


def _fail(parcels: Sequence[Parcel], error: Exception) -> None:
    for parcel in parcels:
        if not parcel.done.done():
            parcel.done.set_exception(error)
