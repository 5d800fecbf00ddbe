"""The double-entry book of points: pure functions from a wallet and its lots to the transaction that changes them.

Every leg of a transaction adds points to one side of the wallet and all legs sum to zero. Sides of the member are
pending, available and held; sides of the issuer are issuer, redeemed, expired and written_off. An available leg
without a lot is debt: made by a clawback of what was spent already, paid first by what comes next.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import msgspec
from msgspec.structs import replace

from services.loyalty.programmes import DebtPolicy
from services.loyalty.records import (
    AVAILABLE,
    EXPIRED,
    HELD,
    ISSUER,
    PENDING,
    REDEEMED,
    WRITTEN_OFF,
    Entry,
    Kind,
    Lot,
    Member,
    Note,
    Side,
    Transaction,
)
from shared.errors import Refused

LARGEST = 10**15
NEVER = datetime.max.replace(tzinfo=UTC)


class Cause(msgspec.Struct, frozen=True, gc=False):
    """Why and when a transaction is written: its id, what is behind it, and for corrections by hand who and why."""

    transaction: str
    kind: Kind
    of: str
    at: datetime
    recorded: datetime
    revision: int = 0
    note: Note | None = None


class Leg(NamedTuple):
    """Points added to one side of a wallet, out of or into a lot ('' for none)."""

    side: Side
    lot: str
    points: int


class Change(NamedTuple):
    """What a transaction makes of a wallet: the member and the lots as they are afterwards, and the rows to add."""

    member: Member
    lots: tuple[Lot, ...]
    transaction: Transaction
    entries: tuple[Entry, ...]

    @property
    def points(self) -> int:
        """What the member owns more (or less) by it."""
        return self.transaction.points

    def on(self, side: Side) -> int:
        """Points that came to one side."""
        return sum([entry.points for entry in self.entries if entry.side == side])


def earn(member: Member, lot: Lot, points: int, cause: Cause, *, forgiven: int = 0) -> Change:
    """Issue points into a lot; what was `forgiven` before counts as given, and an available lot pays debt first."""
    kept = points - forgiven
    repaid = min(kept, member.debt) if lot.state == AVAILABLE else 0
    legs = [Leg(ISSUER, lot.id, -points), Leg(lot.state, lot.id, kept - repaid)]
    if repaid or forgiven:
        legs += [Leg(AVAILABLE, "", repaid), Leg(WRITTEN_OFF, "", forgiven)]
    filled = _with(lot, lot.remaining + kept - repaid, issued=lot.issued + kept)
    return _post(member, (filled,), legs, cause)


def mature(member: Member, lots: Iterable[Lot], cause: Cause) -> Change:
    """Make pending lots available, paying debt first."""
    debt, after, legs = member.debt, list[Lot](), list[Leg]()
    for lot in lots:
        repaid = min(debt, lot.remaining)
        debt -= repaid
        legs += [
            Leg(PENDING, lot.id, -lot.remaining),
            Leg(AVAILABLE, lot.id, lot.remaining - repaid),
            Leg(AVAILABLE, "", repaid),
        ]
        after.append(_with(lot, lot.remaining - repaid, state=AVAILABLE))
    return _post(member, after, legs, cause)


def claw_back(
    member: Member, own: Lot | None, others: Iterable[Lot], points: int, policy: DebtPolicy, cause: Cause
) -> Change:
    """Take points back: out of their own lot, then out of the others, and the rest by the programme's policy."""
    lots = [lot for lot in _clawback_order(own, others, policy) if lot.remaining]
    legs, after, short = _drawn(lots, points)
    legs.append(Leg(ISSUER, "" if own is None else own.id, points))
    if short:
        legs.append(Leg(WRITTEN_OFF if policy == "clamp" else AVAILABLE, "", -short))
    return _post(member, after, legs, cause)


