"""Carts taken in: the next revision of a cart, and how orders end them."""

from datetime import UTC, datetime

from msgspec.structs import replace

from services.ingest import carts
from services.ingest.carts import CartState
from services.ingest.claims import CartClaim, OrderClaim, Rank, Trust
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.naming import cart_id
from services.ingest.records import CartRow, CustomerRow, OrderRow
from shared.events import Lane
from shared.events.ingest import Cart, CartEnded

LONG_AGO = datetime.min.replace(tzinfo=UTC)


def take_cart(claim: CartClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Bring a cart to its next revision; one that nobody owns yet is kept untold."""
    row = _row(desk, store, claim.token)
    claimant = desk.recognise(claim.keys, trust, claim.at) if claim.keys else ""
    owner = claimant or (desk.person(row.customer).id if row.customer else "")
    if owner:
        row = _ended_with_others(row, desk.person(owner), row.state.named_by or claim.named_by)
    before = None if owner != row.customer else cart_of(row)
    state = carts.learn(row.state, claim)
    if state is not row.state and row.state.ended_at is not None and not carts.has_begun(row.state):
        row, before = _next_generation(row), None
    after = replace(row, state=state, customer=owner, changed_at=state.changed_at, open=carts.is_open(state))
    after = _told(after, before, desk) if owner else after
    if claim.completed:
        after = _end(after, claim.at, "", desk)
    desk.carts[row.account, store, claim.token] = after
    return Outcome("translated", customer=owner)


def _row(desk: IngestDesk, store: str, token: str) -> CartRow:
    account = desk.work.account
    lane = getattr(desk.work, "lane", Lane.LIVE)
    name = cart_id(account, store, token, 0)
    return desk.carts.get((account, store, token)) or CartRow(
        account, store, token, name, 0, 0, "", lane, desk.recorded, None, False, CartState()
    )


def _ended_with_others(row: CartRow, owner: CustomerRow, namer: Rank | None) -> CartRow:
    """The cart, ended by orders that could not name it, if it came too late to be ended then."""
    keys = (row.store, *(_but(row.store, spared) for spared in Rank if spared != namer))
    ended = max((owner.carts_ended[key] for key in keys if key in owner.carts_ended), default=None)
    return row if ended is None else replace(row, state=carts.end(row.state, ended))


def _next_generation(row: CartRow) -> CartRow:
    """A new cart by the token of one that was ended."""
    generation = row.generation + 1 if row.revision else row.generation
    name = cart_id(row.account, row.store, row.token, generation)
    return replace(row, id=name, generation=generation, revision=0)


def cart_of(row: CartRow) -> Cart | None:
    """The canonical cart of a row; None while it was never told."""
    return _cart(row) if row.revision and row.state.changed_at else None


def _cart(row: CartRow) -> Cart:
    lines = carts.content(row.state)
    return Cart(
        id=row.id,
        revision=row.revision,
        currency=row.state.currency,
        exponent=row.state.exponent,
        lines=lines,
        value=sum(line.price * line.quantity for line in lines),
        restore_url=row.state.restore_url,
        external_id=row.token,
        stage=row.state.stage,
        changed_at=row.state.changed_at or row.recorded,
        lane=Lane(row.lane),
    )


def _told(after: CartRow, before: Cart | None, desk: IngestDesk) -> CartRow:
    """The row after the fact that tells its change, if there is one to tell."""
    if not carts.has_begun(after.state):
        return after
    kind = carts.news(before, _cart(after))
    if kind is None:
        return after
    after = replace(after, revision=after.revision + 1)
    cart = _cart(after)
    desk.emit(kind(cart=cart), customer=after.customer, store=after.store, time=cart.changed_at)
    return after


def end_carts(order: OrderRow, claim: OrderClaim, placed: datetime, desk: IngestDesk) -> str:
    """End the carts that a claim of an order names, and those of its customer that it could not have named.

    Gives our id of the cart it names, '' for none. What ends depends on orders and carts alone, not on what was heard
    first: a claim without a cart ends them all, one with a cart all that go by another channel's names.
    """
    tokens = [token for token in (claim.cart_token, claim.checkout_token) if token]
    known = [row for token in tokens if (row := desk.carts.get((order.account, order.store, token))) is not None]
    if tokens and not known:
        known = [_row(desk, order.store, tokens[0])]
        desk.carts[order.account, order.store, tokens[0]] = replace(known[0], customer=order.customer)
    _end_unnamed(order, claim.rank if tokens else None, placed, desk)
    for row in known:
        latest = desk.carts[row.account, row.store, row.token]
        desk.carts[row.account, row.store, row.token] = _end(latest, placed, order.id, desk)
    return known[0].id if known else ""


def _end_unnamed(order: OrderRow, spared: Rank | None, placed: datetime, desk: IngestDesk) -> None:
    """End the carts of an order's customer but those that go by one channel's names, now and whenever they are told."""
    owner, key = desk.person(order.customer), order.store if spared is None else _but(order.store, spared)
    if placed > owner.carts_ended.get(key, LONG_AGO):
        desk.customers[owner.account, owner.id] = replace(owner, carts_ended={**owner.carts_ended, key: placed})
    for row in list(desk.carts.values()):
        theirs = row.account == order.account and row.store == order.store and row.customer == owner.id
        if theirs and row.open and (spared is None or row.state.named_by != spared):
            desk.carts[row.account, row.store, row.token] = _end(row, placed, order.id, desk)


def _but(store: str, spared: Rank) -> str:
    """The key in a customer's `carts_ended` of all carts of a store but those that go by a channel's names."""
    return f"{store}/{int(spared)}"


def _end(row: CartRow, at: datetime, order: str, desk: IngestDesk) -> CartRow:
    """The row after its cart was ended at `at`; one that changed later goes on."""
    state = carts.end(row.state, at)
    after = replace(row, state=state, open=carts.is_open(state))
    if row.open and not after.open and row.revision:
        after = replace(after, revision=row.revision + 1)
        owner = desk.person(row.customer).id if row.customer else ""
        desk.emit(CartEnded(cart=_cart(after), order=order), customer=owner, store=row.store, time=at)
    return after
