"""What the API tells of referrals: all of them to the shop, to members their own standing and nothing of suspicions."""

from collections.abc import Sequence
from datetime import datetime

import msgspec
from sqlalchemy import bindparam, func, or_, select

from services.loyalty import tables
from services.loyalty.programmes import Programme
from services.loyalty.referral_records import Party, Referral
from services.loyalty.referrals import rewards
from services.loyalty.referrals.judgement import ids_of
from shared.db import Query, Reader
from shared.errors import not_found
from shared.tables import AliasRow, attach
from shared.web import Page, page, read_cursor

_kernel = attach(tables.metadata)
_referral, _award = tables.referral, tables.award
LISTED = Query(
    select(*_referral.columns)
    .where(
        _referral.c.account == bindparam("account"),
        _referral.c.status == bindparam("status"),
        _referral.c.id > bindparam("after"),
    )
    .order_by(_referral.c.id)
    .limit(bindparam("most"))
)
CAME = Query(
    select(func.count())
    .select_from(_referral)
    .where(
        _referral.c.account == bindparam("account"),
        _referral.c.referrer == bindparam("referrer"),
        _referral.c.status != "rejected",
    )
)
EARNED = Query(
    select(func.coalesce(func.sum(_award.c.points - _award.c.returned), 0)).where(
        _award.c.account == bindparam("account"),
        _award.c.customer == bindparam("customer"),
        or_(_award.c.rule.like("referral:%"), _award.c.rule == rewards.MILESTONE),
    )
)


class StepView(msgspec.Struct, frozen=True):
    """A sign-up (order '') or order of the friend's, and what of it counts now."""

    order: str
    number: int
    kept: int
    at: datetime


class ReferralView(msgspec.Struct, frozen=True, kw_only=True):
    """A referral as the shop sees it: score and reasons in the open, who decided and why where somebody has."""

    id: str
    friend: str
    referrer: str
    status: str
    code: str
    how: str
    program: str
    version: int
    score: int
    reasons: tuple[str, ...]
    steps: tuple[StepView, ...]
    created_at: datetime
    decided_by: str
    decided_why: str


class Goal(msgspec.Struct, frozen=True):
    """The next milestone, and how many friends are missing."""

    friends: int
    points: int
    missing: int


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """A member's code and link ('' for none yet), how many friends came and bought, what that has earned."""

    code: str
    link: str
    came: int
    bought: int
    points: int
    next_goal: Goal | None


def told(referral: Referral) -> ReferralView:
    """A referral as the shop sees it."""
    body, note = referral.body, referral.body.decided
    return ReferralView(
        id=referral.id,
        friend=referral.friend,
        referrer=referral.referrer,
        status=referral.status,
        code=body.code,
        how=body.how,
        program=body.program,
        version=body.version,
        score=body.score,
        reasons=body.reasons,
        steps=tuple(StepView(step.order, step.number, step.kept, step.at) for step in body.steps),
        created_at=referral.created_at,
        decided_by="" if note is None else note.actor,
        decided_why="" if note is None else note.reason,
    )


async def page_of(reader: Reader, account: str, status: str, limit: int, cursor: str) -> Page[ReferralView]:
    """The referrals of one status."""
    (after,) = read_cursor(cursor, tuple[str]) if cursor else ("",)
    rows = await reader.fetch(LISTED, account=account, status=status, after=after, most=limit + 1)
    found = page([Referral(*row) for row in rows], limit, lambda row: (row.id,))
    living = await _living(reader, account, found.data)
    return Page([told(one) for one in living], found.next_cursor, found.has_more)


async def known(reader: Reader, account: str, name: str) -> Referral:
    """A referral, its referrer under the living name; raises Refused 404."""
    rows = await reader.fetch_by_keys(_referral, [(account, name)], Referral)
    if not rows:
        raise not_found("referral", name)
    return (await _living(reader, account, rows))[0]


async def standing(reader: Reader, account: str, customer: str, programme: Programme | None) -> Standing | None:
    """How a member stands with friends; None where the programme pays nothing for them."""
    terms = None if programme is None else programme.referrals
    if terms is None:
        return None
    rows = await reader.fetch_by_keys(tables.referral_party, [(account, customer)], Party)
    party = rows[0] if rows else Party(account, customer)
    came = [await _number(reader, CAME, account=account, referrer=name) for name in sorted(ids_of(party))]
    goals = sorted((goal.friends, goal.points) for goal in terms.milestones if goal.friends > party.friends)
    return Standing(
        code=party.code,
        link=terms.link_for(party.code) if party.code else "",
        came=sum(came),
        bought=party.friends,
        points=await _number(reader, EARNED, account=account, customer=customer),
        next_goal=Goal(*goals[0], goals[0][0] - party.friends) if goals else None,
    )


async def _living(reader: Reader, account: str, rows: Sequence[Referral]) -> list[Referral]:
    """Referrals with their referrers' living names: the rows themselves keep the first one."""
    named = {row.referrer for row in rows}
    survivors: dict[str, str] = {}
    asked = set(named)
    while asked:
        found = await reader.fetch_by_keys(_kernel.alias, [(account, name) for name in sorted(asked)], AliasRow)
        survivors.update({row.loser: row.survivor for row in found})
        asked = {row.survivor for row in found} - survivors.keys()
    return [msgspec.structs.replace(row, referrer=_end(survivors, row.referrer)) for row in rows]


def _end(survivors: dict[str, str], name: str) -> str:
    seen = {""}
    while name in survivors and name not in seen:
        seen.add(name)
        name = survivors[name]
    return name


async def _number(reader: Reader, query: Query, **values: str) -> int:
    row = await reader.fetch_one(query, **values)
    return 0 if row is None else int(row[0])
