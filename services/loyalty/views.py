"""What the API tells of members, their lots and transactions."""

from collections.abc import Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any

import msgspec
from sqlalchemy import Select, bindparam, select

from services.loyalty import standings, tables, terms, wallets
from services.loyalty.holders import in_wallet, wallet_of, without_wallet
from services.loyalty.programmes import Programme
from services.loyalty.records import Entry, Lot, Member, Transaction
from shared.db import Query, Reader
from shared.tables import AliasRow, attach
from shared.web import Page, page, read_cursor

_alias = attach(tables.metadata).alias
_journal, _lot = tables.journal, tables.lot
NO_HOLDERS: Mapping[str, Member] = MappingProxyType({})


class NextTier(msgspec.Struct, frozen=True):
    """The tier above, and how many qualifying points are missing."""

    name: str
    threshold: int
    missing: int


class WalletView(msgspec.Struct, frozen=True, kw_only=True):
    """What a member has in a further wallet; `name` is that of the programme."""

    name: str
    available: int
    pending: int
    held: int
    debt: int
    earned: int
    redeemed: int
    matures_next: datetime | None
    expires_next: datetime | None


class MemberView(msgspec.Struct, frozen=True, kw_only=True):
    """A member as the API tells it; points are int64, `qualifying` what counts for the tier today.

    `qualifies_by` says of what: points, spend (minor units), orders or referrals; `falls_to` is what is left at
    `tier_until`. Balances are those of the main wallet, `wallets` the further ones.
    """

    customer: str
    program: str
    tier: str
    available: int
    pending: int
    held: int
    debt: int
    earned: int
    redeemed: int
    qualifying: int
    qualifies_by: str
    next_tier: NextTier | None
    tier_until: datetime | None
    falls_to: str
    matures_next: datetime | None
    expires_next: datetime | None
    joined_at: datetime | None
    wallets: tuple[WalletView, ...] = ()


async def members_of(
    reader: Reader, account: str, customer: str, programme: Programme | None
) -> tuple[Member | None, dict[str, Member]]:
    """A member, None for one who is not known yet, and as the holder of each further wallet that was ever used."""
    names = {} if programme is None else {in_wallet(customer, one.name): one.name for one in programme.wallets}
    keys = [(account, name) for name in (customer, *names)]
    found = {one.customer: one for one in await reader.fetch_by_keys(tables.member, keys, wallets.member_of)}
    return found.get(customer), {names[name]: one for name, one in found.items() if name != customer}


def member_view(
    customer: str,
    member: Member | None,
    programme: Programme | None,
    now: datetime,
    holders: Mapping[str, Member] = NO_HOLDERS,
) -> MemberView:
    """A member; one who is not known yet has nothing and stands on the lowest tier."""
    known = member or Member("", customer, now)
    today = 0 if programme is None else terms.local_day(programme.zone, now)
    points = 0 if programme is None else standings.qualifying(known, programme, today)
    return MemberView(
        customer=customer,
        program="" if programme is None else programme.id,
        tier=known.tier or ("" if programme is None else programme.ladder.tiers[0].name),
        available=known.available,
        pending=known.pending,
        held=known.held,
        debt=known.debt,
        earned=known.earned,
        redeemed=known.redeemed,
        qualifying=points,
        qualifies_by="points" if programme is None else programme.ladder.by,
        next_tier=None if programme is None else _next_tier(known, programme, points),
        tier_until=known.review_due,
        falls_to="" if programme is None else _falls_to(known, programme, today),
        matures_next=known.mature_due,
        expires_next=known.expire_due,
        joined_at=None if member is None else member.joined_at,
        wallets=() if programme is None else tuple(_wallet(one.name, holders, now) for one in programme.wallets),
    )


def _wallet(name: str, holders: Mapping[str, Member], now: datetime) -> WalletView:
    held = holders.get(name) or Member("", "", now)
    return WalletView(
        name=name,
        available=held.available,
        pending=held.pending,
        held=held.held,
        debt=held.debt,
        earned=held.earned,
        redeemed=held.redeemed,
        matures_next=held.mature_due,
        expires_next=held.expire_due,
    )


def _falls_to(member: Member, programme: Programme, today: int) -> str:
    """The tier to which a member falls on the day she falls if nothing more comes; '' where she does not."""
    now = standings.place(member, programme, today)
    after = now if now.falls_on is None else standings.place(member, programme, now.falls_on)
    return programme.ladder.tiers[after.level].name if after.level < now.level else ""


def _next_tier(member: Member, programme: Programme, points: int) -> NextTier | None:
    above = programme.ladder.tiers[programme.ladder.level_of(member.tier) + 1 :]
    return NextTier(above[0].name, above[0].threshold, max(0, above[0].threshold - points)) if above else None


