"""The points that a programme may give in a period: one row in common, and small purses that writers draw from.

A writer pays out of its own purse by a conditional update and fills it out of the common row a hundredth at a time,
so that many writers seldom meet on one row; what all purses hold together never falls below zero. One more row keeps
how much the period was granted, so that a budget which is raised or lowered counts for the period that runs.
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

GRANTED = -1
COMMON = 0
PURSES = 16
SHARE = 100
_budget = tables.budget
_purse = (
    update(_budget)
    .where(
        _budget.c.account == bindparam("of"),
        _budget.c.period == bindparam("named"),
        _budget.c.purse == bindparam("out_of"),
    )
    .values(points=_budget.c.points - bindparam("drawn"))
)
DRAW = Query(_purse.where(_budget.c.points >= bindparam("asked")))
REGRANT = Query(_purse.where(_budget.c.points == bindparam("granted")))


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
    left, granted = await _left(tx, list(whole))
    new = whole.keys() - left.keys()
    rows = [(*key, purse, whole[key]) for key in sorted(new) for purse in (GRANTED, COMMON)]
    await tx.insert_many(_budget, rows, ignore_conflicts=True)
    for key, points in granted.items():
        if points != whole[key]:
            left[key] += await _regranted(tx, key, points, whole[key])
    return {**left, **(await _left(tx, list(new)))[0]}


async def _regranted(tx: Tx, key: Key, granted: int, whole: int) -> int:
    """The budget of the period that runs was changed: give what that adds; 0 when somebody else has just seen to it."""
    account, period = key
    more = whole - granted
    done = await tx.execute(REGRANT, of=account, named=period, out_of=GRANTED, granted=granted, drawn=-more)
    if done:
        await tx.upsert_many(_budget, [(*key, COMMON, more)], add=("points",))
    return more if done else 0


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
    found = await tx.fetch_by_keys(_budget, [key], lambda *row: row, by=("account", "period"), lock="wait")
    rows = [row for row in found if row[2] != GRANTED]
    whole = sum(row[3] for row in rows)
    if whole < drawn:
        return False
    await tx.upsert_many(_budget, [(*row[:3], whole - drawn if row[2] == COMMON else 0) for row in sorted(rows)])
    return True


async def _draw(tx: Tx, key: Key, purse: int, asked: int, drawn: int | None = None) -> bool:
    account, period = key
    taken = asked if drawn is None else drawn
    return await tx.execute(DRAW, of=account, named=period, out_of=purse, asked=asked, drawn=taken) == 1


async def _left(tx: Tx, keys: list[Key]) -> tuple[dict[Key, int], dict[Key, int]]:
    """What all purses of these periods hold, and what the periods were granted."""
    left: dict[Key, int] = {}
    granted: dict[Key, int] = {}
    for account, period, purse, points in await tx.fetch_by_keys(
        _budget, keys, lambda *row: row, by=("account", "period")
    ):
        if purse == GRANTED:
            granted[account, period] = points
        else:
            left[account, period] = left.get((account, period), 0) + points
    return left, granted


def _own() -> int:
    return 1 + os.getpid() % PURSES
