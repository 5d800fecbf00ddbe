"""What a micro-batch has on its desk: members, ratings, lots and programmes, read and written by the set."""

from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import bindparam, update

from services.loyalty import awarding, budgets, tables, wallets
from services.loyalty.earning import lot_id
from services.loyalty.ledger import Change
from services.loyalty.programmes import Programme
from services.loyalty.records import Award, Entry, Hold, Lot, Member, ProgramVersion, Rating, Redemption, Transaction
from services.loyalty.versions import Versions, versions_for
from shared.db import Query, Tx
from shared.drafts import Added, Keyed
from shared.errors import Refused, Unavailable
from shared.events import Event
from shared.events.ingest import CustomerMerged, OrderFact
from shared.workset import Command, Due, Work, WorkSet, customers

Key = tuple[str, str]

HOLD_TIMER = "points.hold"
_journal = tables.journal
FORGET = Query(
    update(_journal)
    .where(_journal.c.account == bindparam("of"), _journal.c.customer == bindparam("who"))
    .values(note=None)
)


class Desk(WorkSet):
    """The wallets of all customers of a batch."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.members = Keyed[Key, Member]()
        self.lots = Keyed[Key, Lot]()
        self.ratings = Keyed[Key, Rating]()
        self.redemptions = Keyed[Key, Redemption]()
        self.holds = Keyed[Key, Hold]()
        self.transactions = Added[Transaction]()
        self.entries = Added[Entry]()
        self.forgotten = Added[Key]()
        self.drafts = Added[ProgramVersion]()
        self.awards = Keyed[Key, Award]()
        self.budgets = Keyed[Key, int]()
        self.versions: dict[str, Versions] = {}
        self.budgets_before: dict[Key, int] = {}
        self.earlier: dict[Key, list[Entry]] = {}
        self._lots_of: dict[Key, dict[str, None]] = {}
        self._rated: set[Key] = set()
        self._ratings_of: dict[Key, dict[str, None]] = {}

    def programmes(self, account: str, store: str) -> Versions:
        """The programme of an account; raises Unavailable while none could be made, its store not being known yet."""
        if account not in self.versions:
            self.store_of(account, store)
        return self.versions[account]

    def zone_of(self, account: str, store: str, programme: Programme) -> str:
        """The zone of a store's clock; the programme's where no store is named."""
        found = self.stores.get((account, store))
        return programme.zone if found is None else found.zone

    def budget_left(self, account: str, programme: Programme) -> int | None:
        """What is left of a programme's budget in the period that runs now; None where it has none."""
        if programme.budget is None:
            return None
        return max(0, self.budgets.get((account, budgets.period_of(programme, programme.budget, self.now))) or 0)

    def draw(self, account: str, programme: Programme, points: int) -> None:
        """Take points out of a programme's budget; what is taken back later does not flow back."""
        left = self.budget_left(account, programme)
        if programme.budget is not None and left is not None and points > 0:
            self.budgets[account, budgets.period_of(programme, programme.budget, self.now)] = left - points

    def loaded_lot(self, lot: Lot) -> None:
        """Take in a lot as it stands in the database."""
        if (lot.account, lot.id) not in self.lots:
            self.lots.loaded((lot.account, lot.id), lot)
        self._lots_of.setdefault((lot.account, lot.customer), {})[lot.id] = None

    def loaded_rating(self, rating: Rating) -> None:
        """Take in a rating as it stands in the database."""
        self.ratings.loaded((rating.account, rating.order_id), rating)
        self._rated.add((rating.account, rating.order_id))
        self._ratings_of.setdefault((rating.account, rating.customer), {})[rating.order_id] = None

    def put_lot(self, lot: Lot) -> None:
        """Put a changed lot on the desk."""
        self.lots[lot.account, lot.id] = lot
        self._lots_of.setdefault((lot.account, lot.customer), {})[lot.id] = None

    def put_rating(self, rating: Rating) -> None:
        """Put a changed rating on the desk."""
        self.ratings[rating.account, rating.order_id] = rating
        self._ratings_of.setdefault((rating.account, rating.customer), {})[rating.order_id] = None

    def lots_of(self, member: Member) -> list[Lot]:
        """A member's lots that are on the desk."""
        names = self._lots_of.get((member.account, member.customer), {})
        lots = [self.lots.get((member.account, name)) for name in names]
        return [lot for lot in lots if lot is not None and lot.customer == member.customer]

    def open_lots(self, member: Member) -> list[Lot]:
        """A member's lots in which something remains."""
        return [lot for lot in self.lots_of(member) if lot.open]

    def ratings_of(self, member: Member) -> list[Rating]:
        """The ratings of a member's orders that are on the desk."""
        names = self._ratings_of.get((member.account, member.customer), {})
        ratings = [self.ratings.get((member.account, name)) for name in names]
        return [rating for rating in ratings if rating is not None and rating.customer == member.customer]

    def spent(self, taken: Redemption | Hold) -> list[Entry]:
        """The legs of the transaction that took the points of a redemption or hold out of their lots."""
        key = (taken.account, taken.txn)
        return self.earlier.get(key) or [leg for leg in self.entries.rows if (leg.account, leg.txn) == key]

    def put_award(self, award: Award) -> None:
        """Put a new award on the desk."""
        self.awards[award.account, award.id] = award

    def awards_of(self, member: Member) -> list[Award]:
        """A member's awards that are on the desk."""
        return [one for one in self.awards.values() if (one.account, one.customer) == (member.account, member.customer)]

    def put_member(self, member: Member) -> Member:
        """Put a changed member on the desk."""
        self.members[member.account, member.customer] = member
        return member

    def book(self, change: Change) -> Member:
        """Put a transaction and what it changed on the desk; gives the member as it is afterwards."""
        for lot in change.lots:
            self.put_lot(lot)
        self.transactions.append(change.transaction)
        for entry in change.entries:
            self.entries.append(entry)
        return self.put_member(change.member)

    async def store(self, tx: Tx) -> None:
        """One set-based write for each table."""
        await tx.upsert_many(tables.member, [wallets.row_of(member) for member in self.members.stored])
        await self._store_ratings(tx)
        await tx.upsert_many(tables.lot, self.lots.stored)
        await tx.upsert_many(tables.redemption, self.redemptions.stored)
        await tx.upsert_many(tables.hold, self.holds.stored)
        await tx.delete_by_keys(tables.award, self.awards.removed)
        await tx.upsert_many(tables.award, self.awards.stored)
        await tx.insert_many(tables.journal, self.transactions.rows)
        await tx.insert_many(tables.entry, self.entries.rows)
        if len(await tx.insert_new(tables.program, self.drafts.rows, ("version",))) < len(self.drafts.rows):
            raise Refused("version_conflict", "somebody else changed the programme meanwhile", status=409)
        for account, customer in self.forgotten.rows:
            await tx.execute(FORGET, of=account, who=customer)
        await budgets.store(tx, self.budgets.changed, self.budgets_before)

    async def _store_ratings(self, tx: Tx) -> None:
        """Raises Unavailable, so that the batch is tried again, when somebody else rated an order first meanwhile."""
        changed = self.ratings.changed.items()
        first = [rating for key, rating in changed if rating is not None and key not in self._rated]
        if len(await tx.insert_new(tables.rating, first, ("order_id",))) < len(first):
            raise Unavailable("an order was rated under another customer meanwhile")
        await tx.upsert_many(tables.rating, [rating for key, rating in changed if rating and key in self._rated])


