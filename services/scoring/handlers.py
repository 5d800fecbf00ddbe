"""What scoring does when facts come in and timers fire."""

import msgspec
import numpy as np

from services.scoring.desk import CHUNK, REFIT, REFOLD, RESCAN, REVIEW, Desk
from services.scoring.exchange import REVALUE
from services.scoring.features import Habit, add, fits_on_top, fold, local_day, same_for_scores
from services.scoring.models.forecast import Crowd
from services.scoring.records import UNCLAIMED, Member, OrderRow, RefitRow
from services.scoring.scorer import REFIT_EVERY, keep_awake, member_of, next_rescan, restate, review
from services.scoring.segments import Segment, remaining_many, segment_of
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged, OrderFact
from shared.workset import Due


def take_order(event: Event[OrderFact], desk: Desk) -> None:
    """Keep an order's newest revision for what it counts; an older one changes nothing, a guest's scores nobody."""
    keep_awake(desk)
    account, customer = event.account, event.customer
    newest = desk.purchase(event)
    known = desk.orders[account, newest.order]
    if known.revision >= newest.revision:
        return
    desk.put_order(OrderRow.of(account, customer, newest))
    before = known.purchase if known.customer == customer else None
    if known.counts and before is None and known.customer:
        desk.set_timer(REFOLD, known.customer, desk.now, customer=known.customer, unguarded=True)
    if not customer or (before is not None and same_for_scores(before, newest)):
        return
    habit = member_of(desk, customer).habit
    on_top = fits_on_top(habit, before, newest)
    restate(desk, customer, add(habit, newest) if on_top else _anew(desk, customer))


def _anew(desk: Desk, customer: str) -> Habit:
    return fold(row.purchase for row in desk.orders_of(desk.work.account, customer))


def merge_customers(event: Event[CustomerMerged], desk: Desk) -> None:
    """The loser's orders become the survivor's, whose habit is as if there had only ever been one customer."""
    account, survivor, loser = event.account, event.customer, event.fact.loser
    if loser == survivor:
        return
    for row in desk.orders_of(account, loser):
        desk.put_order(msgspec.structs.replace(row, customer=survivor))
    if (account, loser) in desk.members:
        del desk.members[account, loser]
    _refold(desk, survivor)


def refold_customer(due: Due, desk: Desk) -> None:
    """An order went to another customer: the habit of whose it was is folded anew."""
    _refold(desk, due.customer)


def _refold(desk: Desk, customer: str) -> None:
    habit = _anew(desk, customer)
    if habit != member_of(desk, customer).habit:
        restate(desk, customer, habit)


def revalue_orders(due: Due, desk: Desk) -> None:
    """Rates came or the currency reported in changed: the money that they reach is converted, a thousand at a time."""
    orders = desk.revalued[due.account, due.name]
    for row in [desk.orders[due.account, order] for order in orders]:
        newest = desk.valued(row.account, row.purchase)
        if newest == row.purchase:
            continue
        desk.put_order(OrderRow.of(row.account, row.customer, newest))
        if row.customer and row.counts:
            desk.set_timer(REFOLD, row.customer, desk.now, customer=row.customer, unguarded=True)
    if len(orders) == CHUNK:
        desk.set_timer(REVALUE, due.name, desk.now, {**due.payload, "after": orders[-1]}, customer="", unguarded=True)


def forget_customer(event: Event[CustomerErased], desk: Desk) -> None:
    """Nothing remains of a customer who asked to be forgotten, nor of her orders."""
    for row in desk.orders_of(event.account, event.customer):
        del desk.orders[event.account, row.order_id]
    if (event.account, event.customer) in desk.members:
        del desk.members[event.account, event.customer]
    for kind in (REVIEW, REFOLD):
        desk.cancel_timer(kind, event.customer)


def rescan_store(due: Due, desk: Desk) -> None:
    """Silence is an event: find, a thousand at a time, whoever would stand elsewhere today, to be reviewed."""
    name = due.name
    if "after" not in due.payload:
        desk.set_timer(RESCAN, due.store, next_rescan(desk, due.store), customer="")
        name = f"{due.store}:next"
    chunk = desk.chunks[due.account, due.name]
    for member in _moved(desk, [member for member in chunk if member.occasions]):
        desk.set_timer(REVIEW, member.customer, due.due, customer=member.customer)
    if len(chunk) == CHUNK:
        after = {"after": chunk[-1].customer}
        desk.set_timer(RESCAN, name, due.due, after, customer="")


def _moved(desk: Desk, members: list[Member]) -> list[Member]:
    if not members:
        return []
    served, zones = desk.model(desk.work.account), {member.zone for member in members}
    today = {zone: local_day(desk.now, zone) for zone in zones}
    habits = [member.habit for member in members]
    rows = [msgspec.structs.astuple(served.history(one, today[one.zone])) for one in habits]
    who = Crowd(*np.array(rows, dtype=float).T)
    left = remaining_many(served.forecast, who).tolist()
    stands = [
        segment_of(habit, share, served.cuts, today[habit.zone], Segment(member.segment))
        for member, habit, share in zip(members, habits, left, strict=True)
    ]
    return [member for member, segment in zip(members, stands, strict=True) if segment != member.segment]


def review_customer(due: Due, desk: Desk) -> None:
    """Say where a customer stands now, if it is elsewhere."""
    review(desk, due.customer)


def ask_for_refit(due: Due, desk: Desk) -> None:
    """Ask for a refit of the account's models, which is done outside of any transaction, and again tomorrow."""
    desk.refits[due.account] = RefitRow(due.account, desk.now, UNCLAIMED)
    desk.set_timer(REFIT, "", desk.now + REFIT_EVERY, customer="")
