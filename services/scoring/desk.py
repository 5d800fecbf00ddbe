"""What a micro-batch has on its desk: customers, their orders and the model in force, read and written by the set."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import TypeVar

from sqlalchemy import bindparam, select

from services.scoring import exchange, tables
from services.scoring.exchange import REVALUE
from services.scoring.features import NOBODY, Purchase, add, fits_on_top, local_day, purchase_of
from services.scoring.money import Rates, Reporting, is_foreign, valued
from services.scoring.records import Member, OrderRow, PulseRow, RefitRow, ServedRow
from services.scoring.scores import Served
from services.scoring.segments import Segment
from shared.config import stores_of
from shared.db import Query, Tx
from shared.drafts import Keyed
from shared.events import Event
from shared.events.ingest import CustomerErased, CustomerMerged, OrderFact
from shared.workset import Due, Work, WorkSet, customers, touched

Key = tuple[str, str]
D = TypeVar("D", bound="Desk")

RESCAN, REVIEW, REFOLD, REFIT = "segments.rescan", "segments.review", "habit.refold", "models.refit"
CHUNK = 1000

_member = tables.member
_CHUNK = Query(
    select(*_member.columns)
    .where(_member.c.account == bindparam("account"), _member.c.store == bindparam("store"))
    .where(_member.c.customer > bindparam("after"))
    .order_by(_member.c.customer)
    .limit(bindparam("most"))
)


class Desk(WorkSet):
    """All that scoring knows of the customers of a batch."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.members = Keyed[Key, Member]()
        self.orders = Keyed[Key, OrderRow]()
        self.pulses = Keyed[Key, PulseRow]()
        self.refits = Keyed[str, RefitRow]()
        self.served: dict[str, Served] = {}
        self.chunks: dict[Key, list[Member]] = {}
        self.reporting: dict[str, Reporting] = {}
        self.rates: dict[str, dict[int, Rates]] = {}
        self.revalued: dict[Key, list[str]] = {}
        self._orders_of: dict[Key, dict[str, None]] = {}

    def model(self, account: str) -> Served:
        """The model in force of an account; the prior before its first fit."""
        return self.served.get(account) or Served()

    def purchase(self, event: Event[OrderFact]) -> Purchase:
        """What the order of a fact counts for; raises Unavailable while its store is not known here."""
        paid = purchase_of(event.fact.order, event.store, self.store_of(event.account, event.store).zone)
        return paid if paid.currency == self.reporting[event.account].currency else self.valued(event.account, paid)

    def valued(self, account: str, purchase: Purchase) -> Purchase:
        """A purchase with its money in the currency that the account reports in."""
        return valued(purchase, self.reporting[account], self.rates.get(account, {}))

    def loaded_order(self, row: OrderRow) -> None:
        """Take in an order as it stands in the database."""
        self.orders.loaded((row.account, row.order_id), row)
        self._orders_of.setdefault((row.account, row.customer), {})[row.order_id] = None

    def put_order(self, row: OrderRow) -> None:
        """Put a changed order on the desk."""
        self.orders[row.account, row.order_id] = row
        self._orders_of.setdefault((row.account, row.customer), {})[row.order_id] = None

    def orders_of(self, account: str, customer: str) -> list[OrderRow]:
        """A customer's own list, for whom `load` saw that it would be needed."""
        rows = [self.orders.get((account, name)) for name in self._orders_of.get((account, customer), {})]
        return [row for row in rows if row is not None and row.customer == customer]

    async def store(self, tx: Tx) -> None:
        """One set-based write for each table."""
        await tx.upsert_many(tables.member, self.members.stored)
        await tx.delete_by_keys(tables.member, self.members.removed)
        await tx.upsert_many(tables.purchase, self.orders.stored)
        await tx.delete_by_keys(tables.purchase, self.orders.removed)
        await tx.insert_many(tables.pulse, self.pulses.stored, ignore_conflicts=True)
        await tx.upsert_many(tables.refit, self.refits.stored)


def new_member(account: str, customer: str, now: datetime) -> Member:
    """A customer of whom nothing is known yet."""
    return Member(account, customer, Segment.PROSPECT.value, now)


async def load(tx: Tx, work: Sequence[Work]) -> Desk:
    """Everything that judging a batch needs; whole lists of orders only of customers whose habit is folded anew."""
    return await filled(tx, Desk(tx.now), work)


