"""Facts as they come from the bus, in numbers, for feeding a consumer directly."""

import random
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec

from shared.bus.base import Record
from shared.events import Event, Lane
from shared.events.config import AccountConfigured, StoreConfigured
from shared.events.ingest import Cart, CartLine, CartUpdated, Line, Order, OrderPaid, OrderStatus
from shared.tx import outbox_row

ACCOUNT, STORE = "acc_bench", "sto_bench"
MEMBERS = 5_000


def _event(fact: Any, customer: str, at: datetime, id_: UUID) -> Event[Any]:
    return Event(
        id=id_, fact=fact, account=ACCOUNT, store=STORE, customer=customer, time=at, recorded=at, lane=Lane.LIVE
    )


def _record(event: Event[Any], offset: int) -> Record:
    row = outbox_row(event, "ingest")
    return Record(row.topic, row.partition, offset, row.key, msgspec.json.decode(row.head), row.body)


def set_up() -> list[Event[Any]]:
    """An account with one store."""
    at = datetime.now(UTC)
    account = AccountConfigured(id=ACCOUNT, revision=1, name="Bench")
    store = StoreConfigured(id=STORE, revision=1, name="Bench", currency="EUR", zone="Europe/Madrid", locale="es")
    made = [_event(account, "", at, UUID(int=1)), _event(store, "", at, UUID(int=2))]
    return [msgspec.structs.replace(event, store="") for event in made]


def order_events(number: int, seed: int, members: int = MEMBERS) -> list[Event[Any]]:
    """Paid three-line orders of random members."""
    chance = random.Random(seed)
    at = datetime.now(UTC)
    return [_order(chance, f"{seed}_{offset}", at, members) for offset in range(number)]


def orders(number: int, seed: int, members: int = MEMBERS) -> list[Record]:
    """The same as they come from the bus."""
    return [_record(event, offset) for offset, event in enumerate(order_events(number, seed, members))]


def _order(chance: random.Random, name: str, at: datetime, members: int) -> Event[Any]:
    prices = [chance.randrange(500, 9000) for _ in range(3)]
    lines = tuple(
        Line(
            id=str(n),
            product=f"p{chance.randrange(999)}",
            sku=f"SKU-{chance.randrange(9999)}",
            title="A thing",
            gross=price,
            net=price,
            categories=("shoes",) if n % 2 else ("hats",),
        )
        for n, price in enumerate(prices)
    )
    order = Order(
        id=f"ord_{name}",
        external_id=name,
        number=name,
        revision=1,
        status=OrderStatus.PAID,
        currency="EUR",
        lines=lines,
        total=sum(prices),
        placed_at=at,
        paid_at=at,
        first_recorded=at,
    )
    paid = OrderPaid(order=order, change="paid")
    return _event(paid, _customer(chance, members), at, UUID(int=chance.getrandbits(128)))


def carts(number: int, seed: int) -> list[Record]:
    """Carts of random members."""
    chance = random.Random(seed)
    at = datetime.now(UTC)
    return [_record(_cart(chance, f"{seed}_{offset}", at), offset) for offset in range(number)]


def _cart(chance: random.Random, name: str, at: datetime) -> Event[Any]:
    lines = tuple(CartLine(product=f"p{chance.randrange(999)}", title="A thing", price=1990) for _ in range(3))
    cart = Cart(id=f"crt_{name}", revision=1, currency="EUR", lines=lines, value=5970, changed_at=at)
    return _event(CartUpdated(cart=cart), _customer(chance), at, UUID(int=chance.getrandbits(128)))


def _customer(chance: random.Random, members: int = MEMBERS) -> str:
    return customer(chance.randrange(members))


def customer(number: int) -> str:
    """The id of a member."""
    return f"cus_{number:032x}"
