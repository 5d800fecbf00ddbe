"""Orders taken in: the next revision of an order, whose it is, which carts it ends, and the facts that say so."""

from datetime import datetime

from msgspec.structs import replace

from services.ingest import orders
from services.ingest.claims import Key, OrderClaim, Trust
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.moments import is_long_ago
from services.ingest.naming import order_id
from services.ingest.orders import OrderHead, OrderState
from services.ingest.records import OrderRow
from services.ingest.taking_carts import end_carts
from shared.events import Lane
from shared.events.ingest import Order, OrderFact, OrderUpdated

_WHEN = {"paid": "paid_at", "fulfilled": "fulfilled_at", "delivered": "delivered_at", "cancelled": "cancelled_at"}


def take_order(claim: OrderClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Bring an order to its next revision; one of which only a refund or the like is known yet waits."""
    row = _row(claim, desk, store)
    if desk.suppressed(claim.keys, claim.placed_at or claim.at) or _is_erased(row, desk):
        return Outcome("suppressed", "erased")
    named = row.customer if not row.customer else desk.person(row.customer).id
    said = _named(claim, row, store)
    claimant = desk.recognise(said.keys, trust, said.at) if said.keys else ""
    named = desk.person(named).id if named else ""
    state = orders.learn(row.state, said, again=desk.again)
    owner = claimant if claimant and (not named or state.buyer == said.keys) else named
    after = replace(row, state=state, customer=owner, placed_at=state.placed_at)
    if not orders.is_whole(state):
        seq = getattr(desk.work, "seq", 0)
        waiting = replace(after.state, waiting=(*state.waiting, seq))
        desk.orders[row.account, row.id] = replace(after, state=waiting)
        return Outcome("waiting", "order_not_here_yet", owner)
    _revise(row, after, claim, desk, moved=bool(named) and named != owner)
    return Outcome("translated", customer=owner)


def _row(claim: OrderClaim, desk: IngestDesk, store: str) -> OrderRow:
    account = desk.work.account
    name = order_id(account, store, claim.external_id)
    lane = getattr(desk.work, "lane", Lane.LIVE)
    return desk.orders.get((account, name)) or OrderRow(
        account, name, store, claim.external_id, "", 0, lane, desk.recorded, None, "", OrderState()
    )


def _is_erased(row: OrderRow, desk: IngestDesk) -> bool:
    return bool(row.customer) and desk.person(row.customer).erased_at is not None


def _named(claim: OrderClaim, row: OrderRow, store: str) -> OrderClaim:
    """The claim with a name for a buyer of whom the store says nothing at all."""
    if claim.keys or row.customer or claim.basket is None:
        return claim
    return replace(claim, keys=(Key("order", store, claim.external_id),))


def head_of(row: OrderRow) -> OrderHead:
    """What ingest itself fixes of an order."""
    return OrderHead(
        id=row.id,
        external_id=row.external_id,
        revision=row.revision,
        cart=row.cart,
        lane=Lane(row.lane),
        first_recorded=row.recorded,
    )


def order_of(row: OrderRow) -> Order | None:
    """The canonical order of a row; None while it waits."""
    return orders.fold(row.state, head_of(row)) if row.revision else None


def _revise(row: OrderRow, after: OrderRow, claim: OrderClaim, desk: IngestDesk, *, moved: bool) -> None:
    before = order_of(row)
    if before is None:
        after = _first(after, desk)
    if before is None or claim.basket is not None:
        named = end_carts(after, claim, claim.placed_at or after.placed_at or desk.recorded, desk)
        after = replace(after, cart=after.cart or named)
    order = orders.fold(after.state, head_of(after))
    if order is None:
        return
    facts = orders.news(before, order)
    if moved and not facts:
        facts = [(OrderUpdated, "owner")]
    if desk.again:
        facts = [(kind, "corrected" if kind is OrderUpdated else word) for kind, word in facts]
    for kind, word in facts:
        after = replace(after, revision=after.revision + 1)
        _tell(kind, word, replace(order, revision=after.revision), after, claim.at, desk)
    for seq in after.state.waiting:
        desk.settling.append((seq, "translated"))
    desk.orders[row.account, row.id] = replace(after, state=replace(after.state, waiting=()))


def _first(after: OrderRow, desk: IngestDesk) -> OrderRow:
    """Fix lane and recorded time at the first revision."""
    placed = after.placed_at or desk.recorded
    lane = Lane.HISTORY if is_long_ago(placed, desk.recorded) else getattr(desk.work, "lane", Lane.LIVE)
    return replace(after, lane=lane, recorded=desk.recorded)


def _tell(kind: type[OrderFact], word: str, order: Order, row: OrderRow, at: datetime, desk: IngestDesk) -> None:
    """Emit one order fact, at the time the milestone itself was reached."""
    when = order.placed_at if word == "placed" else getattr(order, _WHEN[word]) if word in _WHEN else at
    desk.emit(kind(order=order, change=word), customer=row.customer, store=row.store, time=when)