async def load(tx: Tx, work: Sequence[Work]) -> Desk:
    """Everything that judging a batch needs; a first fact of an account makes its default programme."""
    desk = Desk(tx.now)
    desk.versions = await versions_for(tx, work)
    for rating in await tx.fetch_by_keys(tables.rating, _orders(work), Rating, lock="wait"):
        desk.loaded_rating(rating)
    merging = await _load_merging(tx, desk, work)
    await _load_members(tx, desk, work)
    await _load_lots(tx, desk, work, merging)
    await _load_redemptions(tx, desk, work)
    await _load_awards(tx, desk, work)
    desk.budgets_before = await budgets.load(tx, desk.versions)
    for key, left in desk.budgets_before.items():
        desk.budgets.loaded(key, left)
    return desk


async def _load_merging(tx: Tx, desk: Desk, work: Sequence[Work]) -> set[Key]:
    """All lots of customers who merge, and the ratings of the orders these came from."""
    merges = [item for item in work if isinstance(item, Event) and isinstance(item.fact, CustomerMerged)]
    merging = set(customers(merges))
    lots = await tx.fetch_by_keys(tables.lot, merging, Lot, by=("account", "customer"))
    for lot in lots:
        desk.loaded_lot(lot)
    orders = {(lot.account, lot.source) for lot in lots}
    for rating in await tx.fetch_by_keys(tables.rating, orders, Rating, lock="wait"):
        desk.loaded_rating(rating)
    for award in await tx.fetch_by_keys(tables.award, merging, Award, by=("account", "customer")):
        desk.awards.loaded((award.account, award.id), award)
    return merging


