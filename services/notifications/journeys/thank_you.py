"""Thank-you: after payment, with the points that the order brought if they are known in time."""

from datetime import datetime, timedelta

import msgspec

from services.notifications.journeys.base import Await, Email, End, Journey, Learn, Start
from services.notifications.records import Content, Purpose
from shared.events import Event, Lane
from shared.events.ingest import ORDER_FACTS, OrderFact, OrderStatus
from shared.events.loyalty import MAIN_WALLET, OrderRated

LATEST = timedelta(days=1)
KEPT = {OrderStatus.PAID, OrderStatus.FULFILLED, OrderStatus.DELIVERED}
UNDONE = {OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.DISPUTED}


def _order(event: Event[OrderFact]) -> str:
    return event.fact.order.id


def _revision(event: Event[OrderFact]) -> int:
    return event.fact.order.revision


def _bought(event: Event[OrderFact], known: Content) -> Content:
    order = event.fact.order
    return msgspec.structs.replace(
        known,
        order=order.id,
        number=order.number or order.external_id,
        placed_at=order.placed_at,
        total=order.total,
        currency=order.currency,
        exponent=order.exponent,
    )


def _rated(event: Event[OrderRated], known: Content) -> Content:
    if event.fact.wallet != MAIN_WALLET:
        return known
    return msgspec.structs.replace(known, points=event.fact.points, balance=event.fact.balance)


def _barred(event: Event[OrderFact], since: datetime) -> str:
    order = event.fact.order
    if order.lane is Lane.HISTORY or event.lane is Lane.HISTORY:
        return "history"
    if order.test:
        return "test_order"
    if order.placed_at < since:
        return "before_start"
    return "told_late" if order.first_recorded - order.placed_at > LATEST else ""


THANK_YOU = Journey(
    name="thank_you",
    version=1,
    purpose=Purpose.TRANSACTIONAL,
    valid_for=timedelta(days=1),
    starts=Start(
        on=ORDER_FACTS,
        when=lambda event: event.fact.order.paid_at is not None and event.fact.order.status in KEPT,
        key=_order,
        revision=_revision,
        clock=lambda event: event.recorded,
        content=_bought,
        barred=_barred,
    ),
    ends=(
        End(
            on=ORDER_FACTS,
            when=lambda event: event.fact.order.status in UNDONE,
            key=_order,
            revision=_revision,
            at=lambda event: event.time,
            reason="order_undone",
        ),
    ),
    learns=(Learn(on=(OrderRated,), key=lambda event: event.fact.order, content=_rated),),
    steps=(Await(lambda content: content.points is not None, timedelta(minutes=10), Email("thank_you")),),
)
