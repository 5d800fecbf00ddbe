"""A whole Querencia of the demo's own: embedded, on SQLite in a fresh folder, its business clock moved by hand."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import partial

from services.ingest.setup import NewStore, Wanted, make_store
from shared.clock import Clock
from shared.partition import PARTITIONS
from shared.running import Running
from shared.runtime import Runtime
from shared.service import Loop, Service
from shared.settings import Settings
from shared.vault import vault_of

GRID = timedelta(minutes=10)
BETWEEN_FITS = timedelta(weeks=1)
BEATS_AT_MOST = 5
SHOP = Wanted(
    account_name="CDNOW replay",
    name="Querencia Records",
    currency="USD",
    zone="America/New_York",
    locale="en",
    url="https://shop.example.com",
    email="shop@example.com",
)


class Installation:
    """The services of one process, stepped until quiet whenever business time has been moved."""

    def __init__(self, services: Sequence[Service], settings: Settings, start: datetime) -> None:
        self.settings = settings
        self.clock = Clock()
        self.clock.move_to(start)
        self.runtime = Runtime(services, settings, clock=self.clock)
        self._fitted = start

    @property
    def url(self) -> str:
        """Where it answers."""
        return f"http://{self.settings.http_host}:{self.settings.http_port}"

    async def open_shop(self) -> NewStore:
        """Make the shop's account, store, keys and webhook source, as `run` does in an empty folder."""
        async with self.runtime.of("ingest").db.write() as tx:
            made = await make_store(tx, vault_of(self.settings), SHOP)
        await self.settle()
        return made

    async def settle(self, *, handed_in: bool = True, fit: bool = False) -> None:
        """Let everything take its effect that was handed in or has fallen due; who has nothing to do sleeps on.

        The models are refitted when `fit` says so or a week has passed: every night would be half of the replay's time.
        """
        fit = fit or self.clock.now() - self._fitted >= BETWEEN_FITS
        if fit:
            self._fitted = self.clock.now()
        turn = partial(_drained, fit=fit)
        if handed_in:
            await turn(self.runtime.of("ingest"))
        due = await self._due()
        awake = self.runtime.running if handed_in or fit else due
        for _ in range(BEATS_AT_MOST):
            if due:
                await self._beat()
            while any(await asyncio.gather(*map(turn, awake))):
                awake = self.runtime.running
            awake = due = await self._due()
            if not due:
                return

    async def _due(self) -> list[Running]:
        """The services that have a timer due."""
        now = self.clock.now()
        dues = [(one, await _next_due(one)) for one in self.runtime.running]
        return [one for one, due in dues if due is not None and due <= now]

    async def next_due(self) -> datetime | None:
        """When the first timer of all services is due."""
        dues = [await _next_due(one) for one in self.runtime.running]
        return min((due for due in dues if due is not None), default=None)

    async def _beat(self) -> None:
        relay = self.runtime.of("ingest").relay
        relay.beat_now()
        await relay.beat()


async def _next_due(one: Running) -> datetime | None:
    async with one.db.read() as reader:
        return await one.timers.next_due(reader)


async def _drained(one: Running, *, fit: bool) -> int:
    """Step a service until it rests; gives how many facts it published."""
    loops = [loop for name, loop in one.loops.items() if name != "accept" and (fit or name != "refits")]
    published, moved = 0, 1
    while moved:
        moved = await _turn(one, loops)
        told = await one.relay.step() if await one.relay.hold() else 0
        published += told
        moved += told
    return published


async def _turn(one: Running, loops: Sequence[Loop]) -> int:
    """One step of each loop of a service but the relay; gives how much moved, a round of heartbeats apart."""
    before = one.inbox.effected
    read = await one.inbox.step(0)
    moved = read if read > PARTITIONS or one.inbox.effected > before else 0
    moved += await one.timers.step()
    for loop in loops:
        moved += await loop.step()
    return moved
