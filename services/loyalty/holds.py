"""Points and vouchers set aside for an open checkout: captured when it is paid, else released, at last by a timer."""

from datetime import datetime, timedelta

import msgspec
from msgspec.structs import replace

from services.loyalty import ledger, schedule, vouchers
from services.loyalty.desk import HOLD_TIMER, Desk
from services.loyalty.holders import MAIN, in_wallet, wallet_of, without_wallet
from services.loyalty.ledger import Cause, Change
from services.loyalty.records import HELD, Hold, Kind, Member, Redemption
from services.loyalty.redemptions import NO_BASKET, Basket, member_and_programme, touched, worth_of
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
    vouchers: tuple[str, ...] = ()
    wallet: str = MAIN


class Checkout(msgspec.Struct, frozen=True):
    """What an open checkout sets aside, and for how many seconds."""

    points: int
    seconds: int
    basket: Basket = NO_BASKET
    vouchers: tuple[str, ...] = ()
    wallet: str = MAIN


def hold(command: Command, desk: Desk, asked: Checkout) -> Held:
    """Set points and vouchers aside; raises Refused as `redemptions.redeem` and `vouchers.hold` do."""
    member, programme = member_and_programme(command, desk, asked.wallet)
    kept, worth, txn = vouchers.hold(command, desk, asked.vouchers), None, ""
    if asked.points:
        worth = worth_of(programme, asked.points, asked.basket)
        cause = _cause(desk, "hold", f"call_{command.id.hex}")
        member = desk.book(ledger.redeem(member, desk.open_lots(member), asked.points, cause, into=HELD))
        txn = cause.transaction
    until, name = desk.now + timedelta(seconds=asked.seconds), f"hold_{command.id.hex}"
    made = Hold(command.account, name, member.customer, asked.points, "held", txn, "", until, worth, kept or None)
    desk.holds[command.account, made.id] = made
    desk.set_timer(HOLD_TIMER, made.id, until, customer=command.customer, unguarded=True)
    return _told(made, member)


def capture(command: Command, desk: Desk, hold_id: str, order_ref: str = "") -> Held:
    """Spend what a hold has set aside, as a redemption; raises Refused 404, 409 `hold_closed` or `hold_expired`."""
    made = _open(command, desk, hold_id)
    if made.until <= desk.now:
        raise Refused("hold_expired", f"{hold_id} ended at {made.until.isoformat()}", status=409)
    member, _programme = member_and_programme(command, desk, wallet_of(made.customer))
    for voucher in vouchers.held(command.account, made.vouchers or (), desk):
        vouchers.use(voucher, order_ref, desk)
    closed = replace(made, status="captured", closed_by=hold_id)
    if made.points:
        done = ledger.capture(member, made.points, _cause(desk, "capture", hold_id))
        member = _redeemed(made, done, order_ref, command, desk)
        closed = replace(closed, closed_by=done.transaction.id)
    desk.holds[command.account, hold_id] = closed
    desk.cancel_timer(HOLD_TIMER, hold_id)
    return _told(closed, member)


def _redeemed(made: Hold, done: Change, order_ref: str, command: Command, desk: Desk) -> Member:
    """Held points are spent: as a redemption that can be given back."""
    after = desk.book(done)
    after = desk.put_member(replace(after, redeemed=after.redeemed + made.points))
    after = touched(command, desk, after, "redeem")
    name = _redemption(made)
    desk.put_redemption(
        Redemption(made.account, name, after.customer, made.points, made.txn, "", desk.now, order_ref, worth=made.worth)
    )
    desk.emit(
        PointsRedeemed(
            program=after.program,
            transaction=done.transaction.id,
            points=made.points,
            balance=after.available,
            wallet=wallet_of(after.customer),
        )
    )
    return after


def release(command: Command, desk: Desk, hold_id: str) -> Held:
    """Let a hold go before its time; raises Refused 404 or 409 `hold_closed`."""
    made = _open(command, desk, hold_id)
    desk.cancel_timer(HOLD_TIMER, hold_id)
    return _released(made, command.customer, desk)


def release_overdue(due: Due, desk: Desk) -> None:
    """A hold that nobody captured in time is let go."""
    made = desk.holds.get((due.account, due.name))
    if made is not None and made.status == "held":
        _released(made, due.customer, desk)


def _released(made: Hold, customer: str, desk: Desk) -> Held:
    """Points go back into their lots; what has expired meanwhile does so at once, by its timer."""
    wallet = wallet_of(made.customer)
    member = desk.members[made.account, in_wallet(customer, wallet)]
    vouchers.let_go(made.account, made.vouchers or (), desk)
    closed = replace(made, status="released", closed_by=made.id)
    if made.points:
        spent = desk.spent(made)
        lots = {leg.lot: desk.lots[made.account, leg.lot] for leg in spent if leg.lot}
        done = ledger.give_back(member, spent, lots, _cause(desk, "release", made.id), out_of=HELD)
        programme = desk.programmes(made.account, "").at(desk.now).of(wallet)
        member = schedule.sooner(desk, desk.book(done), done.lots, programme)
        closed = replace(closed, closed_by=done.transaction.id)
    desk.holds[made.account, made.id] = closed
    return _told(closed, member)


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
        customer=without_wallet(member.customer),
        points=made.points,
        status=made.status,
        until=made.until,
        redemption=_redemption(made) if made.status == "captured" and made.points else "",
        balance=member.available,
        worth=made.worth,
        vouchers=made.vouchers or (),
        wallet=wallet_of(member.customer),
    )


def _cause(desk: Desk, kind: Kind, of: str) -> Cause:
    return Cause(transaction=new_id("txn"), kind=kind, of=of, at=desk.now, recorded=desk.now)
