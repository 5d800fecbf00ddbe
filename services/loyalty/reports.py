"""What the programme owes: points outstanding by age and expiry, to the point what the ledger says, at any moment."""

from datetime import datetime, timedelta
from typing import Any, Literal

import msgspec
from sqlalchemy import Select, and_, bindparam, case, func, select

from services.loyalty import tables
from services.loyalty.holders import MAIN, wallet_of, without_wallet
from services.loyalty.payment import Payment
from services.loyalty.programmes import Programme
from services.loyalty.records import AVAILABLE, EXPIRED, HELD, ISSUER, PENDING, REDEEMED, WRITTEN_OFF
from shared.db import Query, Reader

Clock = Literal["recorded", "occurred"]
AGES = (30, 90, 180, 365)
AHEAD = (30, 90, 180, 365)
PPM = 1_000_000
_entry, _journal, _lot, _rating = tables.entry, tables.journal, tables.lot, tables.rating
_written = _entry.join(_journal, and_(_journal.c.account == _entry.c.account, _journal.c.id == _entry.c.txn))
_moments = {"recorded": _journal.c.recorded_at, "occurred": _journal.c.occurred_at}


class Bucket(msgspec.Struct, frozen=True):
    """Points whose age or remaining life is up to so many days (None: longer, or never)."""

    up_to_days: int | None
    points: int


class Liability(msgspec.Struct, frozen=True, kw_only=True):
    """What members own at a moment and what became of all points ever issued.

    `outstanding` = available + pending + held - owed_back = issued - redeemed - expired - written_off; `reconciles`
    says so, and that the lots of `by_age` and of `by_expiry` hold available + pending. `worth` is in minor units.
    Rates are in millionths of what was issued.

    `expected_ppm` of what is outstanding is expected to be spent. `deferred_revenue` is the part of what orders were
    paid that belongs to those points: IFRS 15.74 and ASC 606-10-32-31, the price of orders shared between goods and
    points by what each is worth by itself (goods: what was kept of them; a point: `worth` of it times the expected
    share), over all orders rated so far. `expected_breakage` is how many points are expected to run out.
    """

    at: datetime
    issued: int
    redeemed: int
    expired: int
    written_off: int
    available: int
    pending: int
    held: int
    owed_back: int
    outstanding: int
    reconciles: bool
    by_age: tuple[Bucket, ...]
    by_expiry: tuple[Bucket, ...]
    breakage_ppm: int
    redemption_ppm: int
    worth: int | None
    currency: str
    expected_ppm: int
    expected_breakage: int
    deferred_revenue: int | None


class Orders(msgspec.Struct, frozen=True):
    """What all rated orders together came to: minor units of goods kept, points given for them."""

    spent: int
    points: int


