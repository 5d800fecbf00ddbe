"""Points set aside for an open checkout: captured when it is paid, else released, at the latest by a timer."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from services.loyalty import ledger, schedule
from services.loyalty.desk import HOLD_TIMER, Desk
from services.loyalty.ledger import Cause
from services.loyalty.records import HELD, Hold, Kind, Member, Redemption
from services.loyalty.redemptions import NO_BASKET, Basket, member_and_programme, worth_of
from shared.db import new_id
from shared.errors import Refused, not_found
from shared.events.loyalty import PointsRedeemed
from shared.workset import Command, Due


class Held(msgspec.Struct, frozen=True, kw_only=True):
    """A hold as the API tells it; `balance` is what is available beside it."""

    id: str
    customer: str
    points: int
    status: str
    until: datetime
    redemption: str
    balance: int
    worth: int | None = None


def hold(command: Command, desk: Desk, points: int, seconds: int, basket: Basket = NO_BASKET) -> Held:
    """Set available points aside for so many seconds; raises Refused as `redemptions.redeem` does."""
    member, programme = member_and_programme(command, desk)
    worth = worth_of(programme, points, basket)
    cause = _cause(desk, "hold", f"call_{command.id.hex}")
    done = ledger.redeem(member, desk.open_lots(member), points, cause, into=HELD)
    after = desk.book(done)
    until = desk.now + timedelta(seconds=seconds)
    name, txn = f"hold_{command.id.hex}", done.transaction.id
    made = Hold(command.account, name, member.customer, points, "held", txn, "", until, worth)
    desk.holds[command.account, made.id] = made
    desk.set_timer(HOLD_TIMER, made.id, until, customer=member.customer, unguarded=True)
    return _told(made, after)


def capture(command: Command, desk: Desk, hold_id: str, order_ref: str = "") -> Held:
    """Spend what a hold has set aside, as a redemption; raises Refused 404, 409 `hold_closed` or `hold_expired`."""
    made = _open(command, desk, hold_id)
    if made.until <= desk.now:
        raise Refused("hold_expired", f"{hold_id} ended at {made.until.isoformat()}", status=409)
    member, programme = member_and_programme(command, desk)
    done = ledger.capture(member, made.points, _cause(desk, "capture", hold_id))
    after = desk.put_member(replace(desk.book(done), redeemed=member.redeemed + made.points))
    after = schedule.touched(desk, after, programme, "redeem", desk.now)
    closed = replace(made, status="captured", closed_by=done.transaction.id)
    desk.holds[command.account, hold_id] = closed
    name = _redemption(made)
    desk.put_redemption(
        Redemption(
            command.account, name, member.customer, made.points, made.txn, "", desk.now, order_ref, worth=made.worth
        )
    )
    desk.cancel_timer(HOLD_TIMER, hold_id)
    desk.emit(
        PointsRedeemed(
            program=programme.id, transaction=done.transaction.id, points=made.points, balance=after.available
        )
    )
    return _told(closed, after)


def release(command: Command, desk: Desk, hold_id: str) -> Held:
    """Let a hold go before its time; raises Refused 404 or 409 `hold_closed`."""
    made = _open(command, desk, hold_id)
    desk.cancel_timer(HOLD_TIMER, hold_id)
    return _released(made, desk.members[command.account, command.customer], desk)


def release_overdue(due: Due, desk: Desk) -> None:
    """A hold that nobody captured in time is let go."""
    made = desk.holds.get((due.account, due.name))
    if made is not None and made.status == "held":
        _released(made, desk.members[due.account, due.customer], desk)


def _released(made: Hold, member: Member, desk: Desk) -> Held:
    """Points go back into their lots; what has expired meanwhile does so at once, by its timer."""
    spent = desk.spent(made)
    lots = {leg.lot: desk.lots[made.account, leg.lot] for leg in spent if leg.lot}
    done = ledger.give_back(member, spent, lots, _cause(desk, "release", made.id), out_of=HELD)
    after = schedule.sooner(desk, desk.book(done), done.lots, desk.programmes(made.account, "").at(desk.now))
    closed = replace(made, status="released", closed_by=done.transaction.id)
    desk.holds[made.account, made.id] = closed
    return _told(closed, after)


def _open(command: Command, desk: Desk, hold_id: str) -> Hold:
    made = desk.holds.get((command.account, hold_id))
    if made is None:
        raise not_found("hold", hold_id)
    if made.status != "held":
        raise Refused("hold_closed", f"{hold_id} is {made.status}", status=409)
    return made


def _redemption(made: Hold) -> str:
    return f"red_{made.id.removeprefix('hold_')}"


def _told(made: Hold, member: Member) -> Held:
    return Held(
        id=made.id,
        customer=member.customer,
        points=made.points,
        status=made.status,
        until=made.until,
        redemption=_redemption(made) if made.status == "captured" else "",
        balance=member.available,
        worth=made.worth,
    )


def _cause(desk: Desk, kind: Kind, of: str) -> Cause:
    return Cause(transaction=new_id("txn"), kind=kind, of=of, at=desk.now, recorded=desk.now)
