"""Accept: deliveries are on disk before they are answered, many requests in one commit."""

import asyncio
from collections import deque
from collections.abc import Sequence
from typing import TYPE_CHECKING
from uuid import UUID

import msgspec

from services.ingest.tables import Head, delivery, kernel
from shared.db.appending import Appending, Bundle, Tally
from shared.errors import Unavailable
from shared.events import Lane
from shared.observe import METRICS
from shared.service import Pace

if TYPE_CHECKING:
    from shared.running import Running

MOST_ROWS = 2000
MOST_WAITING = 50_000
MOST_IDLE_SECONDS = 0.5
ANSWER_SECONDS = 5.0
COUNTED = "deliveries:"
DELIVERIES = Appending(
    delivery,
    kernel.counter,
    own=("id", "raw"),
    shared=("account", "source", "store", "lane", "head"),
    stamped="recorded",
    same={"verdict": "", "reason": "", "customer": ""},
)


class Parcel(msgspec.Struct):
    """What one request hands in: ids and raw bytes of the events of one source, and what they share."""

    account: str
    source: str
    store: str
    lane: Lane
    head: Head
    ids: Sequence[UUID]
    raws: Sequence[bytes]
    rejected: int
    done: "asyncio.Future[set[UUID]]"


class Accept:
    """The queue between requests and commits: a flush begins when the last one has returned, without a timer."""

    pace = Pace(rest=0, back_off=0.3, wakes="intake")  # whoever posts during an outage hears of it within a second

    def __init__(self, running: "Running") -> None:
        self._running = running
        self._queue: deque[Parcel] = deque()
        self._waiting = 0
        self._stuck = False
        self._wake = asyncio.Event()

    async def put(self, parcel: Parcel) -> set[UUID]:
        """Wait until the parcel is committed; gives the ids that were new; raises Unavailable when too much waits."""
        number = len(parcel.ids)
        if self._stuck:
            raise Unavailable("the database does not answer")
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
            await self._news()
        return await self._flush(self._take()) if self._queue else 0

    async def _news(self) -> None:
        """Wait for a parcel, or so long that the loop may look whether it is to end."""
        self._wake.clear()
        waker = asyncio.get_running_loop().call_later(MOST_IDLE_SECONDS, self._wake.set)
        try:
            await self._wake.wait()
        finally:
            waker.cancel()

    def _take(self) -> list[Parcel]:
        taken: list[Parcel] = []
        rows = 0
        while self._queue and rows < MOST_ROWS:
            taken.append(self._queue.popleft())
            rows += len(taken[-1].ids)
        return taken

    async def _flush(self, parcels: list[Parcel]) -> int:
        watchdog = asyncio.get_running_loop().call_later(ANSWER_SECONDS, self._stick, parcels)
        try:
            new = await self._write(parcels)
        except Unavailable as error:
            _fail(parcels, error)
            raise
        except Exception as error:  # noqa: BLE001 - one bad row must not fail the other requests
            return await self._halved(parcels, error)
        finally:
            watchdog.cancel()
            self._stuck = False
        for parcel in parcels:
            mine = set(parcel.ids) if new is None else new.intersection(parcel.ids)
            if new is not None:
                new -= mine  # what two parcels bring is new for the first only
            if not parcel.done.done():
                parcel.done.set_result(mine)
        return sum(len(parcel.ids) for parcel in parcels)

    def _stick(self, parcels: Sequence[Parcel]) -> None:
        """Answer whoever waits on a database that hangs: whether their rows get written, their next try will tell."""
        self._stuck = True
        _fail([*parcels, *self._queue], Unavailable("the database does not answer"))
        self._queue.clear()

    async def _halved(self, parcels: list[Parcel], error: Exception) -> int:
        if len(parcels) == 1:
            _fail(parcels, error)
            return 0
        middle = len(parcels) // 2
        return await self._flush(parcels[:middle]) + await self._flush(parcels[middle:])

    async def _write(self, parcels: Sequence[Parcel]) -> set[UUID] | None:
        """Put the parcels' rows where they were not yet; gives the ids that were new, None for all of them."""
        handed = sum(len(parcel.ids) for parcel in parcels)
        rejected = sum(parcel.rejected for parcel in parcels)
        tallies = [
            Tally(f"{COUNTED}received", handed + rejected, 0),
            Tally(f"{COUNTED}accepted", 0, 1),
            Tally(f"{COUNTED}duplicate", handed, -1),
            Tally(f"{COUNTED}rejected", rejected, 0),
        ]
        bundles = [Bundle((each.ids, each.raws), _shared(each)) for each in parcels]
        new = await self._running.db.append(DELIVERIES, bundles, tallies, self._running.writer)
        number = handed if new is None else len(new)
        for tally in tallies:
            METRICS.deliveries.labels(tally.name.removeprefix(COUNTED)).inc(tally.of(number))
        return None if new is None else set(new)


def _shared(parcel: Parcel) -> tuple[str, str, str, str, Head]:
    return parcel.account, parcel.source, parcel.store, parcel.lane.value, parcel.head


def _fail(parcels: Sequence[Parcel], error: Exception) -> None:
    for parcel in parcels:
        if not parcel.done.done():
            parcel.done.set_exception(error)
