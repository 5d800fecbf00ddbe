"""Points that paid a part of an order come back with its refunds, in the same share, into the lots they came out of."""

from msgspec.structs import replace

from services.loyalty import redemptions
from services.loyalty.desk import Desk, order_ref
from services.loyalty.holders import wallet_of, without_wallet
from services.loyalty.ledger import Cause
from services.loyalty.records import Redemption
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import Order, OrderFact, OrderStatus
from shared.events.loyalty import PointsReturned

WHOLE = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUNDED})


def share_due(points: int, order: Order) -> int:
    """Points due back of an order that they paid a part of: any parts of a refund give what the whole gives."""
    if order.status in WHOLE:
        return points
    net, refunded = sum(line.net for line in order.lines), sum(line.refunded for line in order.lines)
    return points * min(refunded, net) // net if net > 0 else 0


def repay(event: Event[OrderFact], desk: Desk) -> None:
    """Return what the order's refunds so far entitle to beyond what came back already, to whoever paid with them."""
    for paid in desk.redemptions_for(event.account, order_ref(event)):
        if not paid.reversed_by:
            due = share_due(paid.points, event.fact.order)
            if due > paid.returned:
                _return(event, paid, due, desk)


def _return(event: Event[OrderFact], paid: Redemption, due: int, desk: Desk) -> None:
    wallet = wallet_of(paid.customer)
    programme = desk.programmes(event.account, event.store).at(desk.now).of(wallet)
    member = desk.members[event.account, paid.customer]
    cause = Cause(new_id("txn"), "reverse", event.fact.order.id, event.time, desk.now, event.fact.order.revision)
    done, after = redemptions.give_back(paid, due, member, programme, cause, desk)
    closed = done.transaction.id if due == paid.points else ""
    desk.put_redemption(replace(paid, returned=due, reversed_by=closed))
    late = {lot.id for lot in done.lots if lot.expires_at is not None and lot.expires_at <= desk.now}
    desk.emit(
        PointsReturned(
            program=programme.id,
            redemption=paid.id,
            order=event.fact.order.id,
            points=due - paid.returned,
            balance=after.available,
            expired=sum(leg.points for leg in done.entries if leg.lot in late),
            wallet=wallet,
        ),
        customer=without_wallet(paid.customer),
    )
