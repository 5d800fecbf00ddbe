"""The books of points: every transaction sums to zero, and balances and lots are what their entries say."""

from sqlalchemy import ColumnElement, Select, and_, case, func, literal_column, or_, select

from services.loyalty import tables
from services.loyalty.holders import MAIN
from services.loyalty.records import AVAILABLE, HELD, PENDING
from shared.db import Query, Reader
from shared.service import Audit

ZERO: ColumnElement[int] = literal_column("0")
_entry, _journal, _lot, _member = tables.entry, tables.journal, tables.lot, tables.member


def _sum_on(*sides: str, without_lot: bool = False) -> ColumnElement[int]:
    """Points on some sides of the entries in a group."""
    chosen = and_(_entry.c.side.in_(sides), _entry.c.lot == "") if without_lot else _entry.c.side.in_(sides)
    return func.coalesce(func.sum(case((chosen, _entry.c.points), else_=0)), 0)


def _count(faulty: Select[tuple[str]]) -> Query:
    return Query(select(func.count()).select_from(faulty.subquery()))


def _unbalanced() -> Select[tuple[str]]:
    return select(_entry.c.txn).group_by(_entry.c.account, _entry.c.txn).having(func.sum(_entry.c.points) != 0)


def _wallets_that_do_not_add_up() -> Select[tuple[str]]:
    sums = (
        select(
            _journal.c.account,
            _journal.c.customer,
            _sum_on(AVAILABLE).label("available"),
            _sum_on(PENDING).label("pending"),
            _sum_on(HELD).label("held"),
            _sum_on(AVAILABLE, without_lot=True).label("lent"),
        )
        .select_from(_entry.join(_journal, and_(_journal.c.account == _entry.c.account, _journal.c.id == _entry.c.txn)))
        .group_by(_journal.c.account, _journal.c.customer)
        .subquery()
    )
    both = and_(sums.c.account == _member.c.account, sums.c.customer == _member.c.customer)
    return (
        select(_member.c.customer)
        .select_from(_member.outerjoin(sums, both))
        .where(
            or_(
                _member.c.available != func.coalesce(sums.c.available, ZERO),
                _member.c.pending != func.coalesce(sums.c.pending, ZERO),
                _member.c.held != func.coalesce(sums.c.held, ZERO),
                _member.c.debt != -func.coalesce(sums.c.lent, ZERO),
            )
        )
    )


def _lots_that_do_not_add_up() -> Select[tuple[str]]:
    sums = (
        select(_entry.c.account, _entry.c.lot, func.sum(_entry.c.points).label("left"))
        .where(_entry.c.side.in_((PENDING, AVAILABLE)), _entry.c.lot != "")
        .group_by(_entry.c.account, _entry.c.lot)
        .subquery()
    )
    both = and_(sums.c.account == _lot.c.account, sums.c.lot == _lot.c.id)
    left = func.coalesce(sums.c.left, ZERO)
    return (
        select(_lot.c.id)
        .select_from(_lot.outerjoin(sums, both))
        .where(or_(_lot.c.remaining < 0, _lot.c.remaining != left, _lot.c.open != (_lot.c.remaining > 0)))
    )


def _wallets_whose_lots_differ() -> Select[tuple[str]]:
    sums = (
        select(_lot.c.account, _lot.c.customer, func.sum(_lot.c.remaining).label("ready"))
        .where(_lot.c.state == AVAILABLE, _lot.c.open)
        .group_by(_lot.c.account, _lot.c.customer)
        .subquery()
    )
    both = and_(sums.c.account == _member.c.account, sums.c.customer == _member.c.customer)
    ready = func.coalesce(sums.c.ready, ZERO)
    return (
        select(_member.c.customer)
        .select_from(_member.outerjoin(sums, both))
        .where(_member.c.available + _member.c.debt != ready)
    )


def _in_the_main_wallet(column: ColumnElement[int]) -> Query:
    chosen = tables.in_one_wallet(_member.c.customer, MAIN)
    return Query(select(func.coalesce(func.sum(column), 0)).where(chosen))


CHECKS = {
    "transactions that do not sum to zero": _count(_unbalanced()),
    "wallets whose balance is not the sum of their entries": _count(_wallets_that_do_not_add_up()),
    "lots that are negative or not the sum of their entries": _count(_lots_that_do_not_add_up()),
    "wallets whose lots do not hold their balance": _count(_wallets_whose_lots_differ()),
}
FIGURES = {
    "ledger_sum": Query(select(func.coalesce(func.sum(_entry.c.points), 0))),
    "entries": Query(select(func.count()).select_from(_entry)),
    "points_available": _in_the_main_wallet(_member.c.available),
    "points_pending": _in_the_main_wallet(_member.c.pending),
    "points_owed_back": _in_the_main_wallet(_member.c.debt),
}


async def audit(reader: Reader) -> Audit:
    """Check every wallet, lot and transaction, and give the figures of the whole."""
    figures = {name: await _number(reader, query) for name, query in FIGURES.items()}
    found = {name: await _number(reader, query) for name, query in CHECKS.items()}
    faults = [f"{number} {name}" for name, number in found.items() if number]
    if figures["ledger_sum"]:
        faults.append(f"the ledger sums to {figures['ledger_sum']}")
    return Audit(figures, faults)


async def _number(reader: Reader, query: Query) -> int:
    row = await reader.fetch_one(query)
    return 0 if row is None else int(row[0])
