"""What the API tells of rewards and vouchers."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
from sqlalchemy import bindparam, select, tuple_

from services.loyalty import catalogue, tables
from services.loyalty.catalogue import Reward
from services.loyalty.reward_records import Code, Coupon, RewardRow, Stock, Voucher, coupon_of
from shared.db import Instant, Query, Reader
from shared.errors import not_found
from shared.web import Page, page, read_cursor

NEVER = datetime.max.replace(tzinfo=UTC)
_reward, _voucher = tables.reward, tables.voucher
REWARDS = Query(
    select(*_reward.columns)
    .where(_reward.c.account == bindparam("account"), _reward.c.id > bindparam("after"))
    .order_by(_reward.c.id)
    .limit(bindparam("most"))
)
VOUCHERS = Query(
    select(*_voucher.columns)
    .where(
        _voucher.c.account == bindparam("account"),
        _voucher.c.customer == bindparam("customer"),
        tuple_(_voucher.c.issued_at, _voucher.c.id) < tuple_(bindparam("since", type_=Instant()), bindparam("before")),
    )
    .order_by(_voucher.c.issued_at.desc(), _voucher.c.id.desc())
    .limit(bindparam("most"))
)


class RewardView(msgspec.Struct, frozen=True, kw_only=True):
    """A reward with what is left of it (None: no limit)."""

    id: str
    revision: int
    reward: Reward
    remaining: int | None


class VoucherView(Coupon, frozen=True, kw_only=True):
    """A voucher and what it gives: percentage or minor units, or a product; and the redemption that paid for it."""

    redemption: str


class Checked(msgspec.Struct, frozen=True):
    """A code at a checkout: what it is, whether it can be used with the others, and why not (`clashes_with` which)."""

    code: str
    voucher: VoucherView | None = None
    usable: bool = False
    why: str = ""
    clashes_with: str = ""


async def known(reader: Reader, account: str, name: str) -> RewardRow:
    """A reward; raises Refused 404."""
    rows = await reader.fetch_by_keys(tables.reward, [(account, name)], RewardRow)
    if not rows:
        raise not_found("reward", name)
    return rows[0]


async def page_of(reader: Reader, account: str, limit: int, cursor: str, *, offered: bool) -> Page[RewardView]:
    """Rewards by id, only active ones when `offered`."""
    (after,) = read_cursor(cursor, tuple[str]) if cursor else ("",)
    rows = [RewardRow(*row) for row in await reader.fetch(REWARDS, account=account, after=after, most=limit + 1)]
    found = page(rows, limit, lambda row: (row.id,))
    shown = [row for row in found.data if row.body.active or not offered]
    return Page(await views(reader, shown), found.next_cursor, found.has_more)


async def views(reader: Reader, rows: Sequence[RewardRow]) -> list[RewardView]:
    """Rewards with what is left of them."""
    keys = [(row.account, row.id) for row in rows]
    left = {stock.reward: stock.remaining for stock in await reader.fetch_by_keys(tables.stock, keys, Stock)}
    return [RewardView(id=r.id, revision=r.revision, reward=r.body, remaining=left.get(r.id)) for r in rows]


async def voucher_of(reader: Reader, account: str, named: str) -> Voucher:
    """A voucher by id or code; raises Refused 404."""
    name = named
    if not named.startswith("vch_"):
        codes = await reader.fetch_by_keys(tables.code, [(account, catalogue.key_of(named))], Code)
        name = codes[0].voucher if codes else ""
    rows = await reader.fetch_by_keys(tables.voucher, [(account, name)], Voucher)
    if not rows:
        raise not_found("voucher", named)
    return rows[0]


async def vouchers_page(reader: Reader, account: str, customer: str, limit: int, cursor: str) -> Page[VoucherView]:
    """A member's vouchers, the newest first."""
    since, before = read_cursor(cursor, tuple[datetime, str]) if cursor else (NEVER, "")
    rows: list[Sequence[Any]] = await reader.fetch(
        VOUCHERS, account=account, customer=customer, since=since, before=before, most=limit + 1
    )
    found = page([Voucher(*row) for row in rows], limit, lambda row: (row.issued_at, row.id))
    return Page(await told(reader, found.data), found.next_cursor, found.has_more)


async def told(reader: Reader, vouchers: Sequence[Voucher]) -> list[VoucherView]:
    """Vouchers as the API tells them; one past its time has expired, whatever became of it."""
    keys = [(voucher.account, voucher.reward) for voucher in vouchers]
    rewards = {row.id: row.body for row in await reader.fetch_by_keys(tables.reward, keys, RewardRow)}
    return [_view(voucher, rewards[voucher.reward], reader.now) for voucher in vouchers]


async def checked(reader: Reader, account: str, codes: Sequence[str]) -> list[Checked]:
    """Each of these codes: whether it can be used together with the others, and if not why."""
    keys = {(account, catalogue.key_of(code)): code for code in codes}
    found = {row.key: row.voucher for row in await reader.fetch_by_keys(tables.code, list(keys), Code)}
    wanted = [(account, name) for name in found.values() if name]
    rows = {row.id: row for row in await reader.fetch_by_keys(tables.voucher, wanted, Voucher)}
    views = {view.id: view for view in await told(reader, list(rows.values()))}
    given = {code: views.get(found.get(key, "")) for (_, key), code in keys.items()}
    good = [view for view in given.values() if view is not None and view.status == "issued"]
    bodies = await reader.fetch_by_keys(tables.reward, {(account, view.reward) for view in good}, RewardRow)
    rewards = {row.id: row.body for row in bodies}
    clash = catalogue.clashes([(view.code, rewards[view.reward]) for view in good])
    return [_checked(code, view, clash) for code, view in given.items()]


def _checked(code: str, view: VoucherView | None, clash: Mapping[str, str]) -> Checked:
    if view is None:
        return Checked(code, why="unknown")
    if view.status != "issued":
        return Checked(code, view, why=f"voucher_{view.status}")
    against = clash.get(view.code, "")
    return Checked(code, view, usable=not against, why="not_combinable" if against else "", clashes_with=against)


def _view(voucher: Voucher, reward: Reward, now: datetime) -> VoucherView:
    over = voucher.status == "issued" and voucher.expires_at is not None and voucher.expires_at <= now
    coupon = msgspec.structs.asdict(coupon_of(voucher, reward))
    return VoucherView(**coupon | {"status": "expired" if over else voucher.status}, redemption=voucher.redemption)
