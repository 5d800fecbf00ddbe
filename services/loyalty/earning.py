"""What an order earns: its entitlement in the stored rating context, and the exact difference to what is booked."""

from datetime import datetime
from typing import NamedTuple

from msgspec.structs import replace

from services.loyalty import caps, memberships, standings, terms
from services.loyalty.ledger import LARGEST
from services.loyalty.programmes import Programme, Wallet
from services.loyalty.records import AVAILABLE, PENDING, Context, Lot, Member, Move, Rating
from services.loyalty.stacking import Sum, stacked
from shared.events import Lane
from shared.events.ingest import Order, OrderStatus

VOID = (OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.DISPUTED, OrderStatus.PAYMENT_PENDING)
MOST = LARGEST // 1_000


def is_stale(order: Order, rating: Rating | None) -> bool:
    """Whether an order's revision was rated already, or a newer one was."""
    return rating is not None and rating.revision >= order.revision


class Shop(NamedTuple):
    """Where an order was paid: the store, its clock's zone, and what is left of the programme's budget."""

    store: str
    zone: str
    budget: int | None = None


def entitlement(order: Order, context: Context, programme: Programme) -> Sum:
    """Points by the rules of the context's programme version, times its tier's multiplier, within its room."""
    if is_void(order, context):
        return Sum(0, ())
    return stacked(memberships.without_fees(order, programme.memberships), context, programme.plan, MOST)


def context_of(order: Order, shop: Shop, member: Member, programme: Programme, paid_at: datetime) -> Context:
    """What the first rating of a paid order finds; kept, and never looked up again."""
    day = terms.local_day(programme.zone, paid_at)
    own = None if programme.cap is None else caps.room(member, "", programme.cap, day)
    known = [limit for limit in (own, shop.budget) if limit is not None]
    tier = programme.ladder.tiers[standings.place(member, programme, day).level]
    numerator, denominator = _rate(order, programme)
    return Context(
        program=programme.id,
        version=programme.version,
        accrued_at=paid_at,
        tier=tier.name,
        percent=tier.percent,
        numerator=numerator,
        denominator=denominator,
        first_order=member.first_order in {"", order.id},
        why=_why_not(order, shop.store, programme, paid_at, numerator),
        segments=member.segments,
        room=min(known) if known else None,
        rooms=_rooms(member, programme, day),
        zone=shop.zone,
    )


def context_in(wallet: Wallet, context: Context, holder: Member, programme: Programme) -> Context:
    """What an order's first rating in a further wallet finds: what the main one found, and the wallet's own room."""
    day = terms.local_day(programme.zone, context.accrued_at)
    return replace(
        context,
        percent=context.percent if wallet.tiered else 100,
        room=None if programme.cap is None else caps.room(holder, "", programme.cap, day),
        rooms=_rooms(holder, programme, day),
        drawn=0,
    )


def used(member: Member, rating: Rating, programme: Programme) -> Member:
    """The member after the first rating of an order, what capped rules gave written down."""
    if rating.context is None or not rating.points:
        return member
    day = terms.local_day(programme.zone, rating.context.accrued_at)
    uses = member.uses if programme.cap is None else caps.used(member.uses, "", programme.cap, day, rating.points)
    capped = programme.capped
    for part in rating.parts or () if capped else ():
        if part.points and part.rule in capped:
            uses = caps.used(uses, part.rule, capped[part.rule], day, part.points)
    return member if uses is member.uses else replace(member, uses=uses)


def happened(order: Order, awaited: str) -> datetime | None:
    """When what an order's points await happened to it; None while it has not."""
    if awaited == "fulfilled":
        return order.fulfilled_at or order.delivered_at
    return order.delivered_at if awaited == "delivered" else None


def lot_of(member: Member, order: Order, rating: Rating, programme: Programme, now: datetime) -> Lot:
    """The empty lot that an order's points go into: one for each order, so that an edit fills and empties the same."""
    accrued_at = now if rating.context is None else rating.context.accrued_at
    awaits = programme.pending_until
    begun = happened(order, awaits) if awaits else accrued_at
    matures_at = terms.matures_at(begun or accrued_at, programme.pending_days if begun else programme.cancel_days)
    return Lot(
        account=member.account,
        id=lot_id(rating.order_id),
        customer=member.customer,
        source=rating.order_id,
        state=PENDING if matures_at > now or not begun else AVAILABLE,
        issued=0,
        remaining=0,
        open=False,
        accrued_at=accrued_at,
        matures_at=matures_at,
        expires_at=programme.expires_at(accrued_at, matures_at),
        awaits="" if begun else awaits,
    )


