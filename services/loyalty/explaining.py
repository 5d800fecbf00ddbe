"""Why an order earned what it earned, and what a basket would earn: each rule with what it gave and why not more."""

from collections.abc import Iterable, Mapping
from datetime import datetime

import msgspec
from msgspec.structs import replace

from services.loyalty import earning
from services.loyalty.earning import Shop
from services.loyalty.holders import MAIN, in_wallet, wallet_of, without_wallet
from services.loyalty.programmes import Programme, Wallet
from services.loyalty.records import Context, Member, Part, Rating
from shared.events.ingest import Line, Order, OrderStatus


class Judged(msgspec.Struct, frozen=True):
    """What a rule gave, what it would have given without limits, and why not more ('' for no reason)."""

    rule: str
    points: int
    before_limits: int
    why: str


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """A rating in full: the rules of `version` at the tier's `percent`, what was cut, and why it is zero if it is.

    `wallets` are the ratings of the same order in further wallets.
    """

    order: str
    customer: str
    revision: int
    program: str
    version: int
    points: int
    why: str
    tier: str
    percent: int
    segments: tuple[str, ...]
    rate: str
    room: int | None
    accrued_at: datetime | None
    rules: tuple[Judged, ...]
    wallet: str
    wallets: tuple["Explained", ...] = ()


def explained(rating: Rating, others: Iterable[Rating] = ()) -> Explained:
    """The stored explanation of an order's newest rating, and of those in further wallets."""
    context, parts = rating.context, rating.parts or ()
    return Explained(
        order=without_wallet(rating.order_id),
        customer=without_wallet(rating.customer),
        wallet=wallet_of(rating.order_id),
        wallets=tuple(explained(other) for other in others),
        revision=rating.revision,
        program="" if context is None else context.program,
        version=0 if context is None else context.version,
        points=rating.points,
        why=_why(rating.points, context, parts),
        tier="" if context is None else context.tier,
        percent=100 if context is None else context.percent,
        segments=() if context is None else context.segments,
        rate="" if context is None else f"{context.numerator}/{context.denominator}",
        room=None if context is None else context.room,
        accrued_at=None if context is None else context.accrued_at,
        rules=tuple(Judged(part.rule, part.points, part.raw, part.why) for part in parts),
    )


def basket_order(lines: tuple[Line, ...], currency: str, now: datetime) -> Order:
    """A basket as if it were paid now."""
    return Order(
        id="ord_basket",
        external_id="",
        revision=1,
        status=OrderStatus.PAID,
        currency=currency,
        lines=lines,
        placed_at=now,
        paid_at=now,
        first_recorded=now,
    )


def evaluated(
    order: Order, shop: Shop, member: Member, holders: Mapping[str, Member], programme: Programme, now: datetime
) -> Explained:
    """What an order would earn in each wallet if it were paid now; nothing is written."""
    main = programme.of(MAIN)
    context = earning.context_of(order, shop, member, main, now)
    others = [
        _in_wallet(wallet, order, context, holders.get(wallet.name) or replace(member, uses=()), programme)
        for wallet in programme.wallets
    ]
    return explained(earning.rated(order, member, None, context, main), others)


def _in_wallet(wallet: Wallet, order: Order, main: Context, holder: Member, programme: Programme) -> Rating:
    own = programme.of(wallet.name)
    context = earning.context_in(wallet, main, holder, own)
    return replace(earning.rated(order, holder, None, context, own), order_id=in_wallet(order.id, wallet.name))


def _why(points: int, context: Context | None, parts: tuple[Part, ...]) -> str:
    """Why an order earns nothing, in one word; '' where it earns, or where each rule says it for itself."""
    if points:
        return ""
    if context is None:
        return "not_paid"
    if context.why:
        return context.why
    if not parts:
        return "given_back"
    return "no_room" if context.room == 0 and any(part.points for part in parts) else "no_rule_applies"
