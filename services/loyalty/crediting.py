"""Orders that were not to earn, imported or from before the programme began: credited later, once, as if paid now."""

from collections.abc import Sequence
from datetime import datetime
from typing import Final
from uuid import uuid5

import msgspec
from msgspec.structs import replace

from services.loyalty.desk import Desk
from services.loyalty.handlers import rate_order
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.records import AuditRow, Note, Rating
from services.loyalty.trial import Past
from shared.db import new_id
from shared.events import Event, Lane
from shared.events.base import NAMESPACE
from shared.events.ingest import Order, OrderUpdated
from shared.workset import Command

CREDITABLE: Final = frozenset({"history", "before_start"})


class Credited(msgspec.Struct, frozen=True):
    """What was credited: how many orders earned something, and how many points."""

    orders: int
    points: int


def creditable(order: Order, rating: Rating | None) -> bool:
    """Whether an order, at the revision that was rated, was kept from earning by nothing but its age."""
    if rating is None or rating.context is None or rating.revision != order.revision:
        return False
    return rating.context.why in CREDITABLE


def credit(command: Command, desk: Desk, order: Order, note: Note) -> int:
    """Rate such an order as if it were paid now, by the rules, caps and budget of now; gives its points.

    Later revisions are rated in the context that it gets; an order that earns already is left as it is.
    """
    rating = desk.ratings.get((command.account, order.id))
    if rating is None or rating.customer != command.customer or not creditable(order, rating):
        return 0
    for wallet in (MAIN, *desk.wallets(command.account)):
        held = desk.ratings.get((command.account, in_wallet(order.id, wallet)))
        if held is not None:
            desk.put_rating(replace(held, revision=order.revision - 1, context=None))
    rate_order(_paid_now(command, desk.now, order), desk, note)
    subject, who = order.id, command.customer
    desk.audit.append(AuditRow(command.account, new_id("aud"), desk.now, note.actor, "credit", subject, who))
    return desk.ratings[command.account, order.id].points


def commands(account: str, past: Sequence[Past], now: datetime) -> list[tuple[Command, Order]]:
    """A call for each order, named after it; by customer, since many lock their customers at once."""
    return [
        (
            Command(
                account=account,
                customer=one.customer,
                store=one.shop.store,
                id=uuid5(NAMESPACE, f"{account}|credit|{one.order.id}"),
                time=now,
                about=one.order.id,
            ),
            one.order,
        )
        for one in sorted(past, key=lambda one: (one.customer, one.order.placed_at, one.order.id))
    ]


def _paid_now(command: Command, now: datetime, order: Order) -> Event[OrderUpdated]:
    return Event(
        id=command.id,
        fact=OrderUpdated(order=replace(order, lane=Lane.LIVE, paid_at=order.paid_at and now)),
        account=command.account,
        store=command.store,
        customer=command.customer,
        time=now,
        recorded=now,
    )
