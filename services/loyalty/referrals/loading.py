"""What referrals need of the database beside what loyalty loads anyway; nothing where no programme knows referrals."""

from collections.abc import Iterable, Sequence
from datetime import timedelta
from typing import Any

from sqlalchemy import bindparam, func, select

from services.loyalty import loading, tables
from services.loyalty.catalogue import key_of
from services.loyalty.desk import Desk, Key
from services.loyalty.records import Award, Entry, Lot
from services.loyalty.referral_records import Invitation, Party, Referral, ReferralCode
from services.loyalty.referrals import gifts, rewards
from services.loyalty.referrals.cases import standing
from services.loyalty.referrals.judgement import ids_of
from services.loyalty.reward_records import RewardRow, Stock, Voucher
from shared.db import Query, Tx
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged, OrderFact, ProfileUpdated, ReferralClicked
from shared.events.loyalty import ReferralFact
from shared.tables import AliasRow, attach
from shared.workset import Command, Work, customers

ABOUT = "referral:"
INVITED = "invitation:"
HIGHEST = 10
_kernel = attach(tables.metadata)
_referral = tables.referral
RECENT = Query(
    select(func.count())
    .select_from(_referral)
    .where(
        _referral.c.account == bindparam("account"),
        _referral.c.referrer == bindparam("referrer"),
        _referral.c.created_at > bindparam("since"),
    )
)
CONCERNED = (ReferralClicked, ProfileUpdated, OrderFact, CustomerMerged, CustomerErased, ReferralFact)


async def load(tx: Tx, work: Sequence[Work]) -> Desk:
    """All that judging a batch needs, referrals included."""
    desk = await loading.load(tx, work)
    known = {account for account, of in desk.versions.items() if of.refers}
    concerned = [item for item in work if item.account in known and _concerned(item)]
    if concerned:
        await _load_referrals(tx, desk, concerned)
        await _load_codes(tx, desk, concerned)
        await _load_referrers(tx, desk)
        await _load_awards(tx, desk, [item for item in concerned if _pays(item)])
        await _load_gifts(tx, desk, [item for item in concerned if isinstance(item, Event)])
        await _load_invitations(tx, desk, concerned)
    return desk


def _concerned(item: Work) -> bool:
    if isinstance(item, Event):
        return isinstance(item.fact, CONCERNED)
    return isinstance(item, Command) and item.about.startswith((ABOUT, INVITED))


def _pays(item: Work) -> bool:
    return isinstance(item, Event) and isinstance(item.fact, ReferralFact | CustomerMerged)


