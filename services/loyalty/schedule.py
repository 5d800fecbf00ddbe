"""A member's timers: when points mature, expire, are about to, when the tier is reviewed, and the next yearly day."""

from datetime import datetime, timedelta
from typing import Literal

from msgspec.structs import replace

from services.loyalty import awarding, terms
from services.loyalty.desk import MATURE_TIMER, Desk
from services.loyalty.expiry import Activity
from services.loyalty.holders import MAIN, without_wallet
from services.loyalty.programmes import Programme
from services.loyalty.records import PENDING, Lot, Member
from services.loyalty.tiers import Standing
from shared.events.loyalty import TierExtended

Field = Literal["mature_due", "expire_due", "notice_due", "review_due", "dates_due", "warn_due"]
KINDS: dict[Field, str] = {
    "mature_due": MATURE_TIMER,
    "expire_due": "points.expire",
    "notice_due": "points.expiring",
    "review_due": "tier.review",
    "warn_due": "tier.warning",
    "dates_due": awarding.DATES_TIMER,
}


def sooner(desk: Desk, member: Member, lots: tuple[Lot, ...], programme: Programme) -> Member:
    """Bring timers forward to what lots that were just filled ask for."""
    for lot in lots:
        if lot.open:
            for field, due in _wanted(lot, member, programme):
                held: datetime | None = getattr(member, field)
                if held is None or due < held:
                    member = _set(desk, member, field, due)
    return member


def again(desk: Desk, member: Member, programme: Programme, *fields: Field) -> Member:
    """Set timers anew from all open lots, after one of them fired."""
    soonest: dict[Field, datetime] = {}
    for lot in desk.open_lots(member):
        for field, due in _wanted(lot, member, programme):
            soonest[field] = min(due, soonest.get(field, due))
    for field in fields:
        member = _set(desk, member, field, soonest.get(field))
    return member


def review(desk: Desk, member: Member, standing: Standing, programme: Programme, level: int) -> Member:
    """Look at the tier again on the day on which it falls: at once where that day is past already."""
    falls_on = standing.falls_on
    if standing.level < level:
        falls_on = terms.local_day(programme.zone, desk.now)
    due = None if falls_on is None else terms.midnight(programme.zone, falls_on)
    if member.warned and (falls_on is None or falls_on > member.warned):
        member = desk.put_member(replace(member, warned=0))
        desk.emit(TierExtended(program=programme.id, tier=member.tier, until=due), customer=member.customer)
    if programme.ladder.warn_days and falls_on not in {None, member.warned}:
        member = _warn(desk, member, falls_on, programme)
    return member if due == member.review_due else _set(desk, member, "review_due", due)


def _warn(desk: Desk, member: Member, falls_on: int | None, programme: Programme) -> Member:
    """Look at the tier so many days before it falls; at once where that day is past already."""
    warn_on = (falls_on or 0) - programme.ladder.warn_days
    today = terms.local_day(programme.zone, desk.now)
    due = terms.midnight(programme.zone, max(warn_on, today))
    return member if due == member.warn_due else _set(desk, member, "warn_due", due)


def dates(desk: Desk, member: Member, programme: Programme, today: int) -> Member:
    """Look forward to the next of the member's yearly days from the local day `today` on, where a rule pays for one."""
    rules = awarding.date_rules(programme)
    if not rules and member.dates_due is None:
        return member
    days = [awarding.next_day(rule, member, programme, today) for rule in rules]
    soonest = min((day for day in days if day is not None), default=None)
    due = None if soonest is None else terms.midnight(programme.zone, soonest)
    return member if due == member.dates_due else _set(desk, member, "dates_due", due)


def touched(desk: Desk, member: Member, programme: Programme, activity: Activity, at: datetime) -> Member:
    """Lengthen the life of all of a member's points, where the programme says that this activity does so.

    The whole programme, since each wallet has its own terms; gives the holder that was given, as it is then.
    """
    if not programme.wallets:
        return _lengthened(desk, member, programme, activity, at)
    customer = without_wallet(member.customer)
    for wallet in (MAIN, *(wallet.name for wallet in programme.wallets)):
        held = desk.holder(member.account, customer, wallet)
        if held is not None:
            _lengthened(desk, held, programme.of(wallet), activity, at)
    return desk.members[member.account, member.customer]


def _lengthened(desk: Desk, member: Member, programme: Programme, activity: Activity, at: datetime) -> Member:
    expiry = programme.expiry
    if expiry is None or not expiry.slides or activity not in expiry.activities:
        return member
    since = at if member.active_at is None else max(at, member.active_at)
    ends, longer = expiry.ends(programme.zone, since, since), False
    for lot in desk.open_lots(member):
        if lot.expires_at is not None and at < lot.expires_at < ends:
            desk.put_lot(replace(lot, expires_at=ends))
            longer = True
    member = desk.put_member(replace(member, active_at=since))
    return again(desk, member, programme, "expire_due", "notice_due") if longer else member


def stop(desk: Desk, member: Member) -> Member:
    """Cancel every timer of a member."""
    for field in KINDS:
        if getattr(member, field) is not None:
            member = _set(desk, member, field, None)
    return member


def _wanted(lot: Lot, member: Member, programme: Programme) -> list[tuple[Field, datetime]]:
    if lot.state == PENDING:
        return [("mature_due", lot.matures_at)]
    if lot.expires_at is None:
        return []
    if member.noticed is not None and lot.expires_at <= member.noticed:
        return [("expire_due", lot.expires_at)]
    notice = lot.expires_at - timedelta(days=programme.notice_days)
    return [("expire_due", lot.expires_at), ("notice_due", notice)]


def _set(desk: Desk, member: Member, field: Field, due: datetime | None) -> Member:
    if due is not None:
        desk.set_timer(KINDS[field], member.customer, due, customer=without_wallet(member.customer))
    elif getattr(member, field) is not None:
        desk.cancel_timer(KINDS[field], member.customer)
    return desk.put_member(replace(member, **{field: due}))