async def filled(tx: Tx, desk: D, work: Sequence[Work]) -> D:
    """A desk with everything on it that judging a batch needs."""
    desk.stores = await stores_of(tx, tables.kernel, work)
    for member in await tx.fetch_by_keys(tables.member, customers(work), Member):
        desk.members.loaded((member.account, member.customer), member)
    await _load_orders(tx, desk, work)
    accounts = {(item.account,) for item in work}
    for row in await tx.fetch_by_keys(tables.served, accounts, ServedRow):
        desk.served[row.account] = row.served
    pulses = {(item.account, store) for item in work for store in ("", item.store)}
    for pulse in await tx.fetch_by_keys(tables.pulse, pulses, PulseRow):
        desk.pulses.loaded((pulse.account, pulse.store), pulse)
    await _load_chunks(tx, desk, work)
    await _load_revalued(tx, desk, work)
    return desk


async def _load_orders(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """The orders of a batch, locked: one that changes hands is judged under another customer's lock."""
    facts = [item for item in work if isinstance(item, Event) and isinstance(item.fact, OrderFact)]
    await _load_money(tx, desk, facts)
    keys = sorted({(fact.account, fact.fact.order.id) for fact in facts})
    await tx.insert_many(tables.purchase, [OrderRow.place(*key) for key in keys], ignore_conflicts=True)
    for row in await tx.fetch_by_keys(tables.purchase, keys, OrderRow, lock="wait"):
        desk.loaded_order(row)
    anew = {*_folded_anew(work), *_late(desk, facts)}
    for row in await tx.fetch_by_keys(tables.purchase, anew, OrderRow, by=("account", "customer")):
        desk.loaded_order(row)


async def _load_money(tx: Tx, desk: Desk, facts: Sequence[Event[OrderFact]]) -> None:
    """What accounts report in, and for orders in another currency the rates, which nobody may change meanwhile."""
    desk.reporting = await exchange.reporting_of(tx, {fact.account for fact in facts})
    abroad = [fact for fact in facts if _is_foreign(desk, fact)]
    if abroad:
        await exchange.hold(tx, {fact.account for fact in abroad})
        days = [(one.account, local_day(one.fact.order.placed_at, _zone(desk, one))) for one in abroad]
        desk.rates = await exchange.rates_for(tx, days)


def _is_foreign(desk: Desk, fact: Event[OrderFact]) -> bool:
    reporting = desk.reporting.get(fact.account)
    known = reporting is not None and (fact.account, fact.store) in desk.stores
    return known and is_foreign(fact.fact.order.currency, desk.reporting[fact.account])


def _zone(desk: Desk, fact: Event[OrderFact]) -> str:
    return desk.store_of(fact.account, fact.store).zone


async def _load_revalued(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """For each change of rates some of the orders it reaches, locked."""
    for item in work:
        if isinstance(item, Due) and item.kind == REVALUE:
            found = await exchange.piece_of(tx, item.account, item.payload, CHUNK)
            desk.revalued[item.account, item.name] = found
            keys = [(item.account, order) for order in found]
            rows = await tx.fetch_by_keys(tables.purchase, keys, OrderRow, lock="wait")
            for row in rows:
                desk.loaded_order(row)
            desk.reporting |= await exchange.reporting_of(tx, {item.account})
            for account, known in (await exchange.rates_for(tx, [(row.account, row.day) for row in rows])).items():
                desk.rates.setdefault(account, {}).update(known)


def _folded_anew(work: Iterable[Work]) -> Iterable[Key]:
    """Customers whose whole list is needed whatever it says."""
    for item in work:
        fact = item.fact if isinstance(item, Event) else None
        refold = isinstance(item, Due) and item.kind == REFOLD
        if refold or isinstance(fact, CustomerMerged | CustomerErased):
            yield from ((item.account, name) for name in touched(item))


def _late(desk: Desk, facts: Sequence[Event[OrderFact]]) -> Iterable[Key]:
    """Customers who have an order in the batch that may not simply be added to their habit."""
    habits = {key: member.habit for key in customers(facts) if (member := desk.members.get(key))}
    known = {(row.account, row.order_id): row.purchase for row in desk.orders.values()}
    for fact in facts:
        customer, order = (fact.account, fact.customer), (fact.account, fact.fact.order.id)
        newest = desk.purchase(fact)
        if fits_on_top(habits.get(customer, NOBODY), known[order], newest):
            habits[customer] = add(habits.get(customer, NOBODY), newest)
        else:
            yield customer
        known[order] = newest


async def _load_chunks(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """For each rescan the customers it looks at; unlocked, since it only finds whom to review."""
    for item in work:
        if isinstance(item, Due) and item.kind == RESCAN:
            after = item.payload.get("after", "")
            rows = await tx.fetch(_CHUNK, account=item.account, store=item.store, after=after, most=CHUNK)
            desk.chunks[item.account, item.name] = [Member(*row) for row in rows]