async def _load_referrals(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The parties of a batch, and the referrals by which they, and whoever had one of its orders before, have come."""
    owners = {(rating.account, rating.customer) for rating in desk.ratings.values()}
    names = {*customers(work), *owners}
    await _load_parties(tx, desk, names)
    for referral in await tx.fetch_by_keys(_referral, names, Referral, by=("account", "friend")):
        desk.loaded_referral(referral)


async def _load_parties(tx: Tx, desk: Desk, names: Iterable[Key]) -> None:
    wanted = {name for name in names if name not in desk.parties}
    for party in await tx.fetch_by_keys(tables.referral_party, wanted, Party):
        desk.parties.loaded((party.account, party.customer), party)


async def _load_codes(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The codes that may count for somebody, those that calls name, and all codes of whoever merges or is erased."""
    open_ones = [party for party in desk.parties.values() if standing(desk, party.account, party.customer) is None]
    wanted = {(party.account, touch.code) for party in open_ones for touch in party.known.touches}
    wanted |= {(item.account, key_of(code)) for item in work for code in _codes(item)}
    codes = await tx.fetch_by_keys(tables.referral_code, wanted, ReferralCode)
    ends = CustomerMerged | CustomerErased
    going = [item for item in work if isinstance(item, Event) and isinstance(item.fact, ends)]
    owned = await tx.fetch_by_keys(tables.referral_code, customers(going), ReferralCode, by=("account", "customer"))
    for code in {(one.account, one.key): one for one in (*codes, *owned)}.values():
        desk.referral_codes.loaded((code.account, code.key), code)


def _codes(item: Work) -> Sequence[str]:
    if isinstance(item, Command):
        return (item.about.removeprefix(ABOUT),) if item.about.startswith(ABOUT) else ()
    if isinstance(item, Event) and isinstance(item.fact, OrderFact):
        return item.fact.order.coupons
    return (item.fact.code,) if isinstance(item, Event) and isinstance(item.fact, ReferralClicked) else ()


async def _load_referrers(tx: Tx, desk: Desk) -> None:
    """Who may be found to have brought somebody: their prints, who has brought them, how many they brought of late."""
    referrers = {(code.account, code.customer) for code in desk.referral_codes.values()}
    await _load_parties(tx, desk, referrers)
    for account, referrer in sorted(referrers):
        terms = desk.versions[account].at(desk.now).referrals
        if terms is not None:
            desk.brought[account, referrer] = await _chain(tx, account, referrer)
            since = desk.now - timedelta(days=terms.velocity_days)
            rows = [
                await tx.fetch_one(RECENT, account=account, referrer=name, since=since)
                for name in sorted(ids_of(desk.party(account, referrer)))
            ]
            desk.recent[account, referrer] = sum(int(row[0]) for row in rows if row is not None)


async def _chain(tx: Tx, account: str, referrer: str) -> tuple[str, ...]:
    """Who has brought a member, who has brought that one, and so on up."""
    found: list[str] = []
    below = [referrer]
    while below and len(found) < HIGHEST:
        rows = await tx.fetch_by_keys(_referral, [(account, one) for one in below], Referral, by=("account", "friend"))
        above = [row.referrer for row in rows if row.status != "rejected"]
        aliases = await tx.fetch_by_keys(_kernel.alias, [(account, one) for one in above], AliasRow)
        living = {row.loser: row.survivor for row in aliases}
        below = [living.get(one, one) for one in above if living.get(one, one) not in found]
        found += below
    return tuple(found)


async def _load_awards(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """What was paid by a referral's steps already, the lots it went into, and the open ones of whoever got it."""
    wanted = {(item.account, key) for item in work for key in _keys(item, desk)}
    for award in await tx.fetch_by_keys(tables.award, wanted, Award):
        desk.awards.loaded((award.account, award.id), award)
    paid = {(award.account, award.txn) for award in desk.awards.values() if _wanted(award, wanted)}
    for leg in await tx.fetch_by_keys(tables.entry, paid, Entry, by=("account", "txn")):
        desk.earlier.setdefault((leg.account, leg.txn), []).append(leg)
    lots = {(leg.account, leg.lot) for txn in paid for leg in desk.earlier.get(txn, ()) if leg.lot}
    for lot in await tx.fetch_by_keys(tables.lot, lots, Lot):
        desk.loaded_lot(lot)
    open_ones = [(*owner, True) for owner in customers(work)]
    for lot in await tx.fetch_by_keys(tables.lot, open_ones, Lot, by=("account", "customer", "open")):
        desk.loaded_lot(lot)


async def _load_gifts(tx: Tx, desk: Desk, events: Sequence[Event[Any]]) -> None:
    """The vouchers that steps may give or withdraw, their rewards, and the stock of these, locked."""
    steps = [(event, gifts.programme_of(event, desk)) for event in events if isinstance(event.fact, ReferralFact)]
    found = [(event.account, gift) for event, programme in steps for gift in gifts.gifts_of(event, programme)]
    if not found:
        return
    rewards_of = {(account, gift.reward) for account, gift in found}
    for voucher in await tx.fetch_by_keys(
        tables.voucher, {(a, gift.voucher) for a, gift in found}, Voucher, lock="wait"
    ):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    for row in await tx.fetch_by_keys(tables.reward, rewards_of, RewardRow):
        desk.rewards.loaded((row.account, row.id), row)
    for stock in await tx.fetch_by_keys(tables.stock, rewards_of, Stock, lock="wait"):
        desk.stock.loaded((stock.account, stock.reward), stock)


def _wanted(award: Award, wanted: set[Key]) -> bool:
    return award.rule == rewards.MILESTONE or (award.account, award.id) in wanted


async def _load_invitations(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    calls = [item for item in work if isinstance(item, Command) and item.about.startswith(INVITED)]
    wanted = {(call.account, call.about.removeprefix(INVITED)) for call in calls}
    for row in await tx.fetch_by_keys(tables.invitation, wanted, Invitation):
        desk.invitations.loaded((row.account, row.digest), row)


def _keys(item: Work, desk: Desk) -> list[str]:
    if not isinstance(item, Event) or not isinstance(item.fact, ReferralFact):
        return []
    versions = desk.versions[item.account]
    return rewards.keys(item, versions.find(item.fact.program, item.fact.program_version) or versions.at(desk.now))
