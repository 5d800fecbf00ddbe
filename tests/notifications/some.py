"""Facts and contacts for tests of notifications."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

from services.notifications.records import Consent, Contact
from shared.events import Event, Fact, Lane
from shared.events.ingest import (
    Cart,
    CartEmptied,
    CartEnded,
    CartLine,
    CartUpdated,
    ConsentChanged,
    Order,
    OrderPaid,
    OrderPlaced,
    OrderStatus,
    ProfileUpdated,
)
from shared.events.loyalty import OrderRated
from shared.events.scoring import SegmentEntered

NOON = datetime(2026, 3, 10, 12, 0, tzinfo=UTC)
ACCOUNT, STORE, ANA = "acc_1", "sto_1", "cus_ana"


def after(**spans: float) -> datetime:
    """A moment after NOON."""
    return NOON + timedelta(**spans)


def told(fact: Fact, at: datetime = NOON, *, of: str = ANA, lane: Lane = Lane.LIVE, store: str = STORE) -> Event[Any]:
    """A fact in its envelope, recorded when it happened."""
    return Event(id=uuid4(), fact=fact, account=ACCOUNT, store=store, customer=of, time=at, recorded=at, lane=lane)


def cart(key: str = "cart_1", revision: int = 1, at: datetime = NOON, **fields: Any) -> Cart:
    """A cart with one mug in it."""
    lines = fields.pop("lines", (CartLine(product="p1", title="Mug", quantity=2, price=1250),))
    value = sum(line.quantity * line.price for line in lines)
    known = {"currency": "EUR", "restore_url": f"https://shop.example/cart/{key}", "lane": Lane.LIVE}
    return Cart(id=key, revision=revision, lines=lines, value=value, changed_at=at, **{**known, **fields})


def filled(key: str = "cart_1", revision: int = 1, at: datetime = NOON, of: str = ANA, **fields: Any) -> Event[Any]:
    """A cart was filled or changed."""
    made = cart(key, revision, at, **fields)
    return told(CartUpdated(cart=made), at, of=of, lane=made.lane)


def emptied(key: str = "cart_1", revision: int = 2, at: datetime = NOON) -> Event[Any]:
    """The last line was taken out."""
    return told(CartEmptied(cart=cart(key, revision, at, lines=())), at)


def ended(key: str = "cart_1", revision: int = 2, at: datetime = NOON) -> Event[Any]:
    """Ingest ended the cart."""
    return told(CartEnded(cart=cart(key, revision, at), order="ord_1"), at)


def order(key: str = "ord_1", revision: int = 1, at: datetime = NOON, **fields: Any) -> Order:
    """An order of 25 euros."""
    known: dict[str, Any] = {
        "external_id": "1001",
        "number": "#1001",
        "status": OrderStatus.PLACED,
        "currency": "EUR",
        "total": 2500,
        "first_recorded": at,
    }
    return Order(id=key, revision=revision, placed_at=at, **{**known, **fields})


def placed(key: str = "ord_1", at: datetime = NOON, of: str = ANA, **fields: Any) -> Event[Any]:
    """An order was placed."""
    made = order(key, 1, at, **fields)
    return told(OrderPlaced(order=made), at, of=of, lane=made.lane)


def paid(key: str = "ord_1", at: datetime = NOON, revision: int = 2, of: str = ANA, **fields: Any) -> Event[Any]:
    """An order was paid."""
    made = order(key, revision, at, **{"status": OrderStatus.PAID, "paid_at": at, **fields})
    return told(OrderPaid(order=made), at, of=of, lane=made.lane)


def rated(key: str = "ord_1", points: int = 25, at: datetime = NOON) -> Event[Any]:
    """Loyalty says what an order brings."""
    return told(OrderRated(program="prg", order=key, revision=2, points=points, change=points, balance=points), at)


def lapsed(at: datetime = NOON, segment: str = "lapsed") -> Event[Any]:
    """Scoring says that somebody came into a segment."""
    return told(SegmentEntered(segment=segment), at)


def profile(at: datetime = NOON, of: str = ANA, **fields: Any) -> Event[Any]:
    """A profile as known now."""
    known = {"email": "ana@example.com", "first_name": "Ana", "locale": "es-ES", "zone": "Europe/Madrid"}
    return told(ProfileUpdated(updated_at=at, **{**known, **fields}), at, of=of)


def consent(granted: bool = True, at: datetime = NOON, of: str = ANA) -> Event[Any]:
    """A word on marketing by mail."""
    fact = ConsentChanged(channel="email", granted=granted, at=at, source="checkout", wording="Yes, write to me (v3)")
    return told(fact, at, of=of)


def a_contact(**fields: Any) -> Contact:
    """Ana, who agreed to marketing by mail."""
    known: dict[str, Any] = {
        "email": "ana@example.com",
        "address": "hash",
        "consents": (Consent("email", "marketing", True, NOON),),
    }
    return Contact(account=ACCOUNT, customer=ANA, **{**known, **fields})
