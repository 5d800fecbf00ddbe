"""What a batch of deliveries has on its desk: persons and their names, orders, carts, read and written by the set."""

import hmac
from collections.abc import Iterable
from datetime import datetime

import msgspec
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, select, update

from services.ingest import tables
from services.ingest.claims import AnyClaim, Key, Trust
from services.ingest.identity import Claimed, recognise
from services.ingest.records import (
    AccountSecretRow,
    CartRow,
    CustomerRow,
    IdentityKeyRow,
    OrderRow,
    ProductRow,
    SourceRow,
    SuppressionRow,
    values,
)
from shared.db import Query, Tx, new_id
from shared.drafts import Added, Keyed
from shared.errors import Refused
from shared.events.ingest import CustomerMerged, CustomerNamed, ProfileUpdated
from shared.naming import digest_of as outside_digest
from shared.tables import AliasRow
from shared.workset import WorkSet

REDACTED = b"[erased]"
AGAIN = "again"
_delivery = tables.delivery
REDACT = Query(
    update(_delivery)
    .where(_delivery.c.account == bindparam("of"), _delivery.c.customer == bindparam("who"))
    .values(raw=REDACTED)
)


_archive = tables.kernel.archive
KEPT = ("order.", "customer.")
FORGET = Query(
    delete(_archive).where(
        _archive.c.account == bindparam("of"),
        _archive.c.customer == bindparam("who"),
        *(~_archive.c.type.startswith(prefix) for prefix in KEPT),
    )
)
NOBODYS = Query(
    select(_delivery.c.seq, _delivery.c.raw)
    .where(
        _delivery.c.account == bindparam("account"),
        _delivery.c.customer == "",
        _delivery.c.verdict != "",
        _delivery.c.seq > bindparam("after"),
    )
    .order_by(_delivery.c.seq)
    .limit(100)
)
_order, _cart = tables.customer_order, tables.cart
REOWN = tuple(
    Query(
        update(table)
        .where(table.c.account == bindparam("of"), table.c.customer == bindparam("loser"))
        .values(customer=bindparam("survivor"))
    )
    for table in (_order, _cart)
)


class Outcome(msgspec.Struct, frozen=True):
    """What became of a delivery: translated, dropped, suppressed, waiting; quarantined and parked come from outside."""

    state: str
    reason: str = ""
    customer: str = ""


class StoreChunk(msgspec.Struct, frozen=True, kw_only=True):
    """What erasing a store looks at next: customers with the stores their deliveries came from, or deliveries by seq.

    `only_store` says that the account has no other store; `rest` where to go on, empty at the end.
    """

    customers: tuple[str, ...] = ()
    trails: dict[str, set[str]] = {}
    only_store: bool = False
    deliveries: tuple[int, ...] = ()
    rest: dict[str, str | int] = {}


