"""Accept: deliveries are on disk before they are answered, many requests in one commit."""

import asyncio
from collections import Counter, deque
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from services.ingest.tables import delivery
from shared import tx as carrying
from shared.db.base import Tx
from shared.errors import Unavailable
from shared.observe import METRICS

if TYPE_CHECKING:
    from shared.running import Running

MOST_ROWS = 2000
MOST_WAITING = 50_000


class Slice(msgspec.Struct, gc=False):
    """One event as it is handed in: its dedupe key within the source, its raw bytes, and its id."""

    id: UUID
    dedupe: bytes
    raw: bytes
    meta: dict[str, str]


class Parcel(msgspec.Struct):
    """What one request hands in: slices of one source that share all else."""

    account: str
    source: str
    store: str
    kind: str
    trust: str
    lane: str
    trace: str
    slices: Sequence[Slice]
    rejected: int
    done: "asyncio.Future[set[bytes]]"


class Accept:
    """The queue between requests and commits: a flush begins when the last one has returned, without a timer."""

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._queue: deque[Parcel] = deque()
        self._waiting = 0
        self._wake = asyncio.Event()
        self.news = asyncio.Event()

    async def put(self, parcel: Parcel) -> set[bytes]:
        """Wait until the parcel is committed; gives the dedupe keys that were new. Raises Unavailable when the queue is full."""
        number = len(parcel.slices)
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

    @property
    def idle(self) -> bool:
        """Whether nothing is waiting."""
        return not self._queue

    def _take(self) -> list[Parcel]:
        taken: list[Parcel] = []
        rows = 0
        while self._queue and rows < MOST_ROWS:
            taken.append(self._queue.popleft())
            rows += len(taken[-1].slices)
        return taken

    async def _flush(self, parcels: list[Parcel]) -> int:
        try:
            new = await self._write(parcels)
        except Unavailable as error:
            _fail(parcels, error)
            raise
        except Exception as error:
            return await self._halved(parcels, error)
        for parcel in parcels:
            if not parcel.done.done():
                mine = {part.dedupe for part in parcel.slices if (parcel.source, part.dedupe) in new}
                parcel.done.set_result(mine)
                new -= {(parcel.source, key) for key in mine}
        self.news.set()
        return sum(len(parcel.slices) for parcel in parcels)

    async def _halved(self, parcels: list[Parcel], error: Exception) -> int:
        if len(parcels) == 1:
            _fail(parcels, error)
            return 0
        middle = len(parcels) // 2
        return await self._flush(parcels[:middle]) + await self._flush(parcels[middle:])

    async def _write(self, parcels: Sequence[Parcel]) -> set[tuple[str, bytes]]:
        async with self._running.db.write(first=True) as tx:
            new = await self._insert(tx, parcels)
            handed = sum(len(parcel.slices) for parcel in parcels)
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

    async def _insert(self, tx: Tx, parcels: Sequence[Parcel]) -> set[tuple[str, bytes]]:
        recorded = await tx.machine_now() + self._running.clock.offset
        rows = [
            (
                part.id,
                parcel.account,
                parcel.source,
                parcel.store,
                parcel.kind,
                parcel.trust,
                parcel.lane,
                part.dedupe,
                recorded,
                "",
                "",
                "",
                part.meta,
                parcel.trace,
                part.raw,
            )
            for parcel in parcels
            for part in parcel.slices
        ]
        rows.sort(key=lambda row: (row[2], row[7]))
        return {(source, bytes(key)) for source, key in await tx.insert_new(delivery, rows, ("source", "dedupe"))}


def _fail(parcels: Sequence[Parcel], error: Exception) -> None:
    for parcel in parcels:
        if not parcel.done.done():
            parcel.done.set_exception(error)