async def _load_members(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The members of a batch, and those from whom one of its orders moves away."""
    named = set(customers(work))
    for member in await tx.fetch_by_keys(tables.member, named, wallets.member_of):
        desk.members.loaded((member.account, member.customer), member)
    others = {(rating.account, rating.customer) for rating in desk.ratings.values()} - named
    for member in await tx.fetch_by_keys(tables.member, others, wallets.member_of, lock="wait"):
        desk.members.loaded((member.account, member.customer), member)


async def _load_lots(tx: Tx, desk: Desk, work: Sequence[Work], merging: set[Key]) -> None:
    """The lots that may change: those of orders rated before, and all open ones of whoever may lose or spend points."""
    rated = list(desk.ratings.values())
    own = {(rating.account, lot_id(rating.order_id)) for rating in rated}
    for lot in await tx.fetch_by_keys(tables.lot, own, Lot):
        desk.loaded_lot(lot)
    owners = {(rating.account, rating.customer) for rating in rated} | merging | _spenders(work)
    for lot in await tx.fetch_by_keys(
        tables.lot, [(*owner, True) for owner in owners], Lot, by=("account", "customer", "open")
    ):
        desk.loaded_lot(lot)


async def _load_awards(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """What was paid already of what these facts and days may bring: nothing is asked where no rule pays for them."""
    known = [(item, desk.versions[item.account]) for item in work if item.account in desk.versions]
    wanted = {key for item, of in known for key in awarding.keys(item, of, tx.now)}
    for award in await tx.fetch_by_keys(tables.award, wanted, Award):
        desk.awards.loaded((award.account, award.id), award)


async def _load_redemptions(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The redemptions and holds that calls and timers are about, what each took, and the lots it came out of."""
    about = {(item.account, item.about) for item in work if isinstance(item, Command) and item.about}
    overdue = {(item.account, item.name) for item in work if isinstance(item, Due) and item.kind == HOLD_TIMER}
    for redemption in await tx.fetch_by_keys(tables.redemption, about, Redemption):
        desk.redemptions.loaded((redemption.account, redemption.id), redemption)
    for hold in await tx.fetch_by_keys(tables.hold, about | overdue, Hold):
        desk.holds.loaded((hold.account, hold.id), hold)
    taken: list[Redemption | Hold] = [*desk.redemptions.values(), *desk.holds.values()]
    spent = {(one.account, one.txn) for one in taken}
    for leg in await tx.fetch_by_keys(tables.entry, spent, Entry, by=("account", "txn")):
        desk.earlier.setdefault((leg.account, leg.txn), []).append(leg)
    lots = {(leg.account, leg.lot) for legs in desk.earlier.values() for leg in legs if leg.lot}
    for lot in await tx.fetch_by_keys(tables.lot, lots, Lot):
        desk.loaded_lot(lot)


def _orders(work: Sequence[Work]) -> set[Key]:
    return {
        (item.account, item.fact.order.id)
        for item in work
        if isinstance(item, Event) and isinstance(item.fact, OrderFact)
    }


def _spenders(work: Sequence[Work]) -> set[Key]:
    """Whose open lots are wanted: customers of calls and timers, and those with more than one fact in the batch."""
    facts = Counter((item.account, item.customer) for item in work if isinstance(item, Event))
    others = {(item.account, item.customer) for item in work if not isinstance(item, Event)}
    return others | {customer for customer, number in facts.items() if number > 1}