def redeem(member: Member, lots: Iterable[Lot], points: int, cause: Cause, *, into: Side = REDEEMED) -> Change:
    """Spend points out of the lots that have not expired, soonest to expire first.

    Raises Refused `insufficient_points` when they do not hold enough.
    """
    usable = spending_order(lot for lot in lots if lot.expires_at is None or lot.expires_at > cause.recorded)
    legs, after, short = _drawn(usable, points)
    if short:
        raise Refused("insufficient_points", f"{points} points asked for, {points - short} available", status=409)
    return _post(member, after, [*legs, Leg(into, "", points)], cause)


def give_back(
    member: Member, spent: Sequence[Entry], lots: Mapping[str, Lot], cause: Cause, *, out_of: Side = REDEEMED
) -> Change:
    """Return what a spending took, into the very lots it came out of, paying debt first."""
    debt, after, legs = member.debt, dict[str, Lot](), list[Leg]()
    taken = [entry for entry in spent if entry.side == AVAILABLE]
    for entry in taken:
        points = -entry.points
        lot = after.get(entry.lot) or replace(lots[entry.lot], customer=member.customer)
        repaid = min(debt, points)
        debt -= repaid
        after[lot.id] = _with(lot, lot.remaining + points - repaid)
        legs += [Leg(AVAILABLE, lot.id, points - repaid), Leg(AVAILABLE, "", repaid)]
    legs.append(Leg(out_of, "", sum(entry.points for entry in taken)))
    return _post(member, after.values(), legs, cause)


def portion(spent: Sequence[Entry], returned: int, points: int) -> list[Entry]:
    """The legs of a spending that give back so many points beyond those returned already: what lives longest first."""
    legs = list[Entry]()
    for entry in reversed([entry for entry in spent if entry.side == AVAILABLE]):
        skipped = min(returned, -entry.points)
        taken = min(points, -entry.points - skipped)
        returned, points = returned - skipped, points - taken
        if taken:
            legs.append(replace(entry, points=-taken))
    return legs


def reinstated(change: Change, days: int, now: datetime) -> Change:
    """What came back after its expiry, but within so many days of it, lives on until these are over: once for a lot."""
    longer = timedelta(days=days)
    lots = tuple(
        replace(lot, expires_at=lot.expires_at + longer, reinstated=True)
        if not lot.reinstated and lot.expires_at is not None and lot.expires_at <= now < lot.expires_at + longer
        else lot
        for lot in change.lots
    )
    return change._replace(lots=lots)


def receive(member: Member, filled: Iterable[tuple[Lot, int]], cause: Cause) -> Change:
    """Take points that another member gives into new lots, paying debt first."""
    debt, after, legs = member.debt, list[Lot](), list[Leg]()
    for lot, points in filled:
        repaid = min(debt, points)
        debt -= repaid
        legs += [
            Leg(ISSUER, lot.id, -points),
            Leg(AVAILABLE, lot.id, points - repaid),
            Leg(AVAILABLE, "", repaid),
        ]
        after.append(_with(lot, points - repaid, issued=points))
    return _post(member, after, legs, cause)


def capture(member: Member, points: int, cause: Cause) -> Change:
    """Spend points that a hold had set aside."""
    return _post(member, (), [Leg(HELD, "", -points), Leg(REDEEMED, "", points)], cause)


def expire(member: Member, lots: Iterable[Lot], cause: Cause) -> Change:
    """Let what remains in lots run out; it becomes the issuer's breakage."""
    gone = list(lots)
    legs = [Leg(AVAILABLE, lot.id, -lot.remaining) for lot in gone]
    legs.append(Leg(EXPIRED, "", sum(lot.remaining for lot in gone)))
    return _post(member, [_with(lot, 0) for lot in gone], legs, cause)


def hand_over(member: Member, lots: Iterable[Lot], cause: Cause) -> Change:
    """Empty a merged member's wallet: every lot keeps its id and expiry and leaves, with debt and held points."""
    legs = [Leg(lot.state, lot.id, -lot.remaining) for lot in lots]
    legs += [Leg(AVAILABLE, "", member.debt), Leg(HELD, "", -member.held)]
    legs.append(Leg(ISSUER, "", -sum(leg.points for leg in legs)))
    return _post(member, (), legs, cause)


