"""What loyalty does when an order comes to a new revision."""

from datetime import datetime

from msgspec.structs import replace

from services.loyalty import earning, ledger, memberships, schedule, standings, terms, tiers
from services.loyalty.desk import Desk
from services.loyalty.holders import MAIN, in_wallet, wallet_of, without_wallet
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme, Wallet
from services.loyalty.records import PENDING, WRITTEN_OFF, Context, Kind, Lot, Member, Move, Note, Rating
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import Order, OrderFact
from shared.events.loyalty import OrderRated, TierUpgraded
from shared.workset import Due

GIVEN_UP = "not_in_time"


def rate_order(event: Event[OrderFact], desk: Desk, note: Note | None = None) -> None:
    """Book what an order's newest revision entitles to beyond what is booked already, and judge the tier.

    What it earns is booked with a `note` where somebody has it credited by hand.
    """
    order, key = event.fact.order, (event.account, event.fact.order.id)
    before = desk.ratings.get(key)
    if not event.customer or earning.is_stale(order, before):
        return  # an order of nobody earns nothing
    versions = desk.programmes(event.account, event.store)
    current = versions.at(desk.now)
    moved = before is not None and before.customer != event.customer
    if before is not None and moved:
        before = _take_from(desk.members[event.account, before.customer], before, event, desk, current)
    member = enrolled(desk, event.account, event.customer, current)
    context = None if before is None else before.context
    first = context is None
    left = desk.budget_left(event.account, current)
    if context is None and order.paid_at is not None:
        shop = earning.Shop(event.store, desk.zone_of(event.account, event.store, current), left)
        context = earning.context_of(order, shop, member, versions.at(order.paid_at).of(MAIN), order.paid_at)
        member = _not_new(member, order, desk)
    whole = current if context is None else versions.numbered(context.version)
    rules = whole.of(MAIN)
    rating = earning.rated(order, member, before, context, rules)
    booked = 0 if before is None else before.points
    rating, drawn = earning.within_budget(rating, booked, left)
    change = rating.points - booked
    if change and context is not None:
        desk.draw(event.account, current, drawn)
        if first:
            member = desk.put_member(earning.used(member, rating, rules))
        member, rating = _booked(member, rating, change, event, desk, rules, note)
    counts = earning.counts_of(before, rating)
    if context is not None and any(counts):
        move = earning.move_of(counts, context, current, None if first or moved else event.time)
        member = climb(member, move, desk, current)
    desk.put_rating(rating)
    if context is not None:
        member = _beside_points(member, context, event, desk, whole, first=first)
    _tell(member, rating, change, event, desk)
    _rate_beside(context, event, desk, whole, note)


def _rate_beside(
    main: Context | None, event: Event[OrderFact], desk: Desk, whole: Programme, note: Note | None
) -> None:
    """Rate a paid order in every further wallet, in the context of the main one."""
    if main is not None:
        for wallet in whole.wallets:
            _rate_in(wallet, main, event, desk, whole, note)


def _rate_in(
    wallet: Wallet, main: Context, event: Event[OrderFact], desk: Desk, whole: Programme, note: Note | None
) -> None:
    """Book what an order brings a wallet beyond what is booked: its own rating, lot and holder."""
    order, programme = event.fact.order, whole.of(wallet.name)
    name = in_wallet(order.id, wallet.name)
    before = desk.ratings.get((event.account, name))
    holder = holding(desk, event.account, event.customer, wallet.name, whole)
    if before is not None and before.customer != holder.customer:
        owner = desk.members[event.account, before.customer]
        _emptied(owner, before, holder.customer, event, desk, programme)
        before = replace(before, customer=holder.customer, points=0, written_off=0)
    found = None if before is None else before.context
    context = found or earning.context_in(wallet, main, holder, programme)
    rating = replace(earning.rated(order, holder, before, context, programme), order_id=name, spent=0)
    change = rating.points - (0 if before is None else before.points)
    if change:
        if found is None:
            holder = desk.put_member(earning.used(holder, rating, programme))
        holder, rating = _booked(holder, rating, change, event, desk, programme, note)
    desk.put_rating(rating)
    holder = _no_longer_awaited(holder, rating, event, desk, programme)
    if change:
        _tell(holder, rating, change, event, desk)


