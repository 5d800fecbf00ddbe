"""What members and shops ask for by the API: spend points, take that back, correct a balance by hand."""

import msgspec
from msgspec.structs import replace

from services.loyalty import ledger, schedule, terms
from services.loyalty.desk import Desk
from services.loyalty.expiry import Activity
from services.loyalty.handlers import climb, holding
from services.loyalty.holders import MAIN, wallet_of, without_wallet
from services.loyalty.ledger import Cause, Change
from services.loyalty.programmes import Programme
from services.loyalty.records import AVAILABLE, Kind, Lot, Member, Move, Note, Redemption
from shared.db import new_id
from shared.errors import Refused, not_found
from shared.events.loyalty import PointsRedeemed
from shared.workset import Command


class Drawn(msgspec.Struct, frozen=True):
    """Points that came out of one lot."""

    lot: str
    points: int


class Redeemed(msgspec.Struct, frozen=True, kw_only=True):
    """A redemption as the API tells it; `balance` is what `wallet` has afterwards, `worth` what it pays of a basket."""

    id: str
    customer: str
    points: int
    status: str
    transaction: str
    balance: int
    lots: tuple[Drawn, ...]
    worth: int | None = None
    wallet: str = MAIN


class Adjusted(msgspec.Struct, frozen=True, kw_only=True):
    """A correction by hand as the API tells it."""

    transaction: str
    customer: str
    points: int
    balance: int
    reason: str
    actor: str
    wallet: str = MAIN


class Basket(msgspec.Struct, frozen=True):
    """What is to be paid, in minor units, and the order that points pay a part of (store/its id, '' if none yet)."""

    order_ref: str = ""
    amount: int | None = None
    currency: str = ""


NO_BASKET = Basket()


def redeem(command: Command, desk: Desk, points: int, basket: Basket = NO_BASKET, *, wallet: str = MAIN) -> Redeemed:
    """Spend available points of a wallet.

    Raises Refused 409 `insufficient_points`, 422 `unknown_wallet`, and by the terms of payment for a basket.
    """
    member, programme = member_and_programme(command, desk, wallet)
    worth = worth_of(programme, points, basket)
    done = ledger.redeem(member, desk.open_lots(member), points, _cause(command, desk, "redeem"))
    after = desk.put_member(replace(desk.book(done), redeemed=member.redeemed + points))
    after = touched(command, desk, after, "redeem")
    redemption = Redemption(
        command.account,
        f"red_{command.id.hex}",
        member.customer,
        points,
        done.transaction.id,
        "",
        desk.now,
        basket.order_ref,
        worth=worth,
    )
    desk.put_redemption(redemption)
    told = PointsRedeemed(
        program=programme.id, transaction=redemption.txn, points=points, balance=after.available, wallet=wallet
    )
    desk.emit(told)
    return _told(redemption, done, after)


def worth_of(programme: Programme, points: int, basket: Basket) -> int | None:
    """What points pay of a basket, None without one; raises Refused 422 where the programme's terms forbid it."""
    if basket.amount is None:
        return None
    if programme.payment is None:
        raise Refused("no_part_payment", "points cannot pay for orders in this programme")
    if basket.currency != programme.currency:
        raise Refused("wrong_currency", f"points pay in {programme.currency}", pointer="/basket/currency")
    return programme.payment.worth_of(points, basket.amount)


def reverse(command: Command, desk: Desk, redemption_id: str) -> Redeemed:
    """Give the points of a redemption back into their lots, once; raises Refused 404, or 409 `already_reversed`."""
    redemption = desk.redemptions.get((command.account, redemption_id))
    if redemption is None:
        raise not_found("redemption", redemption_id)
    if redemption.reversed_by:
        raise Refused("already_reversed", f"{redemption_id} was given back already", status=409)
    member, programme = member_and_programme(command, desk, wallet_of(redemption.customer))
    done, after = give_back(redemption, redemption.points, member, programme, _cause(command, desk, "reverse"), desk)
    undone = replace(redemption, reversed_by=done.transaction.id, returned=redemption.points)
    desk.put_redemption(undone)
    return _told(undone, done, after)


