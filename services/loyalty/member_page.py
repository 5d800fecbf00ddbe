"""All that a shop's page or header shows of a member, in one read."""

from collections.abc import Sequence
from datetime import datetime, timedelta

import msgspec
from sqlalchemy import bindparam, func, select

from services.loyalty import shelf, tables, views, words
from services.loyalty.holders import MAIN, in_wallet, wallet_of
from services.loyalty.programmes import Programme
from services.loyalty.records import Award, Transaction
from services.loyalty.referrals.views import Standing, standing
from services.loyalty.reward_records import RewardRow
from services.loyalty.versions import versions_of
from services.loyalty.views import MemberView
from services.loyalty.words import Language
from shared.db import Query, Reader

RECENT = 10
MOST_REWARDS = 100
_lot, _journal = tables.lot, tables.journal
EXPIRING = Query(
    select(func.coalesce(func.sum(_lot.c.remaining), 0), func.min(_lot.c.expires_at)).where(
        _lot.c.account == bindparam("account"),
        _lot.c.customer == bindparam("customer"),
        _lot.c.open,
        _lot.c.state == "available",
        _lot.c.expires_at <= bindparam("horizon"),
    )
)
HISTORY = Query(
    select(*_journal.columns)
    .where(
        _journal.c.account == bindparam("account"),
        _journal.c.customer == bindparam("customer"),
        _journal.c.points != 0,
    )
    .order_by(_journal.c.id.desc())
    .limit(bindparam("most"))
)


class Expiring(msgspec.Struct, frozen=True):
    """Points that expire within the programme's notice, the first of them at `first_at`."""

    points: int
    first_at: datetime | None


class Happened(msgspec.Struct, frozen=True):
    """One line of the history."""

    at: datetime
    day: str
    words: str
    points: int
    wallet: str = MAIN


class Reachable(msgspec.Struct, frozen=True, kw_only=True):
    """A reward at this member's price, in points of `wallet`; `missing` of them until it is within reach."""

    id: str
    name: str
    kind: str
    price: int
    missing: int
    remaining: int | None
    wallet: str = MAIN


class Beside(msgspec.Struct, frozen=True, kw_only=True):
    """A further wallet: what it is called, what can be spent, what is on its way, what expires soon."""

    name: str
    title: str
    available: int
    pending: int
    expiring: Expiring


class MemberPage(msgspec.Struct, frozen=True, kw_only=True):
    """A member's page: the wallet, what expires soon, how far the next tier is, what happened, rewards, friends."""

    language: str
    member: MemberView
    tier_percent: int
    next_tier_percent: int | None
    progress_percent: int
    expiring: Expiring
    history: tuple[Happened, ...]
    rewards: tuple[Reachable, ...]
    referral: Standing | None
    wallets: tuple[Beside, ...]


async def page(reader: Reader, account: str, customer: str, language: Language) -> MemberPage:
    """The page of a member; somebody who is not known yet sees an empty wallet and what can be had."""
    versions = (await versions_of(reader, [account])).get(account)
    programme = None if versions is None else versions.at(reader.now)
    member, holders = await views.members_of(reader, account, customer, programme)
    view = views.member_view(customer, member, programme, reader.now, holders)
    tier, following = _percents(view, programme)
    return MemberPage(
        language=language,
        member=view,
        tier_percent=tier,
        next_tier_percent=following,
        progress_percent=_progress(view),
        expiring=await _expiring(reader, account, customer, 0 if programme is None else programme.notice_days),
        history=await _history(reader, account, customer, programme, language) if member else (),
        rewards=await _rewards(reader, account, view, language),
        referral=await standing(reader, account, customer, programme),
        wallets=await _beside(reader, account, view, programme, language),
    )


async def _beside(
    reader: Reader, account: str, view: MemberView, programme: Programme | None, language: Language
) -> tuple[Beside, ...]:
    shown = []
    for wallet, held in zip(() if programme is None else programme.wallets, view.wallets, strict=True):
        expiring = await _expiring(reader, account, in_wallet(view.customer, wallet.name), wallet.notice_days)
        title = wallet.texts.get(language, wallet.name)
        shown.append(
            Beside(name=wallet.name, title=title, available=held.available, pending=held.pending, expiring=expiring)
        )
    return tuple(shown)


def _percents(view: MemberView, programme: Programme | None) -> tuple[int, int | None]:
    if programme is None:
        return 100, None
    ladder = programme.ladder
    level = ladder.level_of(view.tier)
    above = ladder.tiers[level + 1 : level + 2]
    return ladder.tiers[level].percent, above[0].percent if above else None


def _progress(view: MemberView) -> int:
    """The way to the next tier in whole percent; 100 at the top."""
    if view.next_tier is None:
        return 100
    return min(99, max(0, view.qualifying) * 100 // view.next_tier.threshold)


async def _expiring(reader: Reader, account: str, holder: str, notice_days: int) -> Expiring:
    horizon = reader.now + timedelta(days=notice_days)
    row = await reader.fetch_one(EXPIRING, account=account, customer=holder, horizon=horizon)
    return Expiring(0, None) if row is None or not row[0] else Expiring(int(row[0]), row[1])


async def _history(
    reader: Reader, account: str, customer: str, programme: Programme | None, language: Language
) -> tuple[Happened, ...]:
    names = [customer, *(in_wallet(customer, one.name) for one in (() if programme is None else programme.wallets))]
    pages = [await reader.fetch(HISTORY, account=account, customer=name, most=RECENT) for name in names]
    rows = sorted((Transaction(*row) for page in pages for row in page), key=lambda row: row.id, reverse=True)[:RECENT]
    causes = {(account, row.cause) for row in rows if row.kind == "award"}
    rules = {award.id: award.rule for award in await reader.fetch_by_keys(tables.award, causes, Award)}
    known = {} if programme is None else {rule.name: rule for rule in programme.rules}
    told = []
    for row in rows:
        named = rules.get(row.cause, "")
        rule = known.get(named)
        kind = str(rule.__struct_config__.tag) if rule is not None else named
        said = words.told(row.kind, kind, {} if rule is None else rule.texts, language)
        day = words.day_in_words(row.occurred_at, "UTC" if programme is None else programme.zone, language)
        told.append(Happened(row.occurred_at, day, said, row.points, wallet_of(row.customer)))
    return tuple(told)


async def _rewards(reader: Reader, account: str, view: MemberView, language: Language) -> tuple[Reachable, ...]:
    """What is offered to this member, the cheapest first."""
    rows = [RewardRow(*row) for row in await reader.fetch(shelf.REWARDS, account=account, after="", most=MOST_REWARDS)]
    offered = [row for row in rows if row.body.active and (not row.body.tiers or view.tier in row.body.tiers)]
    known = {MAIN: view.available, **{one.name: one.available for one in view.wallets}}
    shown = [
        _reachable(one, wallet, price, known[wallet], language)
        for one in await _left(reader, offered)
        for wallet in known
        if (price := one.reward.price_for(view.tier, wallet)) is not None
    ]
    return tuple(sorted(shown, key=lambda one: (one.wallet != MAIN, one.price, one.id)))


async def _left(reader: Reader, rows: Sequence[RewardRow]) -> list[shelf.RewardView]:
    return [one for one in await shelf.views(reader, rows) if one.remaining != 0]


def _reachable(one: shelf.RewardView, wallet: str, price: int, available: int, language: Language) -> Reachable:
    return Reachable(
        id=one.id,
        name=one.reward.texts.get(language, one.reward.name),
        kind=one.reward.kind,
        price=price,
        missing=max(0, price - available),
        remaining=one.remaining,
        wallet=wallet,
    )
