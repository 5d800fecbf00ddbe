"""One service in a process: its database, its ends of the bus, its loops."""

import asyncio
from collections import defaultdict
from typing import Any

import structlog
from sqlalchemy import func, select

from shared.access import Access
from shared.bus.base import Bus
from shared.calls import Calls
from shared.clock import Clock, machine_seconds
from shared.db import connect as db_connect
from shared.db.base import Database, Tx
from shared.errors import Unavailable
from shared.events.config import TOPIC as CONFIG_TOPIC
from shared.housekeeping import Housekeeping
from shared.inbox import Inbox
from shared.parking import unpack
from shared.relay import Relay
from shared.service import Loop, Service
from shared.settings import Settings
from shared.tables import KernelTables
from shared.timers import Timers
from shared.work import Act, Judge
from shared.workset import Command

log = structlog.get_logger()


class Running:
    """One service in this process: its database, its ends of the bus, its loops."""

    def __init__(  # noqa: PLR0913, PLR0917 - the parts a service runs with
        self,
        service: Service,
        settings: Settings,
        clock: Clock,
        bus: Bus,
        db: Database | None,
        writer: str,
        batch_size: int | None,
    ) -> None:
        self.service = service
        self.settings = settings
        self.clock = clock
        self.bus = bus
        self.writer = writer
        self.db: Database = db or db_connect(
            settings.database_of(service.name), clock, connections=settings.database_connections
        )
        self.kernel: KernelTables = service.kernel
        self.inbox = Inbox(service, self.db, bus, writer, batch_size)
        self.timers = Timers(service, self.db, writer, batch_size)
        self.relay = Relay(service, self.db, bus, clock, writer)
        self.access = Access(self, self.catch_up)
        self.housekeeping = Housekeeping(self.db, bus, self.kernel)
        self.setup_read = service.owns_setup
        self._judge = Judge(service, writer)
        self.calls = Calls(self.db, self.kernel, self._judge)
        self._caught_up_at = -1e9
        self.news = defaultdict(asyncio.Event, relay=self.relay.news)
        self.state: dict[str, Any] = {}
        self.loops: dict[str, Loop] = {}

    async def open(self) -> None:
        """Open the database and let the service prepare."""
        await self.db.open()
        if self.service.on_start is not None:
            await self.service.on_start(self)
        self.loops = {name: make(self) for name, make in self.service.loops.items()}

    async def command(self, tx: Tx, command: Command, act: Act) -> Any:
        """Judge one API call within `tx` and write what comes of it; whatever `act` raises is raised."""
        return await self._judge.command(tx, command, act)

    async def catch_up(self) -> bool:
        """Before a 401: wait up to a second, at most once a second, until the set-up is read to its end."""
        if self.service.owns_setup or machine_seconds() - self._caught_up_at < 1:
            return False
        self._caught_up_at = machine_seconds()
        try:
            async with asyncio.timeout(1):
                end = (await self.bus.ends(CONFIG_TOPIC))[0]
                while await self._read_to() < end:  # noqa: ASYNC110 - another process may be the one that reads
                    await asyncio.sleep(0.02)
        except (Unavailable, TimeoutError):
            return False
        self.setup_read = self.setup_read or end > 0
        return True

    async def _read_to(self) -> int:
        async with self.db.read() as reader:
            row = await reader.fetch_by_keys(
                self.kernel.progress, [(CONFIG_TOPIC, 0)], lambda _topic, _part, to: int(to)
            )
        return row[0] if row else 0

    async def is_ready(self) -> bool:
        """Whether HTTP can be answered: the database is there and the set-up was ever read to its end.

        Where the bus does not say what the end is, what an earlier process has read will do.
        """
        async with self.db.read() as reader:
            await reader.machine_now()
        if self.setup_read:
            return True
        read_to = await self._read_to()
        if not read_to:
            return False
        try:
            self.setup_read = read_to >= (await self.bus.ends(CONFIG_TOPIC))[0]
        except Unavailable:
            return True
        return self.setup_read

    async def publish(self) -> int:
        """Relay one batch and, at ingest, beat; nothing without the lease."""
        if not await self.relay.hold():
            return 0
        moved = await self.relay.step()
        if self.service.owns_setup:
            await self.relay.beat()
        return moved

    async def redrive(self) -> dict[str, int]:
        """Run parked work again, each customer's line in order until one fails; gives how many ran and stay."""
        lines = await self._parked_lines()
        ran = 0
        for account, customer in lines:
            while await self._redrive_next(account, customer):
                ran += 1
        async with self.db.read() as reader:
            stay = await reader.fetch_one(select(func.count()).select_from(self.kernel.parked))
        return {"ran": ran, "stay": int(stay[0]) if stay else 0}

    async def _parked_lines(self) -> list[tuple[str, str]]:
        parked = self.kernel.parked
        async with self.db.read() as reader:
            rows = await reader.fetch(
                select(parked.c.account, parked.c.customer, func.min(parked.c.seq))
                .group_by(parked.c.account, parked.c.customer)
                .order_by(func.min(parked.c.seq))
            )
        return [(account, customer) for account, customer, _seq in rows]

    async def _redrive_next(self, account: str, customer: str) -> bool:
        """Run the first of a customer's parked work; False when there is none or it fails again."""
        parked = self.kernel.parked
        first = select(parked.c.seq, parked.c.kind, parked.c.item).where(
            parked.c.account == account, parked.c.customer == customer
        )
        try:
            async with self.db.write() as tx:
                row = await tx.fetch_one(first.order_by(parked.c.seq).limit(1))
                if row is None:
                    return False
                seq, kind, item = row
                if await tx.delete_by_keys(parked, [(seq,)]):  # else another redrive has just run it
                    await self._judge.judge(tx, [unpack(kind, item)], park=False)
        except Exception as error:  # noqa: BLE001 - it stays parked, first of its line
            log.warning("redrive stopped", customer=customer, reason=str(error))
            return False
        return True
