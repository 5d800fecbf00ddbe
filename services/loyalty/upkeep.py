"""What loyalty does when time has passed: points mature and expire, tiers are looked at again."""

from datetime import timedelta

from msgspec.structs import replace

from services.loyalty import handlers, ledger, schedule, standings, terms
from services.loyalty.desk import FOLLOW_TIMER, SPREAD_TIMER, Desk
from services.loyalty.holders import in_wallet, wallet_of
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import AVAILABLE, PENDING, Kind, Member
from shared.db import new_id
from shared.events.loyalty import (
    PointsActivated,
    PointsExpired,
    PointsExpiring,
    TierDowngraded,
    TierDowngradeScheduled,
    TierUpgraded,
)
from shared.workset import Due


def mature_lots(due: Due, desk: Desk) -> None:
    """Pending points whose time has come can be spent from now on; those that wait for something in vain go."""
    member, programme = _who(due, desk)
    for lot in desk.open_lots(member):
        if lot.awaits and lot.matures_at <= due.due:
            member = handlers.give_up(member, lot, due, desk, programme)
    ripe = [lot for lot in desk.open_lots(member) if lot.state == PENDING and lot.matures_at <= due.due]
    if ripe:
        done = ledger.mature(member, ripe, _cause(due, desk, "mature"))
        member = desk.book(done)
        points = sum(lot.remaining for lot in ripe)
        told = PointsActivated(
            program=programme.id, points=points, balance=member.available, wallet=wallet_of(member.customer)
        )
        desk.emit(told)
    schedule.again(desk, member, programme, "mature_due", "expire_due", "notice_due")


def expire_lots(due: Due, desk: Desk) -> None:
    """What remains in lots that have run out of time expires, once."""
    member, programme = _who(due, desk)
    gone = [
        lot
        for lot in desk.open_lots(member)
        if lot.state == AVAILABLE and lot.expires_at is not None and lot.expires_at <= due.due
    ]
    if gone:
        done = ledger.expire(member, gone, _cause(due, desk, "expire"))
        member = desk.book(done)
        points, wallet = -done.points, wallet_of(member.customer)
        desk.emit(PointsExpired(program=programme.id, points=points, balance=member.available, wallet=wallet))
    schedule.again(desk, member, programme, "expire_due", "notice_due")


def announce_expiry(due: Due, desk: Desk) -> None:
    """Tell, once for each lot, that points are about to expire."""
    member, programme = _who(due, desk)
    horizon = due.due + timedelta(days=programme.notice_days)
    since = member.noticed or due.due
    soon = [
        (lot.expires_at, lot.remaining)
        for lot in desk.open_lots(member)
        if lot.state == AVAILABLE and lot.expires_at is not None and since < lot.expires_at <= horizon
    ]
    if soon:
        points, first = sum(remaining for _, remaining in soon), min(expires_at for expires_at, _ in soon)
        desk.emit(
            PointsExpiring(program=programme.id, points=points, expires_at=first, wallet=wallet_of(member.customer))
        )
    member = desk.put_member(replace(member, noticed=horizon))
    schedule.again(desk, member, programme, "notice_due")


def review_tier(due: Due, desk: Desk) -> None:
    """Judge the tier by the qualifying points that still count: this is where it falls."""
    member, programme = _who(due, desk)
    ladder, level = programme.ladder, programme.ladder.level_of(member.tier)
    now = standings.place(member, programme, terms.local_day(programme.zone, due.due))
    tier = ladder.tiers[now.level].name
    after = desk.put_member(replace(member, tier=tier, review_due=None))
    if now.level != level:
        told = TierUpgraded if now.level > level else TierDowngraded
        desk.emit(told(program=programme.id, tier=tier, previous=member.tier))
    schedule.review(desk, after, now, programme, now.level)


def warn_of_tier(due: Due, desk: Desk) -> None:
    """Tell, once for each fall, that the tier is about to be lost, to which, and what is missing."""
    member, programme = _who(due, desk)
    ladder, today = programme.ladder, terms.local_day(programme.zone, due.due)
    now = standings.place(member, programme, today)
    member = desk.put_member(replace(member, warn_due=None))
    if now.falls_on is None or now.falls_on == member.warned:
        return
    after = standings.place(member, programme, now.falls_on)
    if after.level < now.level and today >= now.falls_on - ladder.warn_days:
        counted = standings.qualifying(member, programme, now.falls_on)
        desk.put_member(replace(member, warned=now.falls_on))
        desk.emit(
            TierDowngradeScheduled(
                program=programme.id,
                tier=ladder.tiers[now.level].name,
                falls_to=ladder.tiers[after.level].name,
                falls_at=terms.midnight(programme.zone, now.falls_on),
                missing=max(0, ladder.tiers[now.level].threshold - counted),
            )
        )


def follow_programme(due: Due, desk: Desk) -> None:
    """A programme has changed: judge a member's tier by it, and look forward to the next of its yearly days."""
    member, programme = desk.members[due.account, due.customer], desk.programmes(due.account, due.store).at(desk.now)
    if member.program and not member.erased:
        member = handlers.judge_tier(member, desk, programme)
        schedule.dates(desk, member, programme, terms.local_day(programme.zone, desk.now) + 1)


def spread_programme(due: Due, desk: Desk) -> None:
    """A version takes effect: have every member look at it, some at a time."""
    roll = desk.rolls[due.account, due.name]
    for customer in roll:
        desk.set_timer(FOLLOW_TIMER, customer, due.due, customer=customer)
    if roll:
        desk.set_timer(SPREAD_TIMER, due.name, due.due, {"after": roll[-1]}, customer="")


def _who(due: Due, desk: Desk) -> tuple[Member, Programme]:
    """The holder whose timer it is, and the programme as its wallet goes by it."""
    wallet = wallet_of(due.name)
    member = desk.members[due.account, in_wallet(due.customer, wallet)]
    return member, desk.programmes(due.account, due.store).at(desk.now).of(wallet)


def _cause(due: Due, desk: Desk, kind: Kind) -> Cause:
    return Cause(transaction=new_id("txn"), kind=kind, of=due.kind, at=due.due, recorded=desk.now)