def give_back(
    redemption: Redemption, due: int, member: Member, programme: Programme, cause: Cause, desk: Desk
) -> tuple[Change, Member]:
    """Give back so many points of a redemption in all, less those that came back before, into the lots they left."""
    spent = desk.spent(redemption)
    lots = {entry.lot: desk.lots[redemption.account, entry.lot] for entry in spent if entry.lot}
    legs = ledger.portion(spent, redemption.returned, due - redemption.returned)
    done = ledger.reinstated(ledger.give_back(member, legs, lots, cause), programme.reinstate_days, desk.now)
    after = replace(desk.book(done), redeemed=member.redeemed - (due - redemption.returned))
    return done, schedule.sooner(desk, desk.put_member(after), done.lots, programme)


def adjust(  # noqa: PLR0913 - what is written about a correction
    command: Command, desk: Desk, points: int, reason: str, actor: str, *, qualifies: bool = False, wallet: str = MAIN
) -> Adjusted:
    """Give or take points by hand, at once; they move the tier only if they qualify.

    Raises Refused 422 `unknown_wallet`, and `never_qualifies` for points of a further wallet.
    """
    if qualifies and wallet != MAIN:
        raise Refused("never_qualifies", "only points of the main wallet count for tiers", pointer="/qualifies")
    member, programme = member_and_programme(command, desk, wallet)
    cause = replace(_cause(command, desk, "adjust"), note=Note(reason, actor))
    if points > 0:
        done = ledger.earn(member, _gift(cause, member, programme, desk), points, cause)
    else:
        done = ledger.claw_back(member, None, desk.open_lots(member), -points, programme.debt, cause)
    after = schedule.sooner(desk, desk.book(done), done.lots, programme)
    if qualifies:
        day = terms.local_day(programme.zone, desk.now)
        after = climb(after, Move(day, day, points), desk, programme)
    return Adjusted(
        transaction=done.transaction.id,
        customer=command.customer,
        points=done.points,
        balance=after.available,
        reason=reason,
        actor=actor,
        wallet=wallet,
    )


def member_and_programme(command: Command, desk: Desk, wallet: str = MAIN) -> tuple[Member, Programme]:
    """Whom a call is about as the holder of a wallet, enrolled when new, and the programme in force as it goes by it.

    Raises Refused 422 `unknown_wallet`.
    """
    whole = desk.programmes(command.account, command.store).at(desk.now)
    if wallet != MAIN and not whole.has(wallet):
        raise Refused("unknown_wallet", f"this programme has no wallet {wallet!r}", pointer="/wallet")
    return holding(desk, command.account, command.customer, wallet, whole), whole.of(wallet)


def touched(command: Command, desk: Desk, holder: Member, activity: Activity) -> Member:
    """Keep points alive where this activity does so; gives the holder as it is then."""
    return schedule.touched(
        desk, holder, desk.programmes(command.account, command.store).at(desk.now), activity, desk.now
    )


def _gift(cause: Cause, member: Member, programme: Programme, desk: Desk) -> Lot:
    return Lot(
        account=member.account,
        id=new_id("lot"),
        customer=member.customer,
        source=cause.transaction,
        state=AVAILABLE,
        issued=0,
        remaining=0,
        open=False,
        accrued_at=desk.now,
        matures_at=desk.now,
        expires_at=programme.expires_at(desk.now, desk.now),
    )


def _told(redemption: Redemption, done: Change, member: Member) -> Redeemed:
    drawn = [Drawn(entry.lot, abs(entry.points)) for entry in done.entries if entry.side == AVAILABLE]
    return Redeemed(
        id=redemption.id,
        customer=without_wallet(member.customer),
        points=redemption.points,
        status="reversed" if redemption.reversed_by else "redeemed",
        transaction=done.transaction.id,
        balance=member.available,
        lots=tuple(drawn),
        worth=redemption.worth,
        wallet=wallet_of(member.customer),
    )


def _cause(command: Command, desk: Desk, kind: Kind) -> Cause:
    return Cause(transaction=new_id("txn"), kind=kind, of=f"call_{command.id.hex}", at=command.time, recorded=desk.now)
