"""`verify --deep`: every entitlement worked out anew from the archive, every tier from what the entries say."""

from collections import Counter
from collections.abc import AsyncIterator, Sequence
from typing import Any

from sqlalchemy import and_, func, select

from services.loyalty import earning, standings, tables, terms, wallets
from services.loyalty.holders import MAIN, in_wallet, wallet_of, without_wallet
from services.loyalty.programmes import Programme
from services.loyalty.records import ISSUER, Lot, Member, Rating
from services.loyalty.rules import FirstOrder
from services.loyalty.versions import Versions, versions_of
from shared.db import Query, Reader
from shared.events import Event
from shared.events.ingest import Order, OrderFact
from shared.tables import attach

Key = tuple[str, str]
QUALIFYING = ("earn", "award", "clawback")
MOST_NAMED = 5
_kernel = attach(tables.metadata)
_entry, _journal, _parked = tables.entry, tables.journal, _kernel.parked
_both = and_(_journal.c.account == _entry.c.account, _journal.c.id == _entry.c.txn)
_ISSUED = Query(
    select(_entry.c.account, _entry.c.lot, _journal.c.kind, -func.sum(_entry.c.points))
    .select_from(_entry.join(_journal, _both))
    .where(_entry.c.side == ISSUER, _entry.c.lot != "")
    .group_by(_entry.c.account, _entry.c.lot, _journal.c.kind)
)
_PARKED = Query(select(_parked.c.account, _parked.c.customer).distinct())
_ALIASES = Query(select(*_kernel.alias.columns))
_RATINGS = Query(select(*tables.rating.columns))
_LOTS = Query(select(*tables.lot.columns))
_MEMBERS = Query(select(*tables.member.columns))


async def audit(reader: Reader, told: AsyncIterator[Sequence[Event[Any]]]) -> list[str]:
    """What does not follow from the facts of the archive, the stored contexts and the entries, in words."""
    deep = Deep(reader)
    await deep.read()
    async for events in told:
        await deep.see(events)
    deep.judge_ratings()
    await deep.judge_members()
    return deep.faults


class Deep:
    """One deep look at the ledger."""

    def __init__(self, reader: Reader) -> None:
        self._reader = reader
        self._issued: dict[Key, Counter[str]] = {}
        self._parked: set[Key] = set()
        self._aliases: dict[Key, str] = {}
        self._seen: set[Key] = set()
        self._ratings: dict[Key, Rating] = {}
        self._versions: dict[str, Versions] = {}
        self._astray: dict[str, dict[str, None]] = {}

    @property
    def faults(self) -> list[str]:
        """Each kind of fault, how often it was found, and some of whom."""
        return [f"{len(of)} {what}: {', '.join([*of][:MOST_NAMED])}" for what, of in sorted(self._astray.items())]

    def _amiss(self, what: str, whose: str) -> None:
        self._astray.setdefault(what, {})[whose] = None  # however many revisions show it

    async def read(self) -> None:
        """What is looked up again and again."""
        for account, lot, kind, points in await self._reader.fetch(_ISSUED):
            self._issued.setdefault((account, lot), Counter())[kind] += int(points)
        self._parked = {(account, customer) for account, customer in await self._reader.fetch(_PARKED)}
        self._aliases = {(row[0], row[1]): row[2] for row in await self._reader.fetch(_ALIASES)}
        found = [Rating(*row) for row in await self._reader.fetch(_RATINGS)]
        self._ratings = {(rating.account, rating.order_id): rating for rating in found}
        members = await self._reader.fetch(_MEMBERS)
        self._versions = await versions_of(self._reader, {row[0] for row in members})

    async def see(self, events: Sequence[Event[Any]]) -> None:
        """Hold archived revisions of orders against their ratings."""
        for event in events:
            if isinstance(event.fact, OrderFact):
                self._rated(event, event.fact.order)

    def _rated(self, event: Event[OrderFact], order: Order) -> None:
        """Hold one revision against the ratings it has brought: the main wallet's is always there."""
        key, owner = (event.account, order.id), self._owner(event.account, event.customer)
        rating = self._ratings.get(key)
        known = [(name, self._ratings[event.account, name]) for name in self._names(event.account, order.id)]
        if rating is None or rating.revision >= order.revision:
            self._seen.update((event.account, name) for name, _rating in known)
        if rating is None or rating.revision < order.revision:
            if (event.account, owner) not in self._parked:
                self._amiss("orders whose newest revision is not rated", order.id)
            return
        for name, one in known:
            if one.revision > order.revision:
                continue
            if self._owner(one.account, without_wallet(one.customer)) != owner:
                self._amiss("orders rated for somebody else", name)
            if one.points not in self._entitled(order, one):
                self._amiss("orders rated otherwise than their context says", name)

    def _names(self, account: str, order: str) -> list[str]:
        """How an order is called in the wallets in which it was rated."""
        found = self._versions.get(account)
        names = [order, *(in_wallet(order, wallet) for wallet in (found.wallets if found else ()))]
        return [name for name in names if (account, name) in self._ratings]

    def _entitled(self, order: Order, rating: Rating) -> set[int]:
        """What an order may have been rated at: a budget that was spent may leave less than the rules say."""
        context = rating.context
        if context is None:
            return {0}
        rules = self._versions[rating.account].numbered(context.version).of(wallet_of(rating.order_id))
        due = earning.entitlement(order, context, rules).points
        found = {due}
        if wallet_of(rating.order_id) == MAIN and any(one.budget for one in self._versions[rating.account].bodies):
            found.add(min(due, context.drawn))
        if not context.first_order and any(isinstance(rule, FirstOrder) and rule.group for rule in rules.rules):
            found.add(rating.points)  # a merge made it a later order: what the first order's rule beat stays beaten
        return found

    def _owner(self, account: str, customer: str) -> str:
        while (survivor := self._aliases.get((account, customer))) is not None:
            customer = survivor
        return customer

    def judge_ratings(self) -> None:
        """Every rating is of an archived order, and what the ledger issued for it is what it says."""
        for (account, order), rating in self._ratings.items():
            if (account, order) not in self._seen:
                self._amiss("ratings of orders that the archive does not know", order)
            issued = self._issued.get((account, earning.lot_id(order)), Counter[str]())
            if sum(issued[kind] for kind in QUALIFYING) != rating.points:
                self._amiss("ratings of which the entries say otherwise", order)

    async def judge_members(self) -> None:
        """What counts for a tier is what was issued, and the tier is what it comes to."""
        counted: Counter[Key] = Counter()
        imported: set[Key] = set()
        for lot in [Lot(*row) for row in await self._reader.fetch(_LOTS)]:
            issued = self._issued.get((lot.account, lot.id), Counter[str]())
            counted[lot.account, lot.customer] += sum(issued[kind] for kind in QUALIFYING)
            if issued["import"]:
                imported.add((lot.account, lot.customer))
        for member in [wallets.member_of(*row) for row in await self._reader.fetch(_MEMBERS)]:
            key = (member.account, member.customer)
            if wallet_of(member.customer) != MAIN:
                continue  # only points of the main wallet count for tiers
            if key not in imported and sum(move.points for move in member.moves) != counted[key]:
                self._amiss("members whose qualifying points are not what was issued", member.customer)
            if member.program and not self._stands(member, self._versions[member.account].at(self._reader.now)):
                self._amiss("members in another tier than their points come to", member.customer)

    def _stands(self, member: Member, programme: Programme) -> bool:
        today = terms.local_day(programme.zone, self._reader.now)
        level = standings.place(member, programme, today).level
        return programme.ladder.tiers[level].name == member.tier
