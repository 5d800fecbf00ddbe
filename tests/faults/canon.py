"""What an installation has come to, without ids of ours and times: the same for the same input, whatever broke."""

from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec
from sqlalchemy import select

from services.ingest import tables as shop
from services.ingest.records import CartRow, CustomerRow, OrderRow
from services.ingest.taking_orders import order_of
from services.loyalty import tables as points
from services.loyalty.records import Entry, MemberRow, Transaction
from services.notifications import tables as mail
from services.notifications.records import Message
from services.scoring import tables as scores
from services.scoring.records import Member
from services.scoring.scores import Served, score
from shared.db.base import Database
from tests.faults.trade import OPENING

SCORED_AT = OPENING.toordinal() + 40
FIXED = Served()


class Canon(msgspec.Struct):
    """The books in the store's own names; `messages` counts what was sent or may have been, by its state."""

    orders: dict[str, Any]
    wallets: dict[str, tuple[str, int, int, int, int]]
    ledger: dict[tuple[str, str, str], int]
    sides: dict[tuple[str, str], int]
    scores: dict[str, Any]
    messages: dict[str, Counter[tuple[str, str, str]]]

    @property
    def went_out(self) -> Counter[tuple[str, str, str]]:
        """Messages that were sent or of which nobody can say."""
        return self.messages.get("accepted", Counter()) + self.messages.get("unknown", Counter())


class Names:
    """Our ids by the store's own."""

    def __init__(self, people: list[CustomerRow], orders: list[OrderRow], carts: list[CartRow]) -> None:
        self._people = {person.id: person for person in people}
        self.things = {order.id: order.external_id for order in orders} | {cart.id: cart.token for cart in carts}

    def of(self, customer: str) -> str:
        """Everything a customer, or whom they were merged into, goes by."""
        person = self._people[customer]
        while person.merged_into:
            person = self._people[person.merged_into]
        return " ".join(sorted(f"{key.kind}:{key.value}" for key in person.keys))

    def by_store_id(self) -> dict[str, str]:
        """Our ids by the store's."""
        living = [person for person in self._people.values() if not person.merged_into]
        return {key.value: person.id for person in living for key in person.keys if key.kind == "customer"}


async def names_of(ingest: Database) -> Names:
    """Who and what is known at ingest."""
    async with ingest.read() as reader:
        people = [CustomerRow(*row) for row in await reader.fetch(select(*shop.customer.columns))]
        orders = [OrderRow(*row) for row in await reader.fetch(select(*shop.customer_order.columns))]
        carts = [CartRow(*row) for row in await reader.fetch(select(*shop.cart.columns))]
    return Names(people, orders, carts)


async def canon_of(databases: Mapping[str, Database]) -> Canon:
    """Read everything; the services should be quiet."""
    names = await names_of(databases["ingest"])
    wallets, ledger, sides = await _owned(databases["loyalty"], names)
    return Canon(
        orders=await _orders(databases["ingest"], names),
        wallets=wallets,
        ledger=ledger,
        sides=sides,
        scores=await _scores(databases["scoring"], names),
        messages=await _messages(databases["notifications"], names),
    )


async def booked_of(databases: Mapping[str, Database]) -> Counter[str]:
    """How many transactions there are for each order, by the store's own names."""
    names = await names_of(databases["ingest"])
    async with databases["loyalty"].read() as reader:
        causes = [row[0] for row in await reader.fetch(select(points.journal.c.cause))]
    return Counter(names.things[cause] for cause in causes if cause in names.things)


async def _orders(db: Database, names: Names) -> dict[str, Any]:
    async with db.read() as reader:
        rows = [OrderRow(*row) for row in await reader.fetch(select(*shop.customer_order.columns))]
    found = {}
    for row in rows:
        order = order_of(row)
        assert order is not None, f"only a refund is known of {row.external_id}"
        lines = sorted((line.id, line.quantity, line.net, line.refunded) for line in order.lines)
        whole = (order.status.value, order.currency, order.total, order.refunded)
        found[row.external_id] = (names.of(row.customer), *whole, *lines)
    return found


async def _owned(db: Database, names: Names) -> tuple[Any, Any, Any]:
    """Wallets, what was booked for which cause (moving house with a merge aside), and the sides of the ledger."""
    async with db.read() as reader:
        members = [MemberRow(*row) for row in await reader.fetch(select(*points.member.columns))]
        journal = [Transaction(*row) for row in await reader.fetch(select(*points.journal.columns))]
        legs = [Entry(*row) for row in await reader.fetch(select(*points.entry.columns))]
    wallets = {}
    for one in members:
        if any((one.available, one.pending, one.held, one.debt)):
            wallets[names.of(one.customer)] = (one.tier, one.available, one.pending, one.held, one.debt)
    ledger: Counter[tuple[str, str, str]] = Counter()
    for done in journal:
        if done.kind != "merge":
            cause = names.things.get(done.cause, "")
            ledger[names.of(done.customer), done.kind, cause] += done.points
    whose = {done.id: names.of(done.customer) for done in journal}
    sides: Counter[tuple[str, str]] = Counter()
    for leg in legs:
        sides[whose[leg.txn], leg.side] += leg.points
    return wallets, dict(ledger), dict(sides)


async def _scores(db: Database, names: Names) -> dict[str, Any]:
    """Everybody's habit, and what a fixed model says of it on a fixed day."""
    async with db.read() as reader:
        members = [Member(*row) for row in await reader.fetch(select(*scores.member.columns))]
    found = {}
    for one in members:
        said = score(one.habit, FIXED, SCORED_AT)
        if said is not None:
            habit = (one.first_day, one.last_day, one.occasions, one.orders, one.purses)
            found[names.of(one.customer)] = (*habit, said)
    return found


async def _messages(db: Database, names: Names) -> dict[str, Counter[tuple[str, str, str]]]:
    found: dict[str, Counter[tuple[str, str, str]]] = {}
    for message in await messages_of(db):
        name = (names.of(message.customer), message.step, names.things.get(message.key, ""))
        found.setdefault(message.state.value, Counter())[name] += 1
    return found


async def messages_of(db: Database) -> list[Message]:
    """The send ledger."""
    async with db.read() as reader:
        return [mail.message_row(*row) for row in await reader.fetch(select(*mail.message.columns))]