def _not_new(member: Member, order: Order, desk: Desk) -> Member:
    """Whoever has paid an order, imported ones too, has had the first one."""
    if member.first_order or order.test:
        return member
    return desk.put_member(replace(member, first_order=order.id))


def enrolled(desk: Desk, account: str, customer: str, programme: Programme) -> Member:
    """The member, put into the programme and its lowest tier when new."""
    member = desk.members[account, customer]
    if not member.program:
        member = desk.put_member(replace(member, program=programme.id, tier=programme.ladder.tiers[0].name))
    if member.dates_due is None and not member.erased:
        member = schedule.dates(desk, member, programme, terms.local_day(programme.zone, desk.now) + 1)
    return member


def holding(desk: Desk, account: str, customer: str, wallet: str, programme: Programme) -> Member:
    """A member, enrolled when new, as the holder of a wallet's points."""
    member = enrolled(desk, account, customer, programme)
    if wallet == MAIN:
        return member
    made = Member(account, in_wallet(customer, wallet), member.joined_at, program=programme.id)
    return desk.holder(account, customer, wallet) or desk.put_member(made)


def climb(member: Member, move: Move, desk: Desk, programme: Programme) -> Member:
    """Enter what counts for tiers."""
    return judge_tier(replace(member, moves=tiers.added(member.moves, move)), desk, programme)


def judge_tier(member: Member, desk: Desk, programme: Programme) -> Member:
    """A higher tier is reached at once, a lower one is left to the tier's timer."""
    ladder = programme.ladder
    level = ladder.level_of(member.tier)
    now = standings.place(member, programme, terms.local_day(programme.zone, desk.now))
    tier = ladder.tiers[max(level, now.level)].name
    after = desk.put_member(member if tier == member.tier else replace(member, tier=tier))
    if now.level > level:
        desk.emit(
            TierUpgraded(program=programme.id, tier=tier, previous=member.tier), customer=member.customer, time=desk.now
        )
    return schedule.review(desk, after, now, programme, max(level, now.level))


def _booked(  # noqa: PLR0913, PLR0917 - a rating, what changes by it, and where
    member: Member,
    rating: Rating,
    change: int,
    event: Event[OrderFact],
    desk: Desk,
    programme: Programme,
    note: Note | None = None,
) -> tuple[Member, Rating]:
    """Post the difference to the order's own lot, or take it back."""
    own = desk.lots.get((event.account, earning.lot_id(rating.order_id)))
    if change < 0:
        cause = _cause(event, desk, "clawback")
        done = ledger.claw_back(member, own, desk.open_lots(member), -change, programme.debt, cause)
    else:
        lot = own or earning.lot_of(member, event.fact.order, rating, programme, desk.now)
        forgiven = min(rating.written_off, change)
        done = ledger.earn(member, lot, change, _cause(event, desk, "earn", note), forgiven=forgiven)
    after = replace(desk.book(done), earned=member.earned + change)
    after = schedule.sooner(desk, desk.put_member(after), done.lots, programme)
    lost = done.on(WRITTEN_OFF)
    return after, replace(rating, written_off=rating.written_off - lost) if lost else rating


def _beside_points(
    member: Member, context: Context, event: Event[OrderFact], desk: Desk, programme: Programme, *, first: bool
) -> Member:
    """What an order does besides earning: it brings a membership, keeps points alive, ends their waiting."""
    if programme.memberships:
        member = _member_by_fee(member, event.fact.order, context, desk, programme)
    if first and not context.why:
        member = schedule.touched(desk, member, programme, "order", context.accrued_at)
    rating = desk.ratings[event.account, event.fact.order.id]
    return _no_longer_awaited(member, rating, event, desk, programme.of(MAIN))


def _member_by_fee(member: Member, order: Order, context: Context, desk: Desk, programme: Programme) -> Member:
    """An order with the fee of a membership brings its tier, and takes it along when it is given back."""
    day, counts = terms.local_day(programme.zone, context.accrued_at), not earning.is_void(order, context)
    passes = memberships.passes_after(order, programme.memberships, member.passes, day, counts=counts)
    return member if passes == member.passes else judge_tier(replace(member, passes=passes), desk, programme)