class IngestDesk(WorkSet):
    """The persons, orders, carts and products of all deliveries of a batch."""

    def __init__(self, now: datetime) -> None:
        super().__init__(now)
        self.customers = Keyed[tuple[str, str], CustomerRow]()
        self.names = Keyed[tuple[str, Key], IdentityKeyRow]()
        self.orders = Keyed[tuple[str, str], OrderRow]()
        self.carts = Keyed[tuple[str, str, str], CartRow]()
        self.products = Keyed[tuple[str, str], ProductRow]()
        self.sources = Keyed[tuple[str, str], SourceRow]()
        self.suppressions = Keyed[tuple[str, bytes], SuppressionRow]()
        self.secrets: dict[str, AccountSecretRow] = {}
        self.aliases = Added[AliasRow]()
        self.erased = Added[tuple[str, str]]()
        self.scrubbed = Added[int]()
        self.spellings = Added[tuple[str, bytes]]()
        self.settling = Added[tuple[int, str]]()
        self.translated: dict[int, list[AnyClaim] | Refused] = {}
        self.placed: dict[int, str] = {}
        self.chunks: dict[tuple[str, str], StoreChunk] = {}

    @property
    def settled(self) -> list[tuple[int, str]]:
        """Earlier deliveries (by seq) that waited for those of this batch, and what became of them."""
        return self.settling.rows

    @property
    def again(self) -> bool:
        """Whether the delivery in hand was understood before, and may only correct what it said."""
        return AGAIN in getattr(self.work, "meta", ())

    def source(self) -> SourceRow | None:
        """The source of the delivery in hand, if it is a store platform."""
        return self.sources.get((self.work.account, getattr(self.work, "source", "")))

    def holder(self, key: Key) -> IdentityKeyRow | None:
        """Who goes by a name, in the account of the work in hand."""
        return self.names.get((self.work.account, key))

    def person(self, customer: str) -> CustomerRow:
        """The person behind an id, after merges."""
        row = self.customers[self.work.account, customer]
        while row.merged_into:
            row = self.customers[self.work.account, row.merged_into]
        return row

    def digest(self, key: Key) -> bytes:
        """Keyed hash of a name: what is left of it once it is erased."""
        secret = self.secrets[self.work.account].hash_key
        return digest_of(secret, key)

    def suppressed(self, keys: Iterable[Key], at: datetime) -> bool:
        """Whether any of the names was erased at or after `at`."""
        if self.suppressions.empty:
            return False
        for key in keys:
            found = self.suppressions.get((self.work.account, self.digest(key)))
            if found is not None and at <= found.at:
                return True
        return False

    def recognise(self, keys: tuple[Key, ...], trust: Trust, at: datetime) -> str:
        """The customer whom a claim is about, found or made; joins and moves what the claim joins and moves."""
        account = self.work.account
        before = {key: self.holder(key) for key in keys}
        claimed = Claimed(account=account, keys=keys, trust=trust, at=at)
        found = recognise(claimed, self, lambda: CustomerRow(account, new_id("cus"), self.recorded))
        for key, row in found.names.items():
            if before.get(key) != row:
                self.names[account, key] = row
            if before.get(key) is None:
                self.tell_name(key, found.customer)
        for survivor, loser in found.merges:
            self.tell_merge(survivor, loser)
        for name, person in found.persons.items():
            was = self.customers.get((account, name))
            if was == person:
                continue
            self.customers[account, name] = person
            if was is not None and not person.merged_into and values(was) != values(person):
                self.tell_profile(person, at)
        return found.customer

    @property
    def recorded(self) -> datetime:
        """Business time at which the work in hand came in."""
        return getattr(self.work, "recorded", self.now)

    def tell_name(self, key: Key, customer: str) -> None:
        """Tell whose a store's own customer id is from now on, '' for nobody's; other names stay here."""
        if key.kind == "customer":
            digest = outside_digest(self.work.account, key.store, key.value).hex()
            self.emit(CustomerNamed(digest=digest, customer=customer), customer="", store=key.store)

    def tell_merge(self, survivor: str, loser: str) -> None:
        """Tell of a merge, and hand the loser's open carts to the survivor."""
        self.emit(CustomerMerged(loser=loser), customer=survivor)
        self.aliases.append(AliasRow(self.work.account, loser, survivor))
        for row in list(self.carts.values()):
            if row.customer == loser and row.account == self.work.account:
                self.carts[row.account, row.store, row.token] = replace(row, customer=survivor)

    def tell_profile(self, row: CustomerRow, at: datetime, store: str | None = None) -> None:
        """Tell the whole profile of a customer."""
        self.emit(ProfileUpdated(**values(row), updated_at=at), customer=row.id, store=store, time=at)

    async def store(self, tx: Tx) -> None:
        """One set-based write for each table."""
        await tx.upsert_many(tables.customer, self.customers.stored)
        gone = [(account, key.kind, key.store, key.value) for account, key in self.names.removed]
        await tx.delete_by_keys(tables.identity_key, gone)
        await tx.upsert_many(tables.identity_key, self.names.stored)
        await tx.upsert_many(tables.customer_order, self.orders.stored)
        await tx.delete_by_keys(tables.cart, self.carts.removed)
        await tx.upsert_many(tables.cart, self.carts.stored)
        await tx.upsert_many(tables.product, self.products.stored)
        left = [(row.account, row.id, row.uninstalled_at, row.redacted_at) for row in self.sources.stored]
        columns = ("uninstalled_at", "redacted_at")
        await tx.update_many(tables.source, by=("account", "id"), columns=columns, rows=left)
        await tx.upsert_many(tables.suppression, self.suppressions.stored)
        await tx.upsert_many(tables.kernel.alias, self.aliases.rows)
        for alias in self.aliases.rows:
            for reown in REOWN:
                await tx.execute(reown, of=alias.account, loser=alias.loser, survivor=alias.survivor)
        for account, customer in self.erased.rows:
            await tx.execute(REDACT, of=account, who=customer)
            await tx.execute(FORGET, of=account, who=customer)
        await self._scrub(tx, self.scrubbed.rows)
        await self._scrub_doubtful(tx)

    async def _scrub(self, tx: Tx, seqs: Iterable[int]) -> None:
        rows = [(seq, REDACTED, "erased") for seq in seqs]
        await tx.update_many(_delivery, by=("seq",), columns=("raw", "reason"), rows=rows)

    async def _scrub_doubtful(self, tx: Tx) -> None:
        """Redact deliveries that belong to nobody (quarantined ones) if they spell a name that was erased."""
        for account in {account for account, _ in self.spellings.rows}:
            spellings = {spelling for of, spelling in self.spellings.rows if of == account}
            after = 0
            while rows := await tx.fetch(NOBODYS, account=account, after=after):
                spelled = [seq for seq, raw in rows if any(spelling in raw.lower() for spelling in spellings)]
                await self._scrub(tx, spelled)
                after = rows[-1][0]


def digest_of(secret: bytes, key: Key) -> bytes:
    """HMAC-SHA256 of a name under an account's own key."""
    return hmac.digest(secret, f"{key.kind}|{key.store}|{key.value}".encode(), "sha256")
