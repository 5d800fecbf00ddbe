"""The verb of scoring: bring a customer's habit up to date and tell where she stands now."""

from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from services.scoring.desk import REFIT, RESCAN, Desk, new_member
from services.scoring.features import Habit, local_day
from services.scoring.records import Member, PulseRow
from services.scoring.scores import churn_risk
from services.scoring.segments import Segment, remaining, segment_of
from shared.events.scoring import SegmentEntered, SegmentLeft

RESCAN_AT = time(4)
REFIT_EVERY = timedelta(days=1)
_MILLION = 1_000_000


def member_of(desk: Desk, customer: str) -> Member:
    """A customer as the desk has her."""
    account = desk.work.account
    return desk.members.get((account, customer)) or new_member(account, customer, desk.now)


def restate(desk: Desk, customer: str, habit: Habit) -> None:
    """A customer's history changed: where she stands follows from it alone, wherever she stood."""
    member = member_of(desk, customer)
    _stand(desk, member, habit, _segment(desk, habit, None))


def review(desk: Desk, customer: str) -> None:
    """Time went by or the model changed: she stays where she is unless it is clear that she moved."""
    member = member_of(desk, customer)
    _stand(desk, member, member.habit, _segment(desk, member.habit, Segment(member.segment)))


def _segment(desk: Desk, habit: Habit, stood: Segment | None) -> Segment:
    if not habit.occasions:
        return Segment.PROSPECT
    served, today = desk.model(desk.work.account), local_day(desk.now, habit.zone)
    return segment_of(habit, remaining(served, habit, today), served.cuts, today, stood)


def _stand(desk: Desk, member: Member, habit: Habit, segment: Segment) -> None:
    """Put the customer on the desk; facts tell only of a change of segment, and not of having been a prospect."""
    moved = segment.value != member.segment
    since = desk.now if moved else member.since
    desk.members[member.account, member.customer] = member.standing(habit, segment.value, since)
    if not moved:
        return
    if member.segment != Segment.PROSPECT:
        desk.emit(SegmentLeft(segment=member.segment), customer=member.customer)
    if segment is not Segment.PROSPECT:
        entered = SegmentEntered(segment=segment.value, previous=member.segment, churn_risk=_risk(desk, habit))
        desk.emit(entered, customer=member.customer)


def _risk(desk: Desk, habit: Habit) -> int:
    """Churn risk in millionths."""
    served = desk.model(desk.work.account)
    return round(churn_risk(habit, served, local_day(desk.now, habit.zone)) * _MILLION)


def keep_awake(desk: Desk) -> None:
    """At the first order of a store start its daily rescan, at the first of an account its refits."""
    account, store = desk.work.account, desk.work.store
    if (account, store) not in desk.pulses:
        desk.pulses[account, store] = PulseRow(account, store)
        desk.set_timer(RESCAN, store, next_rescan(desk, store), customer="")
    if (account, "") not in desk.pulses:
        desk.pulses[account, ""] = PulseRow(account, "")
        desk.set_timer(REFIT, "", desk.now + REFIT_EVERY, customer="")


def next_rescan(desk: Desk, store: str) -> datetime:
    """The next four o'clock in the morning at the shop."""
    zone = ZoneInfo(desk.store_of(desk.work.account, store).zone)
    here = desk.now.astimezone(zone)
    morning = datetime.combine(here.date(), RESCAN_AT, zone)
    if morning <= here:
        morning = datetime.combine(here.date() + timedelta(days=1), RESCAN_AT, zone)
    return morning.astimezone(desk.now.tzinfo)