class Balance(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet at a moment, both sides of it; `sum` is zero."""

    customer: str
    wallet: str
    at: datetime
    by: str
    sides: dict[str, int]
    sum: int


def _sides(clock: Clock) -> Select[Any]:
    total = select(_entry.c.side, func.sum(_entry.c.points)).select_from(_written)
    return total.where(_entry.c.account == bindparam("account"), _moments[clock] <= bindparam("at")).group_by(
        _entry.c.side
    )


def _all_sides(wallet: str) -> Query:
    return Query(_sides("recorded").where(tables.in_one_wallet(_journal.c.customer, wallet)))


def _debt(wallet: str) -> Query:
    """What members owe a wallet: available legs without a lot."""
    return Query(
        select(func.coalesce(func.sum(_entry.c.points), 0))
        .select_from(_written)
        .where(
            _entry.c.account == bindparam("account"),
            _entry.c.side == AVAILABLE,
            _entry.c.lot == "",
            _journal.c.recorded_at <= bindparam("at"),
            tables.in_one_wallet(_journal.c.customer, wallet),
        )
    )


def _sold(wallet: str) -> Query:
    return Query(
        select(func.coalesce(func.sum(_rating.c.spent), 0), func.coalesce(func.sum(_rating.c.points), 0)).where(
            _rating.c.account == bindparam("account"), tables.in_one_wallet(_rating.c.customer, wallet)
        )
    )


def _by_lot(account: str, wallet: str, at: datetime) -> Select[Any]:
    """Points that lots hold at a moment, by the numbers of the buckets of their age and of their remaining life."""
    ages = [at - timedelta(days=days) for days in AGES]
    lives = [at + timedelta(days=days) for days in AHEAD]
    age = case(*((_lot.c.accrued_at > bound, n) for n, bound in enumerate(ages)), else_=len(AGES))
    never = (_lot.c.expires_at.is_(None), len(AHEAD))
    life = case(never, *((_lot.c.expires_at <= bound, n) for n, bound in enumerate(lives)), else_=len(AHEAD))
    held = (
        select(_entry.c.lot, func.sum(_entry.c.points).label("points"))
        .select_from(_written)
        .where(_entry.c.account == account, _entry.c.side.in_((PENDING, AVAILABLE)), _entry.c.lot != "")
        .where(_journal.c.recorded_at <= at, tables.in_one_wallet(_journal.c.customer, wallet))
        .group_by(_entry.c.lot)
        .subquery()
    )
    placed = (
        select(age.label("age"), life.label("life"), held.c.points)
        .select_from(held.join(_lot, and_(_lot.c.account == account, _lot.c.id == held.c.lot)))
        .subquery()
    )
    return select(placed.c.age, placed.c.life, func.sum(placed.c.points)).group_by(placed.c.age, placed.c.life)


WALLET: dict[Clock, Query] = {
    clock: Query(_sides(clock).where(_journal.c.customer == bindparam("customer")))
    for clock in ("recorded", "occurred")
}


async def liability(reader: Reader, account: str, programme: Programme, at: datetime, wallet: str = MAIN) -> Liability:
    """The account's liability by one wallet, as recorded until a moment; raises KeyError for a wallet that is none."""
    programme = programme.of(wallet)
    sides = await _totals(reader, _all_sides(wallet), account=account, at=at)
    rows = await reader.fetch(_by_lot(account, wallet, at))
    debt = await reader.fetch_one(_debt(wallet), account=account, at=at)
    owed = 0 if debt is None else -int(debt[0])
    sold = await reader.fetch_one(_sold(wallet), account=account)
    orders = Orders(0, 0) if sold is None else Orders(int(sold[0]), int(sold[1]))
    return _liability(sides, [(int(a), int(b), int(c)) for a, b, c in rows], owed, programme, at, orders)


async def balance(reader: Reader, account: str, holder: str, at: datetime, by: Clock) -> Balance:
    """A wallet at a moment: as recorded until then, or by what had occurred until then as we know now."""
    sides = await _totals(reader, WALLET[by], account=account, customer=holder, at=at)
    total = sum(sides.values())
    return Balance(customer=without_wallet(holder), wallet=wallet_of(holder), at=at, by=by, sides=sides, sum=total)


async def _totals(reader: Reader, query: Query, **params: Any) -> dict[str, int]:
    sides = dict.fromkeys((ISSUER, PENDING, AVAILABLE, HELD, REDEEMED, EXPIRED, WRITTEN_OFF), 0)
    return sides | {side: int(points) for side, points in await reader.fetch(query, **params)}


def expected_ppm(sides: dict[str, int], programme: Programme) -> int:
    """The share of points that is expected to be spent, in millionths: all of them while nothing is known."""
    if programme.redeemed_percent is not None:
        return programme.redeemed_percent * PPM // 100
    settled = sides[REDEEMED] + sides[EXPIRED] + sides[WRITTEN_OFF]
    return max(0, sides[REDEEMED]) * PPM // settled if settled > 0 else PPM


def deferred_revenue(outstanding: int, orders: Orders, payment: Payment, ppm: int) -> int:
    """What of the price of orders belongs to points that are outstanding, in minor units, rounded down."""
    points = orders.points * payment.worth * ppm // (payment.points * PPM)
    alone = outstanding * payment.worth * ppm // (payment.points * PPM)
    whole = orders.spent + points
    return alone * orders.spent // whole if whole > 0 and orders.spent > 0 else alone


def _liability(
    sides: dict[str, int],
    lots: list[tuple[int, int, int]],
    owed: int,
    programme: Programme,
    at: datetime,
    orders: Orders,
) -> Liability:
    issued = -sides[ISSUER]
    outstanding = sides[AVAILABLE] + sides[PENDING] + sides[HELD]
    rest = issued - sides[REDEEMED] - sides[EXPIRED] - sides[WRITTEN_OFF]
    in_lots = sum(points for _, _, points in lots)
    payment, ppm = programme.payment, expected_ppm(sides, programme)
    return Liability(
        at=at,
        issued=issued,
        redeemed=sides[REDEEMED],
        expired=sides[EXPIRED],
        written_off=sides[WRITTEN_OFF],
        available=sides[AVAILABLE] + owed,
        pending=sides[PENDING],
        held=sides[HELD],
        owed_back=owed,
        outstanding=outstanding,
        reconciles=outstanding == rest and in_lots == sides[AVAILABLE] + owed + sides[PENDING],
        by_age=_buckets(AGES, [(age, points) for age, _, points in lots]),
        by_expiry=_buckets(AHEAD, [(life, points) for _, life, points in lots]),
        breakage_ppm=sides[EXPIRED] * PPM // issued if issued > 0 else 0,
        redemption_ppm=sides[REDEEMED] * PPM // issued if issued > 0 else 0,
        worth=None if payment is None else outstanding * payment.worth // payment.points,
        currency=programme.currency,
        expected_ppm=ppm,
        expected_breakage=max(0, outstanding) - max(0, outstanding) * ppm // PPM,
        deferred_revenue=None if payment is None else deferred_revenue(max(0, outstanding), orders, payment, ppm),
    )


def _buckets(days: tuple[int, ...], found: list[tuple[int, int]]) -> tuple[Bucket, ...]:
    sums = [0] * (len(days) + 1)
    for number, points in found:
        sums[number] += points
    return tuple(Bucket(up_to, points) for up_to, points in zip((*days, None), sums, strict=True))