def _no_longer_awaited(
    member: Member, rating: Rating, event: Event[OrderFact], desk: Desk, programme: Programme
) -> Member:
    """What an order's points waited for has happened: from then on they mature."""
    lot = desk.lots.get((event.account, earning.lot_id(rating.order_id)))
    if lot is None or not lot.awaits:
        return member
    happened = earning.happened(event.fact.order, lot.awaits)
    if happened is None:
        return member
    begun = earning.maturing(lot, happened, programme)
    desk.put_lot(begun)
    return schedule.sooner(desk, member, (begun,), programme)


def give_up(member: Member, lot: Lot, due: Due, desk: Desk, programme: Programme) -> Member:
    """What an order's points waited for did not happen in time: the order earns nothing any more."""
    rating = desk.ratings.get((lot.account, lot.source))
    if rating is None or rating.context is None:
        return member
    cause = Cause(new_id("txn"), "clawback", rating.order_id, due.due, desk.now, rating.revision)
    done = ledger.claw_back(member, lot, desk.open_lots(member), rating.points, programme.debt, cause)
    after = desk.put_member(replace(desk.book(done), earned=member.earned - rating.points))
    context = replace(rating.context, why=GIVEN_UP)
    nothing = replace(rating, points=0, spent=0, written_off=rating.written_off - done.on(WRITTEN_OFF), context=context)
    desk.put_rating(nothing)
    if wallet_of(member.customer) == MAIN:
        counts = earning.counts_of(rating, nothing)
        after = climb(after, earning.move_of(counts, context, programme, due.due), desk, programme)
    desk.emit(_told(after, nothing, -rating.points))
    return after


def _take_from(owner: Member, rating: Rating, event: Event[OrderFact], desk: Desk, programme: Programme) -> Rating:
    """Take an order and all it earned from the customer who had it; what was spent of it stays with that one."""
    nothing = replace(rating, customer=event.customer, points=0, written_off=0, spent=0)
    owner = _emptied(owner, rating, event.customer, event, desk, programme.of(MAIN))
    counts = earning.counts_of(rating, nothing)
    if any(one.order == rating.order_id for one in owner.passes):
        left = tuple(one for one in owner.passes if one.order != rating.order_id)
        owner = judge_tier(replace(owner, passes=left), desk, programme)
    if rating.context is not None and any(counts):
        climb(owner, earning.move_of(counts, rating.context, programme, event.time), desk, programme)
    return nothing


def _emptied(
    owner: Member, rating: Rating, holder: str, event: Event[OrderFact], desk: Desk, programme: Programme
) -> Member:
    """Take back from its owner what an order earned; its lot, empty now, is another holder's."""
    key = (event.account, earning.lot_id(rating.order_id))
    if rating.points and rating.context is not None:
        cause = _cause(event, desk, "clawback")
        done = ledger.claw_back(owner, desk.lots.get(key), desk.open_lots(owner), rating.points, programme.debt, cause)
        owner = desk.put_member(replace(desk.book(done), earned=owner.earned - rating.points))
    lot = desk.lots.get(key)
    if lot is not None:
        desk.put_lot(replace(lot, customer=holder))
    return owner


def _tell(member: Member, rating: Rating, change: int, event: Event[OrderFact], desk: Desk) -> None:
    lot = desk.lots.get((event.account, earning.lot_id(rating.order_id))) if rating.points else None
    desk.emit(_told(member, rating, change, lot.matures_at if lot is not None and lot.state == PENDING else None))


def _told(member: Member, rating: Rating, change: int, available_at: datetime | None = None) -> OrderRated:
    return OrderRated(
        program=member.program,
        order=without_wallet(rating.order_id),
        revision=rating.revision,
        points=rating.points,
        change=change,
        balance=member.available,
        available_at=available_at,
        wallet=wallet_of(rating.order_id),
    )


def _cause(event: Event[OrderFact], desk: Desk, kind: Kind, note: Note | None = None) -> Cause:
    order = event.fact.order
    return Cause(
        transaction=new_id("txn"),
        kind=kind,
        of=order.id,
        at=event.time,
        recorded=desk.now,
        revision=order.revision,
        note=note,
    )
