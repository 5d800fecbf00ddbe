"""What loyalty does when an order comes to a new revision."""

from msgspec.structs import replace

from services.loyalty import earning, ledger, schedule, terms, tiers
from services.loyalty.desk import Desk
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import PENDING, WRITTEN_OFF, Kind, Member, Move, Rating
from shared.db import new_id
from shared.events import Event
from shared.events.ingest import Order, OrderFact
from shared.events.loyalty import OrderRated, TierUpgraded


def rate_order(event: Event[OrderFact], desk: Desk) -> None:
    """Book what an order's newest revision entitles to beyond what is booked already, and judge the tier."""
    order, key = event.fact.order, (event.account, event.fact.order.id)
    before = desk.ratings.get(key)
    if earning.is_stale(order, before):
        return
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
        context = earning.context_of(order, shop, member, versions.at(order.paid_at), order.paid_at)
        member = _not_new(member, order, desk)
    rules = current if context is None else versions.numbered(context.version)
    rating = earning.rated(order, member, before, context, rules)
    booked = 0 if before is None else before.points
    rating, drawn = earning.within_budget(rating, booked, left)
    change = rating.points - booked
    if change and context is not None:
        desk.draw(event.account, current, drawn)
        if first:
            member = desk.put_member(earning.used(member, rating, rules))
        member, rating = _booked(member, rating, change, event, desk, rules)
        move = earning.move_of(change, context, current, None if first or moved else event.time)
        member = climb(member, move, desk, current)
    desk.put_rating(rating)
    _tell(member, rating, change, event, desk)


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


def climb(member: Member, move: Move, desk: Desk, programme: Programme) -> Member:
    """Enter qualifying points: a higher tier is reached at once, a lower one is left to the tier's timer."""
    ladder = programme.ladder
    moves = tiers.added(member.moves, move)
    level = ladder.level_of(member.tier)
    now = tiers.standing(moves, ladder, terms.local_day(programme.zone, desk.now))
    tier = ladder.tiers[max(level, now.level)].name
    after = desk.put_member(replace(member, moves=moves, tier=tier))
    if now.level > level:
        desk.emit(
            TierUpgraded(program=programme.id, tier=tier, previous=member.tier), customer=member.customer, time=desk.now
        )
    return schedule.review(desk, after, now, programme, max(level, now.level))


def _booked(
    member: Member, rating: Rating, change: int, event: Event[OrderFact], desk: Desk, programme: Programme
) -> tuple[Member, Rating]:
    """Post the difference to the order's own lot, or take it back."""
    own = desk.lots.get((event.account, earning.lot_id(event.fact.order.id)))
    if change < 0:
        cause = _cause(event, desk, "clawback")
        done = ledger.claw_back(member, own, desk.open_lots(member), -change, programme.debt, cause)
    else:
        lot = own or earning.lot_of(member, rating, programme, desk.now)
        forgiven = min(rating.written_off, change)
        done = ledger.earn(member, lot, change, _cause(event, desk, "earn"), forgiven=forgiven)
    after = replace(desk.book(done), earned=member.earned + change)
    after = schedule.sooner(desk, desk.put_member(after), done.lots, programme)
    return after, replace(rating, written_off=rating.written_off - done.on(WRITTEN_OFF))


def _take_from(owner: Member, rating: Rating, event: Event[OrderFact], desk: Desk, programme: Programme) -> Rating:
    """Take an order and all it earned from the customer who had it; what was spent of it stays with that one."""
    key = (event.account, earning.lot_id(rating.order_id))
    own = desk.lots.get(key)
    if rating.points and rating.context is not None:
        cause = _cause(event, desk, "clawback")
        done = ledger.claw_back(owner, own, desk.open_lots(owner), rating.points, programme.debt, cause)
        left = desk.put_member(replace(desk.book(done), earned=owner.earned - rating.points))
        climb(left, earning.move_of(-rating.points, rating.context, programme, event.time), desk, programme)
    lot = desk.lots.get(key)
    if lot is not None:
        desk.put_lot(replace(lot, customer=event.customer))
    return replace(rating, customer=event.customer, points=0, written_off=0)


def _tell(member: Member, rating: Rating, change: int, event: Event[OrderFact], desk: Desk) -> None:
    lot = desk.lots.get((event.account, earning.lot_id(rating.order_id))) if rating.points else None
    desk.emit(
        OrderRated(
            program=member.program,
            order=rating.order_id,
            revision=rating.revision,
            points=rating.points,
            change=change,
            balance=member.available,
            available_at=lot.matures_at if lot is not None and lot.state == PENDING else None,
        )
    )


def _cause(event: Event[OrderFact], desk: Desk, kind: Kind) -> Cause:
    order = event.fact.order
    return Cause(
        transaction=new_id("txn"),
        kind=kind,
        of=order.id,
        at=event.time,
        recorded=desk.now,
        revision=order.revision,
    )
