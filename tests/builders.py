"""Facts for tests, with everything that does not matter filled in."""

from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from shared.events import Event, Fact, Lane
from shared.events.ingest import Line, Order, OrderPaid, OrderStatus

A_MOMENT = datetime(2026, 3, 2, 10, 0, tzinfo=UTC)


def an_event(fact: Fact, *, customer: str = "cus_ana", at: datetime = A_MOMENT, **given: Any) -> Event[Any]:
    """A fact in an envelope."""
    made: dict[str, Any] = {"account": "acc_1", "store": "", "recorded": at, "lane": Lane.LIVE, "id": uuid4(), **given}
    return Event(fact=fact, customer=customer, time=at, **made)


def an_order(*, total: int = 1000, number: str = "1", at: datetime = A_MOMENT, **given: Any) -> Order:
    """A paid order of one line."""
    made: dict[str, Any] = {
        "id": f"ord_{uuid4().hex}",
        "external_id": number,
        "number": number,
        "revision": 1,
        "status": OrderStatus.PAID,
        "currency": "EUR",
        "lines": (Line(id="1", product="p1", title="Tea", gross=total, net=total),),
        "total": total,
        "placed_at": at,
        "paid_at": at,
        "first_recorded": at,
    }
    return Order(**{**made, **given})


def paid(*, customer: str = "cus_ana", at: datetime = A_MOMENT, **given: Any) -> Event[OrderPaid]:
    """A paid order in its envelope."""
    return an_event(OrderPaid(order=an_order(at=at, **given), change="paid"), customer=customer, at=at)
