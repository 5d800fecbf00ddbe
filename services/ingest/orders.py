"""Orders: claims of any channel, in any order, fold into one canonical order; each visible change is a revision."""

from datetime import datetime
from typing import Any

import msgspec
from msgspec.structs import replace

from services.ingest.claims import Basket, Key, OrderClaim, Rank, RefundSaid
from services.ingest.refunds import apply_refunds
from shared.events.base import Lane
from shared.events.ingest import (
    Order,
    OrderCancelled,
    OrderDelivered,
    OrderDisputed,
    OrderDisputeWon,
    OrderFact,
    OrderFulfilled,
    OrderPaid,
    OrderPlaced,
    OrderRefunded,
    OrderStatus,
    OrderUpdated,
)

LATEST = ("number", "basket", "coupons", "channel", "test", "pending", "cart_token", "checkout_token", "placed_at")
EARLIEST = ("fulfilled_at", "delivered_at", "cancelled_at", "disputed_at", "dispute_won_at")
_encode = msgspec.json.Encoder().encode


class RankedRefund(msgspec.Struct, frozen=True):
    """A refund and who told of it when."""

    rank: Rank
    updated: datetime
    said: RefundSaid


class OrderState(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """All that was ever said of an order that still counts.

    For each field of `LATEST`, `told` keeps rank and time of the claim that set it; of times the earliest counts.
    The state is the same whatever order the claims came in. `waiting` are deliveries that wait for the order itself.
    """

    told: dict[str, tuple[Rank, datetime]] = {}
    number: str = ""
    basket: Basket | None = None
    coupons: tuple[str, ...] = ()
    channel: str = ""
    test: bool = False
    pending: bool = False
    cart_token: str = ""
    checkout_token: str = ""
    placed_at: datetime | None = None
    buyer: tuple[Key, ...] = ()
    paid: dict[int, datetime] = {}
    firsts: dict[str, datetime] = {}
    refunds: dict[str, RankedRefund] = {}
    waiting: tuple[int, ...] = ()


class OrderHead(msgspec.Struct, frozen=True, kw_only=True):
    """What ingest itself fixes about an order, apart from what was said of it."""

    id: str
    external_id: str
    revision: int = 0
    cart: str = ""
    lane: Lane = Lane.LIVE
    first_recorded: datetime


def learn(state: OrderState, claim: OrderClaim, *, again: bool = False) -> OrderState:
    """The state after one more claim; a claim heard before changes nothing.

    With `again` the claim comes of a delivery understood before, and replaces what that said then.
    """
    told = dict(state.told)
    news: dict[str, Any] = {}
    for name in LATEST:
        value = getattr(claim, name)
        if value is not None and _counts_more(state, claim, name, value, again=again):
            told[name], news[name] = (claim.rank, claim.updated), value
    if claim.keys and _counts_more(state, claim, "buyer", claim.keys, again=again):
        told["buyer"], news["buyer"] = (claim.rank, claim.updated), claim.keys
    return replace(
        state,
        told=told,
        paid=_earliest(state.paid, {int(claim.rank): claim.paid_at}),
        firsts=_earliest(state.firsts, {name: getattr(claim, name) for name in EARLIEST}),
        refunds=_refunds(state, claim),
        **news,
    )


def _counts_more(state: OrderState, claim: OrderClaim, name: str, value: object, *, again: bool) -> bool:
    """Whether a claim outdoes what is known of a field: by rank, then time, then (to be deterministic) content."""
    before, now = state.told.get(name), (claim.rank, claim.updated)
    if before is None or now > before:
        return True
    return now == before and (again or _encode(value) > _encode(getattr(state, name)))


def _earliest(known: dict[Any, datetime], said: dict[Any, datetime | None]) -> dict[Any, datetime]:
    found = {name: when for name, when in said.items() if when is not None}
    return {
        name: min(times) for name in {**known, **found} if (times := [d[name] for d in (known, found) if name in d])
    }


def _refunds(state: OrderState, claim: OrderClaim) -> dict[str, RankedRefund]:
    if not claim.refunds:
        return state.refunds
    known = dict(state.refunds)
    for said in claim.refunds:
        new, old = RankedRefund(claim.rank, claim.updated, said), known.get(said.id)
        if old is None or (new.rank, new.updated, _encode(said)) > (old.rank, old.updated, _encode(old.said)):
            known[said.id] = new
    return known


def is_whole(state: OrderState) -> bool:
    """Whether somebody has said what was bought and when."""
    return state.basket is not None and state.placed_at is not None


def fold(state: OrderState, head: OrderHead) -> Order | None:
    """The canonical order; None while nobody has said what was bought and when (a refund that came first)."""
    basket = state.basket
    if basket is None or state.placed_at is None:
        return None
    lines, refunded = apply_refunds(basket, _best_refunds(state))
    paid_at = _paid_at(state)
    order = Order(
        id=head.id,
        external_id=head.external_id,
        number=state.number,
        revision=head.revision,
        status=OrderStatus.PLACED,
        currency=basket.currency,
        exponent=basket.exponent,
        lines=lines,
        tenders=basket.tenders,
        total=basket.total,
        refunded=refunded,
        presentment=basket.presentment,
        rate=basket.rate,
        coupons=state.coupons,
        channel=state.channel,
        test=state.test,
        cart=head.cart,
        cart_token=state.cart_token,
        checkout_token=state.checkout_token,
        placed_at=state.placed_at,
        paid_at=paid_at,
        fulfilled_at=state.firsts.get("fulfilled_at"),
        delivered_at=state.firsts.get("delivered_at"),
        cancelled_at=state.firsts.get("cancelled_at"),
        lane=head.lane,
        first_recorded=head.first_recorded,
    )
    return replace(order, status=_status(order, state))


def _best_refunds(state: OrderState) -> list[RefundSaid]:
    """The refunds as the best-informed channel tells them, oldest first: two channels' words for one are not added."""
    best = max((refund.rank for refund in state.refunds.values()), default=None)
    found = [refund.said for refund in state.refunds.values() if refund.rank == best]
    return sorted(found, key=lambda said: (said.at, said.id))


def _paid_at(state: OrderState) -> datetime | None:
    """The earliest payment told by a channel that knows no less than the one whose basket counts."""
    least = state.told["basket"][0]
    return min((when for rank, when in state.paid.items() if rank >= least), default=None)


def _status(order: Order, state: OrderState) -> OrderStatus:
    won, lost = state.firsts.get("dispute_won_at"), state.firsts.get("disputed_at")
    told = (
        (order.cancelled_at, OrderStatus.CANCELLED),
        (order.refunded and order.refunded >= order.total, OrderStatus.REFUNDED),
        (lost and not won, OrderStatus.DISPUTED),
        (order.refunded, OrderStatus.PARTLY_REFUNDED),
        (won, OrderStatus.DISPUTE_WON),
        (order.delivered_at, OrderStatus.DELIVERED),
        (order.fulfilled_at, OrderStatus.FULFILLED),
        (order.paid_at, OrderStatus.PAID),
        (state.pending, OrderStatus.PAYMENT_PENDING),
    )
    return next((status for holds, status in told if holds), OrderStatus.PLACED)


def news(before: Order | None, after: Order) -> list[tuple[type[OrderFact], str]]:
    """The facts by which an order came from one state to the next, in the trade's order; none if nothing changed."""
    facts: list[tuple[type[OrderFact], str]] = []
    if before is None:
        facts.append((OrderPlaced, "placed"))
    for name, cls, word in _MILESTONES:
        if getattr(after, name) is not None and (before is None or getattr(before, name) is None):
            facts.append((cls, word))
    if after.refunded > (before.refunded if before else 0):
        facts.append((OrderRefunded, "refunded"))
    for status, cls, word in _DISPUTES:
        if after.status is status and (before is None or before.status is not status):
            facts.append((cls, word))
    if not facts and before is not None and replace(after, revision=before.revision) != before:
        facts.append((OrderUpdated, "updated"))
    return facts


_MILESTONES: tuple[tuple[str, type[OrderFact], str], ...] = (
    ("paid_at", OrderPaid, "paid"),
    ("fulfilled_at", OrderFulfilled, "fulfilled"),
    ("delivered_at", OrderDelivered, "delivered"),
    ("cancelled_at", OrderCancelled, "cancelled"),
)
_DISPUTES: tuple[tuple[OrderStatus, type[OrderFact], str], ...] = (
    (OrderStatus.DISPUTED, OrderDisputed, "disputed"),
    (OrderStatus.DISPUTE_WON, OrderDisputeWon, "dispute_won"),
)
