"""Members give each other points: out of the giver's lots, into lots of the same age and expiry."""

from collections.abc import Sequence

import msgspec
from msgspec.structs import replace

from services.loyalty import caps, ledger, schedule, terms
from services.loyalty.desk import Desk
from services.loyalty.handlers import holding
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.ledger import Cause, Change
from services.loyalty.programmes import Programme, Transfer
from services.loyalty.records import AVAILABLE, ISSUER, Lot, Member, Note
from services.loyalty.redemptions import member_and_programme, touched
from services.loyalty.rules import Cap
from shared.db import new_id
from shared.errors import Refused
from shared.events.loyalty import PointsTransferred
from shared.workset import Command

USE = ":transfer"


class Transferred(msgspec.Struct, frozen=True, kw_only=True):
    """A transfer as the API tells it: the transactions of both wallets, and what the giver has left."""

    id: str
    received: str
    customer: str
    to: str
    points: int
    balance: int
    wallet: str = MAIN


def transfer(command: Command, desk: Desk, points: int, note: Note, *, wallet: str = MAIN) -> Transferred:
    """Give points of a wallet to the command's other customer.

    Raises Refused 422 `unknown_wallet`, `no_transfers`, `same_member`, `below_minimum` or `limit_reached`, 409
    `insufficient_points`.
    """
    giver, programme = member_and_programme(command, desk, wallet)
    member = _within(programme.transfer, giver, in_wallet(command.other, wallet), points, programme, desk)
    out = ledger.redeem(member, desk.open_lots(member), points, _cause(command, desk, note), into=ISSUER)
    after = touched(command, desk, desk.book(out), "transfer")
    whole = desk.programmes(command.account, command.store).at(desk.now)
    taker = holding(desk, command.account, command.other, wallet, whole)
    came = ledger.receive(taker, _copies(out, taker, desk), _cause(command, desk, note))
    schedule.sooner(desk, desk.book(came), came.lots, programme)
    left, to = after.available, command.other
    desk.emit(PointsTransferred(program=programme.id, to=to, points=points, balance=left, wallet=wallet))
    return Transferred(
        id=out.transaction.id,
        received=came.transaction.id,
        customer=command.customer,
        to=to,
        points=points,
        balance=left,
        wallet=wallet,
    )


def _within(
    allowed: Transfer | None, giver: Member, taker: str, points: int, programme: Programme, desk: Desk
) -> Member:
    """The giver, what was given in the period written down."""
    if allowed is None:
        raise Refused("no_transfers", "members cannot give each other points in this programme")
    if taker == giver.customer:
        raise Refused("same_member", "both are the same member", pointer="/to")
    if points < allowed.least:
        raise Refused("below_minimum", f"at least {allowed.least} points", pointer="/points")
    limit, day = Cap(points=allowed.most, per=allowed.per), terms.local_day(programme.zone, desk.now)
    room = caps.room(giver, USE, limit, day)
    if room is not None and points > room:
        raise Refused("limit_reached", f"{room} points may still be given this {allowed.per}", pointer="/points")
    return replace(giver, uses=caps.used(giver.uses, USE, limit, day, points))


def _copies(out: Change, taker: Member, desk: Desk) -> Sequence[tuple[Lot, int]]:
    """An empty lot of the taker's for each that points came out of, and how many."""
    drawn = [(desk.lots[taker.account, leg.lot], -leg.points) for leg in out.entries if leg.side == AVAILABLE]
    return [
        (
            replace(
                lot,
                id=new_id("lot"),
                customer=taker.customer,
                source=out.transaction.id,
                issued=0,
                remaining=0,
                open=False,
            ),
            points,
        )
        for lot, points in drawn
    ]


def _cause(command: Command, desk: Desk, note: Note) -> Cause:
    of = f"call_{command.id.hex}"
    return Cause(new_id("txn"), "transfer", of, command.time, desk.now, note=note if note.reason else None)