class Leg(msgspec.Struct, frozen=True):
    """Points that came onto one side of a wallet, or left it."""

    side: str
    lot: str
    points: int


class TransactionView(msgspec.Struct, frozen=True, kw_only=True):
    """A transaction with its legs: `points` is what the member owns more or less by it."""

    id: str
    customer: str
    kind: str
    points: int
    cause: str
    revision: int
    reason: str
    actor: str
    occurred_at: datetime
    recorded_at: datetime
    entries: tuple[Leg, ...]
    wallet: str


class LotView(msgspec.Struct, frozen=True, kw_only=True):
    """Points of one source that expire together."""

    id: str
    source: str
    state: str
    issued: int
    remaining: int
    accrued_at: datetime
    matures_at: datetime
    expires_at: datetime | None


def _paged(chosen: Select[Any], table: Any) -> tuple[Query, Query]:
    """A member's rows, the newest first: from the beginning, and after an id."""
    mine = chosen.where(table.c.account == bindparam("account"), table.c.customer == bindparam("customer"))
    mine = mine.order_by(table.c.id.desc()).limit(bindparam("most"))
    return Query(mine), Query(mine.where(table.c.id < bindparam("after")))


TRANSACTIONS, TRANSACTIONS_AFTER = _paged(select(*_journal.columns), _journal)
LOTS, LOTS_AFTER = _paged(select(*_lot.columns).where(_lot.c.open), _lot)


async def survivor(reader: Reader, account: str, customer: str) -> str:
    """The customer that one was merged into, or the same."""
    seen = {customer}
    while rows := await reader.fetch_by_keys(_alias, [(account, customer)], AliasRow):
        customer = rows[0].survivor
        if customer in seen:
            break
        seen.add(customer)
    return customer


async def transactions_page(
    reader: Reader, account: str, customer: str, limit: int, cursor: str
) -> Page[TransactionView]:
    """A member's transactions, the newest first."""
    rows = await _rows(reader, (TRANSACTIONS, TRANSACTIONS_AFTER), account, customer, limit, cursor)
    found = page([Transaction(*row) for row in rows], limit, lambda row: (row.id,))
    return Page(await transaction_views(reader, account, found.data), found.next_cursor, found.has_more)


async def lots_page(reader: Reader, account: str, customer: str, limit: int, cursor: str) -> Page[LotView]:
    """A member's open lots, the newest first."""
    rows = await _rows(reader, (LOTS, LOTS_AFTER), account, customer, limit, cursor)
    found = page([Lot(*row) for row in rows], limit, lambda row: (row.id,))
    return Page([_lot_view(lot) for lot in found.data], found.next_cursor, found.has_more)


async def transaction_views(reader: Reader, account: str, rows: Sequence[Transaction]) -> list[TransactionView]:
    """Transactions with their legs."""
    keys = [(account, row.id) for row in rows]
    legs: dict[str, list[Entry]] = {}
    for leg in await reader.fetch_by_keys(tables.entry, keys, Entry, by=("account", "txn")):
        legs.setdefault(leg.txn, []).append(leg)
    return [_transaction_view(row, legs.get(row.id, [])) for row in rows]


def _transaction_view(row: Transaction, legs: Sequence[Entry]) -> TransactionView:
    return TransactionView(
        id=row.id,
        customer=without_wallet(row.customer),
        wallet=wallet_of(row.customer),
        kind=row.kind,
        points=row.points,
        cause=row.cause,
        revision=row.revision,
        reason=row.note.reason if row.note else "",
        actor=row.note.actor if row.note else "",
        occurred_at=row.occurred_at,
        recorded_at=row.recorded_at,
        entries=tuple(Leg(leg.side, leg.lot, leg.points) for leg in sorted(legs, key=lambda leg: leg.ordinal)),
    )


def _lot_view(lot: Lot) -> LotView:
    return LotView(
        id=lot.id,
        source=lot.source,
        state=lot.state,
        issued=lot.issued,
        remaining=lot.remaining,
        accrued_at=lot.accrued_at,
        matures_at=lot.matures_at,
        expires_at=lot.expires_at,
    )


async def _rows(
    reader: Reader, queries: tuple[Query, Query], account: str, customer: str, limit: int, cursor: str
) -> Sequence[Sequence[Any]]:
    first, following = queries
    if not cursor:
        return await reader.fetch(first, account=account, customer=customer, most=limit + 1)
    (after,) = read_cursor(cursor, tuple[str])
    return await reader.fetch(following, account=account, customer=customer, most=limit + 1, after=after)
