"""The points that a programme may give in a period: one row in common, and small purses that writers draw from.

A writer pays out of its own purse by a conditional update and fills it out of the common row a hundredth at a time,
so that many writers seldom meet on one row; what all purses hold together never falls below zero.
"""

import os
from collections.abc import Mapping
from datetime import datetime

from sqlalchemy import bindparam, update

from services.loyalty import tables, terms
from services.loyalty.programmes import Budget, Programme
from services.loyalty.versions import Versions
from shared.db import Query, Tx
from shared.errors import Unavailable

Key = tuple[str, str]

COMMON = 0
PURSES = 16
SHARE = 100
_budget = tables.budget
DRAW = Query(
    update(_budget)
    .where(
        _budget.c.account == bindparam("of"),
        _budget.c.period == bindparam("named"),
        _budget.c.purse == bindparam("out_of"),
        _budget.c.points >= bindparam("asked"),
    )
    .values(points=_budget.c.points - bindparam("drawn"))
)


def period_of(programme: Programme, budget: Budget, now: datetime) -> str:
    """The name of the period of a budget that runs now."""
    return f"{programme.id}:{budget.per}:{terms.period_start(terms.local_day(programme.zone, now), budget.per)}"


async def load(tx: Tx, versions: Mapping[str, Versions]) -> dict[Key, int]:
    """What is left of the budgets that run now, by account and period; a new period begins with the whole."""
    whole = {}
    for account, found in versions.items():
        programme = found.at(tx.now)
        if programme.budget is not None:
            whole[account, period_of(programme, programme.budget, tx.now)] = programme.budget.points
    left = await _left(tx, list(whole))
    new = [(account, period, COMMON, whole[account, period]) for account, period in whole.keys() - left.keys()]
    await tx.insert_many(_budget, sorted(new), ignore_conflicts=True)
    return {**left, **await _left(tx, [row[:2] for row in new])}


async def store(tx: Tx, changed: Mapping[Key, int | None], before: Mapping[Key, int]) -> None:
    """Draw what was given; raises Unavailable, so that the work is judged anew, when others drew too much meanwhile."""
    for key, left in sorted(changed.items()):
        drawn = before[key] - (left or 0)
        if not (await _draw(tx, key, _own(), drawn) or await _filled(tx, key, drawn) or await _swept(tx, key, drawn)):
            raise Unavailable("the programme's budget was drawn on meanwhile")


async def _filled(tx: Tx, key: Key, drawn: int) -> bool:
    """Fill the own purse out of the common row and pay out of that."""
    for asked in (drawn * SHARE, drawn):
        if await _draw(tx, key, COMMON, asked, drawn + (asked - drawn) // SHARE):
            await tx.upsert_many(_budget, [(*key, _own(), (asked - drawn) // SHARE)], add=("points",))
            return True
    return False


async def _swept(tx: Tx, key: Key, drawn: int) -> bool:
    """Pay out of all purses together: the end of a budget."""
    rows = await tx.fetch_by_keys(_budget, [key], lambda *row: row, by=("account", "period"), lock="wait")
    whole = sum(row[3] for row in rows)
    if whole < drawn:
        return False
    await tx.upsert_many(_budget, [(*row[:3], whole - drawn if row[2] == COMMON else 0) for row in sorted(rows)])
    return True


async def _draw(tx: Tx, key: Key, purse: int, asked: int, drawn: int | None = None) -> bool:
    account, period = key
    taken = asked if drawn is None else drawn
    return await tx.execute(DRAW, of=account, named=period, out_of=purse, asked=asked, drawn=taken) == 1


async def _left(tx: Tx, keys: list[Key]) -> dict[Key, int]:
    found: dict[Key, int] = {}
    for account, period, _purse, left in await tx.fetch_by_keys(
        _budget, keys, lambda *row: row, by=("account", "period")
    ):
        found[account, period] = found.get((account, period), 0) + left
    return found


def _own() -> int:
    return 1 + os.getpid() % PURSES
