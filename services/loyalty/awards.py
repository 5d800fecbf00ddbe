"""What loyalty learns of members, and what it pays them for other than orders: activities, profiles, yearly days."""

from datetime import date, datetime
from typing import Any

from msgspec.structs import replace

from services.loyalty import awarding, caps, earning, ledger, schedule, standings, terms
from services.loyalty.desk import Desk
from services.loyalty.handlers import climb, enrolled, holding, judge_tier
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.ledger import Cause
from services.loyalty.programmes import Programme
from services.loyalty.records import AVAILABLE, PENDING, Award, Context, Lot, Member, Move
from services.loyalty.rules import DateRule, FactRule
from shared.db import new_id
from shared.events import Event, Lane
from shared.events.ingest import ActivityReported, ProfileUpdated
from shared.events.loyalty import PointsEarned
from shared.events.scoring import SegmentEntered, SegmentLeft
from shared.workset import Due

Paying = FactRule | DateRule


def reward_fact(event: Event[Any], desk: Desk) -> None:
    """Pay by the rules in force for what a live fact tells, each thing once."""
    programme = desk.programmes(event.account, event.store).at(desk.now)
    if isinstance(event.fact, ProfileUpdated):
        _learn_birthday(event, desk, programme)
    if isinstance(event.fact, ActivityReported):
        _end_waiting(event, desk, programme)
    if event.lane is Lane.HISTORY or event.time < programme.start:
        return
    groups = set[tuple[str, str]]()
    for rule in awarding.fact_rules(programme, event.fact):
        member = desk.members[event.account, event.customer]
        context = context_of(member, programme, event.time, desk.zone_of(event.account, event.store, programme))
        group = (rule.wallet, rule.group)
        points = 0 if group in groups or rule.failed(context) else rule.earns(event.fact, context)
        if points and pay(rule, points, rule.key(event), event.time, programme, desk) and rule.group:
            groups.add(group)


def _end_waiting(event: Event[ActivityReported], desk: Desk, programme: Programme) -> None:
    """An order's points mature from now on where this is what they waited for."""
    for wallet in (MAIN, *desk.wallets(event.account)):
        lot = desk.lots.get((event.account, earning.lot_id(in_wallet(event.fact.reference, wallet))))
        holder = desk.holder(event.account, event.customer, wallet)
        if lot is None or holder is None or lot.customer != holder.customer:
            continue
        if lot.awaits.casefold() == event.fact.name.casefold():
            begun = earning.maturing(lot, event.time, programme.of(wallet))
            desk.put_lot(begun)
            schedule.sooner(desk, holder, (begun,), programme.of(wallet))


def reward_date(due: Due, desk: Desk) -> None:
    """Pay for the days that come every year, and look forward to the next."""
    programme = desk.programmes(due.account, due.store).at(desk.now)
    today, source = terms.local_day(programme.zone, due.due), awarding.year_of(programme, due.due)
    for rule in awarding.date_rules(programme):
        member = desk.members[due.account, due.customer]
        paid_today = awarding.next_day(rule, member, programme, today) == today
        if paid_today and not rule.failed(context_of(member, programme, due.due, programme.zone)):
            pay(rule, rule.points, source, due.due, programme, desk)
    member = desk.put_member(replace(desk.members[due.account, due.customer], dates_due=None))
    schedule.dates(desk, member, programme, today + 1)


def note_segment(event: Event[SegmentEntered | SegmentLeft], desk: Desk) -> None:
    """Know which segments a member is in: orders paid from now on are rated by them."""
    member = desk.members[event.account, event.customer]
    segments = set(member.segments) - {event.fact.segment}
    if isinstance(event.fact, SegmentEntered):
        segments.add(event.fact.segment)
    member = desk.put_member(replace(member, segments=tuple(sorted(segments))))
    found = desk.versions.get(event.account)
    programme = None if found is None else found.at(desk.now)
    if programme is not None and member.program and any(tier.segments for tier in programme.ladder.tiers):
        judge_tier(member, desk, programme)