def take_over(member: Member, lots: Iterable[Lot], debt: int, held: int, cause: Cause) -> Change:
    """Take over what `hand_over` let go: the same lots, now this member's."""
    owned = [replace(lot, customer=member.customer) for lot in lots]
    legs = [Leg(lot.state, lot.id, lot.remaining) for lot in owned]
    legs += [Leg(AVAILABLE, "", -debt), Leg(HELD, "", held)]
    legs.append(Leg(ISSUER, "", -sum(leg.points for leg in legs)))
    return _post(member, owned, legs, cause)


def settle(member: Member, lots: Iterable[Lot], cause: Cause) -> Change:
    """Pay debt out of lots that are available beside it, as a merge can leave them."""
    legs, after, short = _drawn(spending_order(lots), member.debt)
    return _post(member, after, [*legs, Leg(AVAILABLE, "", member.debt - short)], cause)


def spending_order(lots: Iterable[Lot]) -> list[Lot]:
    """Available lots: soonest to expire first, then oldest; those that never expire last."""
    ready = (lot for lot in lots if lot.remaining and lot.state == AVAILABLE)
    return sorted(ready, key=lambda lot: (lot.expires_at or NEVER, lot.accrued_at, lot.id))


def _clawback_order(own: Lot | None, others: Iterable[Lot], policy: DebtPolicy) -> list[Lot]:
    rest = [lot for lot in others if own is None or lot.id != own.id]
    pending = [lot for lot in rest if lot.state == PENDING] if policy == "pending_first" else []
    pending.sort(key=lambda lot: (lot.matures_at, lot.id))
    return [*([] if own is None else [own]), *pending, *spending_order(rest)]


def _drawn(lots: Iterable[Lot], points: int) -> tuple[list[Leg], list[Lot], int]:
    """Legs and lots after drawing points out of lots in this order, and what could not be drawn."""
    legs, after = list[Leg](), list[Lot]()
    for lot in lots:
        if not points:
            break
        drawn = min(points, lot.remaining)
        points -= drawn
        legs.append(Leg(lot.state, lot.id, -drawn))
        after.append(_with(lot, lot.remaining - drawn))
    return legs, after, points


def _with(lot: Lot, remaining: int, *, issued: int | None = None, state: Side | None = None) -> Lot:
    return replace(
        lot,
        remaining=remaining,
        open=remaining > 0,
        issued=lot.issued if issued is None else issued,
        state=state or lot.state,
    )


def _post(member: Member, lots: Iterable[Lot], legs: Iterable[Leg], cause: Cause) -> Change:
    """Book legs on a wallet; raises ArithmeticError when they do not sum to zero or outgrow the book."""
    pending = available = held = debt = issuer = 0
    entries = list[Entry]()
    account, txn = member.account, cause.transaction
    for side, lot, points in legs:
        if not points:
            continue
        if side == AVAILABLE:
            available += points
            debt -= 0 if lot else points
        elif side == PENDING:
            pending += points
        elif side == HELD:
            held += points
        else:
            issuer += points
        entries.append(Entry(account, txn, len(entries), side, lot, points))
    owned = pending + available + held
    if owned + issuer or abs(member.available + available) > LARGEST:
        raise ArithmeticError(f"{cause.kind} of {cause.of} does not balance: {owned} + {issuer}")
    after = replace(
        member,
        pending=member.pending + pending,
        available=member.available + available,
        held=member.held + held,
        debt=member.debt + debt,
    )
    return Change(after, tuple(lots), _transaction(member, owned, cause), tuple(entries))


def _transaction(member: Member, points: int, cause: Cause) -> Transaction:
    return Transaction(
        account=member.account,
        id=cause.transaction,
        customer=member.customer,
        kind=cause.kind,
        points=points,
        cause=cause.of,
        occurred_at=cause.at,
        recorded_at=cause.recorded,
        revision=cause.revision,
        note=cause.note,
    )
