"""A shop as scoring sees it: facts about its orders come in, scores and segments can be asked for."""

from datetime import UTC, datetime, timedelta
from typing import Any, Self
from uuid import uuid4

import msgspec
from sqlalchemy import select

from services.scoring import tables
from services.scoring.records import Member, OrderRow
from services.scoring.service import scoring
from shared.access import digest_of, new_key
from shared.books import Books, books_of
from shared.bus.base import Record
from shared.events import Event
from shared.events.config import AccountConfigured, KeyConfigured, StoreConfigured
from shared.events.ingest import Order, OrderFact, OrderPaid, OrderStatus
from tests.builders import an_event, an_order
from tests.world import World

NOON = datetime(2026, 3, 2, 12, 0, tzinfo=UTC)
STORE = "sto_1"


class Shop:
    """One account with one store, `today` as its calendar's first day."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.key = new_key("server")

    async def opened(self) -> Self:
        """Tell scoring of the account, the store and its keys."""
        self.world.clock.move_to(NOON)
        told = [
            AccountConfigured(id="acc_1", revision=1, name="Té"),
            StoreConfigured(id=STORE, revision=1, name="Té", currency="EUR", zone="Europe/Madrid", locale="es"),
            KeyConfigured(id="key_1", revision=1, kind="server", digest=digest_of(self.key)),
        ]
        await self.world.publish(*(an_event(fact, customer="", at=NOON) for fact in told))
        await self.world.settle()
        return self

    async def hears(self, *events: Event[Any]) -> None:
        """Facts come in and have all their effect."""
        await self.world.publish(*events)
        await self.world.settle()

    async def members(self) -> dict[str, Member]:
        """Every customer who bought, by id, without the moment since when she stands where she does."""
        rows = await self.world.rows("scoring", select(*tables.member.columns))
        known = [msgspec.structs.replace(Member(*row), since=NOON) for row in rows]
        return {member.customer: member for member in known if member.orders}

    async def orders(self) -> dict[str, OrderRow]:
        """Every order, by id."""
        rows = [OrderRow(*row) for row in await self.world.rows("scoring", select(*tables.purchase.columns))]
        return {row.order_id: row for row in rows}

    async def moves(self, customer: str = "cus_ana") -> list[str]:
        """What was told of a customer's segments, oldest first: type, segment, lane."""
        subscription = await self.world.runtime.bus.subscribe(f"moves-{uuid4()}", ["scoring"])
        found: list[str] = []
        while records := await subscription.fetch(500, 1.0 if not found else 0.3):
            found += [_move(record) for record in records if record.headers.get("ce_subject") == customer]
        await subscription.close()
        return found

    async def books(self) -> Books:
        """Scoring's own books, after everything has had its effect."""
        await self.world.settle()
        async with self.world.of("scoring").db.read() as reader:
            return await books_of(reader, scoring)

    async def is_sound(self) -> bool:
        """Whether nothing is parked and every habit is what its orders come to."""
        books = await self.books()
        return not books.parked and not books.faults

    async def asks(self, path: str, status: int = 200, **params: Any) -> Any:
        """GET with the server key."""
        answer = await self.world.get(path, params=params, headers={"authorization": f"Bearer {self.key}"})
        assert answer.status_code == status, answer.text
        return answer.json()


def _move(record: Record) -> str:
    segment = msgspec.json.decode(record.body)["segment"]
    return f"{record.headers['ce_type']} {segment} {record.headers['ce_lane']}"


def order(days: float, *, name: str = "", revision: int = 1, **given: Any) -> Order:
    """A paid order placed that many days after NOON (before, if negative)."""
    at = NOON + timedelta(days=days)
    return an_order(at=at, id=f"ord_{name or days}", revision=revision, **{"total": 3500, **given})


def told(body: Order, customer: str = "cus_ana", kind: type[OrderFact] = OrderPaid, **given: Any) -> Event[OrderFact]:
    """A fact about an order of the shop."""
    return an_event(kind(order=body), customer=customer, at=NOON, store=STORE, **given)


def bought(*days: float, customer: str = "cus_ana") -> list[Event[OrderFact]]:
    """Facts about paid orders of a customer, one for each day."""
    return [told(order(day, name=f"{customer}{day}"), customer) for day in days]


def returned(body: Order) -> Order:
    """The next revision of an order: all of it was given back."""
    return msgspec.structs.replace(body, revision=body.revision + 1, status=OrderStatus.REFUNDED)