def _learn_birthday(event: Event[ProfileUpdated], desk: Desk, programme: Programme) -> None:
    member = desk.members[event.account, event.customer]
    birthday = _month_and_day(event.fact.birthday)
    if birthday in {"", member.birthday} or member.erased:
        return
    today = terms.local_day(programme.zone, desk.now)
    since = today if member.birthday or event.lane is Lane.LIVE else 0
    after = desk.put_member(replace(member, birthday=birthday, birthday_since=since))
    schedule.dates(desk, after, programme, today + 1)


def _month_and_day(written: str) -> str:
    """MM-DD of 2000-02-29 or --02-29; '' for what is no date."""
    try:
        return date.fromisoformat("2000-" + written[-5:]).isoformat()[5:]
    except ValueError:
        return ""


def context_of(member: Member, programme: Programme, moment: datetime, zone: str) -> Context:
    """What the conditions of rules about other things than orders are judged by."""
    day = terms.local_day(programme.zone, moment)
    tier = programme.ladder.tiers[standings.place(member, programme, day).level]
    return Context(
        program=programme.id,
        version=programme.version,
        accrued_at=moment,
        tier=tier.name,
        segments=member.segments,
        zone=zone,
    )


def pay(rule: Paying, points: int, source: str, at: datetime, whole: Programme, desk: Desk) -> bool:
    """Pay once for one thing, into the rule's wallet, within caps and budget; gives whether anything was paid."""
    work, programme = desk.work, whole.of(rule.wallet)
    name = awarding.award_id(work.customer, rule.name, source)
    erased = enrolled(desk, work.account, work.customer, whole).erased
    member = holding(desk, work.account, work.customer, rule.wallet, whole)
    given = _within(rule, points, at, member, programme, desk)
    if erased or (work.account, name) in desk.awards or not given:
        return False
    cause = Cause(new_id("txn"), "award", name, at, desk.now, programme.version)
    done = ledger.earn(member, _lot(rule, name, at, member, programme, desk.now), given, cause)
    after = _counted(rule, given, at, desk.book(done), programme)
    after = schedule.sooner(desk, desk.put_member(after), done.lots, programme)
    if rule.wallet == MAIN:
        day = terms.local_day(programme.zone, at)
        after = climb(after, Move(day, day, given), desk, programme)
    after = schedule.touched(desk, after, whole, "award", at)
    desk.draw(work.account, programme, given)
    desk.put_award(
        Award(work.account, name, work.customer, rule.name, programme.version, source, given, cause.transaction, at)
    )
    desk.emit(
        PointsEarned(
            program=programme.id,
            rule=rule.name,
            award=name,
            points=given,
            balance=after.available,
            wallet=rule.wallet,
        )
    )
    return True


def _within(rule: Paying, points: int, at: datetime, member: Member, programme: Programme, desk: Desk) -> int:
    day = terms.local_day(programme.zone, at)
    limits = [
        None if rule.cap is None else caps.room(member, rule.name, rule.cap, day),
        None if programme.cap is None else caps.room(member, "", programme.cap, day),
        desk.budget_left(member.account, programme),
    ]
    return min([points, *(limit for limit in limits if limit is not None)])


def _counted(rule: Paying, given: int, at: datetime, member: Member, programme: Programme) -> Member:
    """The member with what caps count written down."""
    uses = member.uses
    for called, cap in ((rule.name, rule.cap), ("", programme.cap)):
        if cap is not None:
            uses = caps.used(uses, called, cap, terms.local_day(programme.zone, at), given)
    return replace(member, earned=member.earned + given, uses=uses)


def _lot(rule: Paying, name: str, at: datetime, member: Member, programme: Programme, now: datetime) -> Lot:
    matures_at = terms.matures_at(at, rule.pending_days)
    return Lot(
        account=member.account,
        id=awarding.lot_id(name),
        customer=member.customer,
        source=name,
        state=PENDING if matures_at > now else AVAILABLE,
        issued=0,
        remaining=0,
        open=False,
        accrued_at=at,
        matures_at=matures_at,
        expires_at=programme.expires_at(at, matures_at),
    )
