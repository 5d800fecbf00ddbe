"""What a micro-batch needs of the database, by the set; what ordinary orders do without is asked for only if wanted."""

from collections import Counter
from collections.abc import Iterable, Sequence
from datetime import datetime

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from services.loyalty import awarding, budgets, tables, wallets
from services.loyalty.claiming import load_hooks, load_rewards, named_by, order_facts
from services.loyalty.desk import HOLD_TIMER, MATURE_TIMER, SPREAD_TIMER, Desk, Key, order_ref
from services.loyalty.earning import lot_id
from services.loyalty.holders import MAIN, in_wallet, wallet_of, without_wallet
from services.loyalty.records import AVAILABLE, Award, Entry, Hold, Lot, Rating, Redemption
from services.loyalty.reward_records import Voucher
from services.loyalty.versions import versions_for
from shared.db import Query, Tx
from shared.events import Event
from shared.events.ingest import ActivityReported, CustomerMerged, Order, OrderStatus
from shared.tables import attach
from shared.work import survivors
from shared.workset import Command, Due, Work, customers

ROLL = Query(
    select(tables.member.c.customer)
    .where(
        tables.member.c.account == bindparam("account"),
        tables.member.c.customer > bindparam("after"),
        tables.in_one_wallet(tables.member.c.customer, MAIN),
    )
    .order_by(tables.member.c.customer)
    .limit(200)
)
MOST_DRAWN = 50
GIVEN_BACK = frozenset({OrderStatus.CANCELLED, OrderStatus.REFUNDED, OrderStatus.PARTLY_REFUNDED})


async def load(tx: Tx, work: Sequence[Work]) -> Desk:
    """Everything that judging a batch needs; a first fact of an account makes its default programme."""
    desk = Desk(tx.now)
    desk.versions = await versions_for(tx, work)
    orders = _in_wallets(desk, _orders(work))
    ratings = await tx.fetch_by_keys(tables.rating, orders, Rating, lock="wait")
    for rating in await _under_living_names(tx, ratings, work):
        desk.loaded_rating(rating)
    merging = await _load_merging(tx, desk, work)
    await _load_members(tx, desk, work)
    await _load_lots(tx, desk, work, merging)
    named = await load_rewards(tx, desk, work)
    await _load_redemptions(tx, desk, work, named)
    await _load_awards(tx, desk, work)
    await load_hooks(tx, desk, work)
    for item in work:
        if type(item) is Due and item.kind == SPREAD_TIMER:
            rows = await tx.fetch(ROLL, account=item.account, after=item.payload["after"])
            desk.rolls[item.account, item.name] = [row[0] for row in rows]
    desk.budgets_before = await budgets.load(tx, desk.versions)
    for key, left in desk.budgets_before.items():
        desk.budgets.loaded(key, left)
    return desk


async def _under_living_names(tx: Tx, ratings: Sequence[Rating], work: Sequence[Work]) -> Sequence[Rating]:
    """Ratings with whom their customers were merged into: an order that earned nothing moves with no lot."""
    if not ratings:
        return ratings
    others = {(rating.account, without_wallet(rating.customer)) for rating in ratings}.difference(customers(work))
    living = await survivors(tx, attach(tables.metadata), others) if others else {}
    if not living:
        return ratings
    return [replace(one, customer=_living(living, one.account, one.customer)) for one in ratings]


def _living(living: dict[Key, str], account: str, holder: str) -> str:
    customer = without_wallet(holder)
    return in_wallet(living.get((account, customer), customer), wallet_of(holder))


def _in_wallets(desk: Desk, names: Iterable[Key]) -> set[Key]:
    """These customers, or orders, and how they go by in the further wallets of their accounts."""
    found = set(names)
    wallets_of = {account: desk.wallets(account) for account in desk.versions}
    if not any(wallets_of.values()):
        return found
    return found | {(account, in_wallet(name, of)) for account, name in found for of in wallets_of.get(account, ())}


