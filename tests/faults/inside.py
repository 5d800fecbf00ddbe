"""A look into an installation's databases and bus, beside its processes: whether all is done, and what it came to."""

import asyncio
import time
from collections import Counter
from collections.abc import Coroutine
from collections.abc import Set as AbstractSet
from typing import Any, TypeVar
from uuid import uuid4

import uvloop
from sqlalchemy import select

from services.__main__ import load
from services.notifications.records import Message, MessageState
from shared import books
from shared.bus import connect as bus_connect
from shared.bus.base import HEARTBEAT, Record
from shared.clock import Clock
from shared.db.base import Query
from shared.errors import Unavailable
from shared.running import Running
from tests.faults.canon import Canon, booked_of, canon_of, messages_of, names_of
from tests.faults.house import House

T = TypeVar("T")
QUIET_SECONDS = 240.0
HAND_OVER_SECONDS = 20.0
ON_THE_WAY = {MessageState.CLAIMED, MessageState.HANDING_OVER}


class Inside:
    """Open databases and bus of a house; reads only."""

    def __init__(self, house: House) -> None:
        self._house = house
        self._runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
        settings = house.settings
        clock, self._bus = Clock(), bus_connect.connect(settings)
        self._services = [Running(one, settings, clock, self._bus, None, "looker-on", None) for one in load([])]
        self._run(self._open())

    def _run(self, act: Coroutine[Any, Any, T]) -> T:
        return self._runner.run(act)

    async def _open(self) -> None:
        await self._bus.open()
        for one in self._services:
            await one.db.open()

    def close(self) -> None:
        """Let go of everything."""

        async def closed() -> None:
            await self._bus.close()
            for one in self._services:
                await one.db.close()

        self._run(closed())
        self._runner.close()

    def rests(self, *, sent: bool = True, tried: bool = False) -> None:
        """Wait until nothing is on its way, seen twice in a row; with `sent` no mail either.

        A mail whose hand-over was cut short is tried again a minute later: only with `tried` is that waited for.
        Raises AssertionError when that takes longer than a few minutes.
        """
        until, quiet = time.monotonic() + QUIET_SECONDS, 0
        while quiet < 2:
            still = self._run(self._still(sent=sent, tried=tried))
            quiet = 0 if still else quiet + 1
            assert time.monotonic() < until, f"never quiet: {still}"
            if quiet < 2:
                time.sleep(0.2)

    def drains(self, within: float) -> None:
        """Wait until every fact has been published and taken in, whatever is to be done later because of it.

        Raises AssertionError when that takes longer than `within` seconds.
        """
        until = time.monotonic() + within
        while queued := self._run(self._queued()):
            assert time.monotonic() < until, f"never drained: {queued}"
            time.sleep(0.2)

    async def _queued(self) -> str:
        """What is untaken, unpublished or not taken in, by service; '' for nothing."""
        try:
            kept = await books.read_all(self._services)
            lags = {one.service.name: await self._bus.lag(one.service.name, one.inbox.topics) for one in self._services}
        except Unavailable as error:
            return str(error)
        queues = {name: (book.untaken, book.outbox, lags[name]) for name, book in kept.items()}
        return str(queues) if any(any(queue) for queue in queues.values()) else ""

    async def _still(self, *, sent: bool, tried: bool) -> str:
        """What is still on its way, '' for nothing."""
        try:
            if not await books.is_quiet(self._services, self._bus, self._house.now):
                return await self._queued() or "a timer is overdue"
            messages = await self._sending(ON_THE_WAY | {MessageState.WAITING} if tried else ON_THE_WAY)
        except Unavailable as error:
            return str(error)
        states = Counter(message.state.value for message in messages)
        return str(dict(states)) if sent and messages else ""

    async def _sending(self, states: AbstractSet[MessageState]) -> list[Message]:
        found = await messages_of(self._services[-1].db)
        return [message for message in found if message.state in states]

    def told(self, topic: str) -> list[Record]:
        """Every fact of a topic in the order of its partition, repeats left out."""
        return self._run(self._told(topic))

    async def _told(self, topic: str) -> list[Record]:
        subscription = await self._bus.subscribe(f"looker-on-{uuid4()}", [topic])
        found: dict[str, Record] = {}
        while records := await subscription.fetch(500, 0.5 if found else 15):
            for record in records:
                if record.key != HEARTBEAT:
                    found.setdefault(record.headers["ce_id"], record)
        await subscription.close()
        return list(found.values())

    def hands_over(self, service: str, to: str) -> None:
        """Wait until a process holds the lease of a service's relay; raises AssertionError after some seconds."""
        until = time.monotonic() + HAND_OVER_SECONDS
        while (holder := self.relay_of(service)) != to:
            assert time.monotonic() < until, f"{holder} still publishes for {service}, not {to}"
            time.sleep(0.2)

    def relay_of(self, service: str) -> str:
        """The process that holds the lease of a service's relay."""
        return self._run(self._relay_of(service))

    async def _relay_of(self, service: str) -> str:
        one = next(one for one in self._services if one.service.name == service)
        async with one.db.read() as reader:
            row = await reader.fetch_one(Query(select(one.kernel.lease.c.holder)))
        return str(row[0]) if row else ""

    def canon(self) -> Canon:
        """What it has come to."""
        return self._run(canon_of({one.service.name: one.db for one in self._services}))

    def booked(self) -> Counter[str]:
        """How many transactions there are for each order, by the store's own names."""
        return self._run(booked_of({one.service.name: one.db for one in self._services}))

    def people(self) -> dict[str, str]:
        """Our customer ids by the store's own."""
        return self._run(names_of(self._services[0].db)).by_store_id()

    def messages(self) -> list[Message]:
        """The send ledger."""
        return self._run(messages_of(self._services[-1].db))
