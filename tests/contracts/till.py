"""The smallest service there can be: it adds up what customers paid, and can be told what to fail on."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import BigInteger, Column, MetaData, Table, Text, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db import Tx
from shared.drafts import Keyed
from shared.errors import Unavailable
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged, OrderPaid
from shared.events.loyalty import OrderRated
from shared.service import Service
from shared.tables import attach
from shared.workset import Due, Work, WorkSet, customers
from tests.real.postgres import make_empty

metadata = MetaData()
kernel = attach(metadata)
member = Table(
    "member",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("total", BigInteger, nullable=False),
    Column("fired", BigInteger, nullable=False),
    Column("seen", Text, nullable=False),
)


class MemberRow(msgspec.Struct, frozen=True):
    """What a customer paid, minor units, how many timers fired, and the order numbers in the order seen."""

    account: str
    customer: str
    total: int = 0
    fired: int = 0
    seen: str = ""


class TillDesk(WorkSet):
    """Members by (account, customer)."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.members: Keyed[tuple[str, str], MemberRow] = Keyed()

    async def store(self, tx: Tx) -> None:
        """Write the members."""
        await tx.upsert_many(member, self.members.stored)


async def load(tx: Tx, work: Sequence[Work]) -> TillDesk:
    """Members of all customers in the batch."""
    desk = TillDesk(tx.now)
    for row in await tx.fetch_by_keys(member, customers(work), MemberRow):
        desk.members.loaded((row.account, row.customer), row)
    return desk


class Till:
    """Builds the service.

    Orders whose number is in `fails_on` raise a bug, in `spoils` break the store, in `waits_on` have to wait;
    timers named in `timers_wait` have to wait too.
    """

    def __init__(self) -> None:
        self.fails_on: set[str] = set()
        self.spoils: set[str] = set()
        self.waits_on: set[str] = set()
        self.timers_wait: set[str] = set()

    def add(self, event: Event[OrderPaid], desk: TillDesk) -> None:
        """Add what was paid, and set a timer an hour on."""
        order = event.fact.order
        if order.number in self.waits_on:
            raise Unavailable(f"{order.number} has to wait")
        key = (event.account, event.customer)
        was = desk.members[key]
        total = 2**70 if order.number in self.spoils else was.total + order.total
        desk.members[key] = msgspec.structs.replace(was, total=total, seen=f"{was.seen} {order.number}".strip())
        desk.set_timer("till.ring", order.id, event.time + timedelta(hours=1))
        desk.emit(OrderRated(program="p", order=order.id, revision=1, points=1, change=1, balance=was.total))
        if order.number in self.fails_on:
            raise ValueError(f"cannot add {order.number}")

    def merge(self, event: Event[CustomerMerged], desk: TillDesk) -> None:
        """Move the loser's total to the survivor."""
        loser, survivor = (event.account, event.fact.loser), (event.account, event.customer)
        lost, kept = desk.members[loser], desk.members[survivor]
        desk.members[survivor] = msgspec.structs.replace(kept, total=kept.total + lost.total)
        desk.members[loser] = msgspec.structs.replace(lost, total=0)

    def forget(self, event: Event[CustomerErased], desk: TillDesk) -> None:
        """Forget the total."""
        key = (event.account, event.customer)
        desk.members[key] = msgspec.structs.replace(desk.members[key], total=-1)

    def ring(self, due: Due, desk: TillDesk) -> None:
        """Count a timer."""
        if due.name in self.timers_wait:
            raise Unavailable(f"{due.name} has to wait")
        key = (due.account, due.customer)
        desk.members[key] = msgspec.structs.replace(desk.members[key], fired=desk.members[key].fired + 1)

    def service(self) -> Service:
        """The service."""
        return Service(
            name="loyalty",
            metadata=metadata,
            subjects=member,
            subject_row=lambda account, customer, _now: MemberRow(account, customer),
            load=load,
            reactions={OrderPaid: self.add, CustomerMerged: self.merge, CustomerErased: self.forget},
            timers={"till.ring": self.ring},
        )


async def create_tables(service: Service, url: str) -> None:
    """Make the tables without migrations."""
    if url.startswith("sqlite"):
        engine = create_engine(url)
        service.metadata.create_all(engine)
        engine.dispose()
        return
    make_empty(url)
    async_engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    async with async_engine.begin() as connection:
        await connection.run_sync(service.metadata.create_all)
    await async_engine.dispose()