def maturing(lot: Lot, begun: datetime, programme: Programme) -> Lot:
    """A lot that awaits nothing any more: it matures so many days from then."""
    matures_at = terms.matures_at(begun, programme.pending_days)
    expires_at = programme.expires_at(lot.accrued_at, matures_at)
    return replace(lot, awaits="", matures_at=matures_at, expires_at=expires_at)


def lot_id(order: str) -> str:
    """The id of the lot of an order's points."""
    return f"lot_{order.removeprefix('ord_')}"


def rated(
    order: Order, member: Member, before: Rating | None, context: Context | None, programme: Programme | None
) -> Rating:
    """The rating of an order's newest revision; what it forgives of earlier write-offs is the ledger's to say."""
    due = Sum(0, ()) if context is None or programme is None else entitlement(order, context, programme)
    spent = _spent(order, context, programme)
    if before is not None:
        return replace(
            before, revision=order.revision, points=due.points, context=context, parts=due.parts, spent=spent
        )
    return Rating(
        account=member.account,
        order_id=order.id,
        customer=member.customer,
        revision=order.revision,
        points=due.points,
        written_off=0,
        context=context,
        parts=due.parts,
        spent=spent,
    )


def within_budget(rating: Rating, booked: int, left: int | None) -> tuple[Rating, int]:
    """The rating with no more points than it ever drew on a budget and what is left of it, and what it draws now."""
    if left is None or rating.context is None:
        return rating, 0
    had = max(rating.context.drawn, booked)
    drawn = max(0, min(rating.points - had, left))
    context = replace(rating.context, drawn=had + drawn)
    return replace(rating, points=min(rating.points, had + drawn), context=context), drawn


class Counts(NamedTuple):
    """What counts for tiers: points, money spent (minor units of the programme's currency), orders."""

    points: int
    spent: int
    orders: int


def counts_of(before: Rating | None, after: Rating) -> Counts:
    """What a revision of an order counts more (or less) for tiers than the one before."""
    if before is None:
        return Counts(after.points, after.spent, int(after.spent > 0))
    orders = int(after.spent > 0) - int(before.spent > 0)
    return Counts(after.points - before.points, after.spent - before.spent, orders)


def move_of(counts: Counts, context: Context, programme: Programme, known_at: datetime | None) -> Move:
    """What a rating counts for tiers: known since the order was paid (None), or since its revision happened."""
    accrued = terms.local_day(programme.zone, context.accrued_at)
    known = accrued if known_at is None else terms.local_day(programme.zone, known_at)
    return Move(max(accrued, known), accrued, *counts)


def is_void(order: Order, context: Context) -> bool:
    """Whether nothing of an order counts: what it was never to earn for, was never paid, or was undone."""
    return bool(context.why) or order.paid_at is None or order.test or order.status in VOID


def _spent(order: Order, context: Context | None, programme: Programme | None) -> int:
    """What was kept of an order's goods, in minor units of the programme's currency; 0 where it does not count."""
    if context is None or programme is None or is_void(order, context):
        return 0
    goods = memberships.without_fees(order, programme.memberships).lines
    kept = sum([line.net - line.refunded for line in goods if line.kind == "product"])
    return max(0, kept) * context.numerator // context.denominator


def _rooms(member: Member, programme: Programme, day: int) -> dict[str, int]:
    found = [(name, caps.room(member, name, cap, day)) for name, cap in programme.capped.items()]
    return {name: limit for name, limit in found if limit is not None}


def _rate(order: Order, programme: Programme) -> tuple[int, int]:
    if order.currency == programme.currency:
        return 1, 1
    for rate_ in programme.rates:
        if rate_.currency == order.currency:
            return rate_.numerator, rate_.denominator
    return 0, 1


def _why_not(order: Order, store: str, programme: Programme, paid_at: datetime, numerator: int) -> str:
    if order.test:
        return "test_order"
    if order.lane is Lane.HISTORY:
        return "history"
    if paid_at < programme.start:
        return "before_start"
    if programme.stores and store not in programme.stores:
        return "other_store"
    return "" if numerator else "no_rate"