async def _load_merging(tx: Tx, desk: Desk, work: Sequence[Work]) -> set[Key]:
    """All lots of customers who merge, and the ratings of the orders these came from."""
    merges = [item for item in work if type(item) is Event and type(item.fact) is CustomerMerged]
    merging = set(customers(merges))
    holders = _in_wallets(desk, merging)
    lots = await tx.fetch_by_keys(tables.lot, holders, Lot, by=("account", "customer"))
    for lot in lots:
        desk.loaded_lot(lot)
    orders = {(lot.account, lot.source) for lot in lots}
    for rating in await tx.fetch_by_keys(tables.rating, orders, Rating, lock="wait"):
        desk.loaded_rating(rating)
    for award in await tx.fetch_by_keys(tables.award, merging, Award, by=("account", "customer")):
        desk.awards.loaded((award.account, award.id), award)
    for spent in await tx.fetch_by_keys(tables.redemption, holders, Redemption, by=("account", "customer")):
        desk.redemptions.loaded((spent.account, spent.id), spent)
    for voucher in await tx.fetch_by_keys(tables.voucher, merging, Voucher, by=("account", "customer"), lock="wait"):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    return merging


async def _load_members(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The members of a batch, and those from whom one of its orders moves away."""
    named = _in_wallets(desk, customers(work))
    for member in await tx.fetch_by_keys(tables.member, named, wallets.member_of):
        desk.members.loaded((member.account, member.customer), member)
    await _load_owners(tx, desk, {(rating.account, rating.customer) for rating in desk.ratings.values()})


async def _load_owners(tx: Tx, desk: Desk, owners: set[Key]) -> None:
    """Members whose things a batch touches though no work is theirs: orders that move, points that paid one."""
    others = {owner for owner in owners if owner not in desk.members}
    for member in await tx.fetch_by_keys(tables.member, others, wallets.member_of, lock="wait"):
        desk.members.loaded((member.account, member.customer), member)


async def _load_lots(tx: Tx, desk: Desk, work: Sequence[Work], merging: set[Key]) -> None:
    """The lots that may change: those of orders rated before, and all open ones of whoever may lose or spend points."""
    rated = list(desk.ratings.values())
    own = {(rating.account, lot_id(rating.order_id)) for rating in rated} | _in_wallets(desk, _awaited(work))
    for lot in await tx.fetch_by_keys(tables.lot, own, Lot):
        desk.loaded_lot(lot)
    owners = (
        {(rating.account, rating.customer) for rating in rated} | merging | _spenders(desk, work) | _kept(desk, work)
    )
    owners = _in_wallets(desk, owners)
    drawing = {key: points for key, points in _drawing(work).items() if key not in owners}
    owners |= await _load_first_lots(tx, desk, drawing)
    for lot in await tx.fetch_by_keys(
        tables.lot, [(*owner, True) for owner in owners], Lot, by=("account", "customer", "open")
    ):
        desk.loaded_lot(lot)
    if any(type(item) is Due and item.kind == MATURE_TIMER for item in work):
        waiting = {(lot.account, lot.source) for lot in desk.lots.values() if lot.awaits}
        for rating in await tx.fetch_by_keys(tables.rating, waiting, Rating, lock="wait"):
            desk.loaded_rating(rating)


async def _load_first_lots(tx: Tx, desk: Desk, drawing: dict[Key, int]) -> set[Key]:
    """The lots that are spent first of whoever only draws so many points; gives those whom they do not suffice."""
    keys = [(account, customer, True, AVAILABLE) for account, customer in drawing]
    found: dict[Key, list[Lot]] = {}
    by, order = ("account", "customer", "open", "state"), ("expires_at", "accrued_at", "id")
    for lot in await tx.fetch_first_by_keys(tables.lot, keys, Lot, by=by, order=order, most=MOST_DRAWN):
        found.setdefault((lot.account, lot.customer), []).append(lot)
    short = {key for key, lots in found.items() if len(lots) == MOST_DRAWN and _usable(lots, tx.now) < drawing[key]}
    for lot in (lot for key, lots in found.items() if key not in short for lot in lots):
        desk.loaded_lot(lot)
    return short


def _usable(lots: Sequence[Lot], now: datetime) -> int:
    return sum(lot.remaining for lot in lots if lot.expires_at is None or lot.expires_at > now)


async def _load_awards(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """What was paid already of what these facts and days may bring: nothing is asked where no rule pays for them."""
    known = [(item, desk.versions[item.account]) for item in work if item.account in desk.versions]
    wanted = {key for item, of in known for key in awarding.keys(item, of, tx.now)}
    wanted |= {(item.account, item.about) for item in work if type(item) is Command and item.about[:4] == "awd_"}
    for award in await tx.fetch_by_keys(tables.award, wanted, Award):
        desk.awards.loaded((award.account, award.id), award)


async def _load_redemptions(tx: Tx, desk: Desk, work: Sequence[Work], named: set[Key]) -> None:
    """The redemptions and holds that calls, timers and refunds are about, what each took, and the lots it left."""
    asked = named_by(work)
    overdue = {(item.account, item.name) for item in work if type(item) is Due and item.kind == HOLD_TIMER}
    paid = {(item.account, order_ref(item)) for item in order_facts(work) if _gives_back(item.fact.order)}
    taken: list[Redemption | Hold] = [
        *await tx.fetch_by_keys(tables.redemption, asked | named, Redemption),
        *await tx.fetch_by_keys(tables.redemption, paid, Redemption, by=("account", "order_ref")),
        *await tx.fetch_by_keys(tables.hold, asked | overdue, Hold),
    ]
    for one in taken:
        if isinstance(one, Redemption):
            desk.redemptions.loaded((one.account, one.id), one)
        else:
            desk.holds.loaded((one.account, one.id), one)
    aside = {(one.account, name) for one in desk.holds.values() for name in one.vouchers or ()}
    for voucher in await tx.fetch_by_keys(tables.voucher, aside, Voucher, lock="wait"):
        desk.vouchers.loaded((voucher.account, voucher.id), voucher)
    await _load_owners(tx, desk, {(one.account, one.customer) for one in taken})
    spent = {(one.account, one.txn) for one in taken}
    for leg in await tx.fetch_by_keys(tables.entry, spent, Entry, by=("account", "txn")):
        desk.earlier.setdefault((leg.account, leg.txn), []).append(leg)
    lots = {(leg.account, leg.lot) for legs in desk.earlier.values() for leg in legs if leg.lot}
    for lot in await tx.fetch_by_keys(tables.lot, lots, Lot):
        desk.loaded_lot(lot)


def _gives_back(order: Order) -> bool:
    """Whether anything of an order was given back, so that points which paid for it may be due."""
    return order.status in GIVEN_BACK or any(line.refunded for line in order.lines)


def _orders(work: Sequence[Work]) -> set[Key]:
    """The orders of a batch, and those that calls have credited."""
    named = {name for name in named_by(work) if name[1].startswith("ord_")}
    return named | {(item.account, item.fact.order.id) for item in order_facts(work)}


def _awaited(work: Sequence[Work]) -> set[Key]:
    """The lots of orders that activities are about: their points may have waited for these."""
    told = [item for item in work if type(item) is Event and type(item.fact) is ActivityReported]
    return {(item.account, lot_id(item.fact.reference)) for item in told if item.fact.reference.startswith("ord_")}


def _kept(desk: Desk, work: Sequence[Work]) -> set[Key]:
    """Members whose activity keeps all of their points alive."""
    sliding = {account for account, versions in desk.versions.items() if versions.at(desk.now).slides}
    return {(item.account, item.customer) for item in work if item.account in sliding}


def _drawing(work: Sequence[Work]) -> dict[Key, int]:
    """Points that calls draw of members of whom nothing else is wanted."""
    points: dict[Key, int] = {}
    for item in work:
        if type(item) is Command and item.draws:
            key = (item.account, item.customer)
            points[key] = points.get(key, 0) + item.draws
    return points


def _slides(desk: Desk, account: str) -> bool:
    """Whether a member's activity may lengthen the life of all her lots."""
    found = desk.versions.get(account)
    return found is not None and found.at(desk.now).slides


def _spenders(desk: Desk, work: Sequence[Work]) -> set[Key]:
    """Whose open lots are all wanted: customers of most calls, of timers, and with more than one fact in the batch."""
    facts = Counter((item.account, item.customer) for item in work if isinstance(item, Event))
    others = {
        (item.account, item.customer)
        for item in work
        if not isinstance(item, Event) and (isinstance(item, Due) or not item.draws or _slides(desk, item.account))
    }
    return others | {customer for customer, number in facts.items() if number > 1}
