"""Lists of webhooks and their calls, and vouchers as a file that a shop can make coupons of."""

import csv
import io
from datetime import UTC, datetime
from typing import NamedTuple

import msgspec
from sqlalchemy import bindparam, or_, select, tuple_

from services.loyalty import tables
from services.loyalty.hook_records import Hook, HookCall, What
from services.loyalty.reward_records import Coupon, RewardRow, Voucher, coupon_of
from shared.db import Instant, Query, Reader
from shared.web import Page, page, read_cursor, write_cursor

COLUMNS = Coupon.__struct_fields__
EARLIEST = datetime(1970, 1, 1, tzinfo=UTC)
LATEST = datetime.max.replace(tzinfo=UTC)
_hook, _call, _voucher = tables.hook, tables.hook_call, tables.voucher
HOOKS = Query(
    select(*_hook.columns).where(_hook.c.account == bindparam("account"), _hook.c.active).order_by(_hook.c.id)
)
CALLS = Query(
    select(*_call.columns)
    .where(
        _call.c.account == bindparam("account"),
        _call.c.hook == bindparam("hook"),
        tuple_(_call.c.made_at, _call.c.id) < tuple_(bindparam("before", type_=Instant()), bindparam("below")),
    )
    .order_by(_call.c.made_at.desc(), _call.c.id.desc())
    .limit(bindparam("most"))
)
ISSUED = Query(
    select(*_voucher.columns)
    .where(
        _voucher.c.account == bindparam("account"),
        tuple_(_voucher.c.issued_at, _voucher.c.id) > tuple_(bindparam("since", type_=Instant()), bindparam("after")),
        or_(bindparam("reward") == "", _voucher.c.reward == bindparam("reward")),
        or_(bindparam("status") == "", _voucher.c.status == bindparam("status")),
    )
    .order_by(_voucher.c.issued_at, _voucher.c.id)
    .limit(bindparam("most"))
)


class Chosen(NamedTuple):
    """Which vouchers are asked for: issued from then on, of this reward, in this state ('' for any)."""

    since: datetime | None
    reward: str
    status: str


class HookView(msgspec.Struct, frozen=True):
    """A webhook as the API tells it, without its secret."""

    id: str
    url: str
    events: tuple[What, ...]
    created_at: datetime


class CallView(msgspec.Struct, frozen=True):
    """A call of a webhook: what it tells, and what was answered to its last attempt."""

    id: str
    event: str
    state: str
    attempts: int
    answered: str
    made_at: datetime
    next_try: datetime | None
    body: msgspec.Raw


async def hooks_of(reader: Reader, account: str) -> list[HookView]:
    """The webhooks of an account that are told anything."""
    found = [Hook(*row) for row in await reader.fetch(HOOKS, account=account)]
    return [HookView(one.id, one.url, one.events, one.created_at) for one in found]


async def calls_page(reader: Reader, account: str, hook: str, limit: int, cursor: str) -> Page[CallView]:
    """A webhook's calls, the newest first."""
    before, below = read_cursor(cursor, tuple[datetime, str]) if cursor else (LATEST, "")
    rows = await reader.fetch(CALLS, account=account, hook=hook, before=before, below=below, most=limit + 1)
    found = page([HookCall(*row) for row in rows], limit, lambda row: (row.made_at, row.id))
    return Page([_told(call) for call in found.data], found.next_cursor, found.has_more)


async def vouchers(reader: Reader, account: str, chosen: Chosen, limit: int, cursor: str) -> tuple[str, str]:
    """Vouchers as CSV, the oldest first, and the cursor of those that follow ('' for none)."""
    since, after = read_cursor(cursor, tuple[datetime, str]) if cursor else (chosen.since or EARLIEST, "")
    rows = await reader.fetch(
        ISSUED,
        account=account,
        since=since,
        after=after,
        reward=chosen.reward,
        status=chosen.status,
        most=limit + 1,
    )
    found = [Voucher(*row) for row in rows]
    keys = {(account, one.reward) for one in found}
    bodies = {row.id: row.body for row in await reader.fetch_by_keys(tables.reward, keys, RewardRow)}
    text = _csv([coupon_of(one, bodies[one.reward]) for one in found[:limit]])
    return text, write_cursor((found[limit - 1].issued_at, found[limit - 1].id)) if len(found) > limit else ""


def _csv(coupons: list[Coupon]) -> str:
    lines = io.StringIO()
    writer = csv.writer(lines, lineterminator="\r\n")
    writer.writerow(COLUMNS)
    for coupon in coupons:
        plain = msgspec.to_builtins(coupon)
        writer.writerow([plain[name] for name in COLUMNS])
    return lines.getvalue()


def _told(call: HookCall) -> CallView:
    return CallView(
        id=call.id,
        event=call.event,
        state=call.state,
        attempts=call.attempts,
        answered=call.answered,
        made_at=call.made_at,
        next_try=call.due if call.state == "waiting" else None,
        body=msgspec.Raw(call.body),
    )
