"""Loading: what a batch of deliveries or an API call needs, translated and read by the set."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from services.ingest import tables
from services.ingest.claims import AnyClaim, CartClaim, EraseClaim, Key, OrderClaim, ProductClaim, Said, Trust
from services.ingest.connectors import CONNECTORS, NATIVE, native
from services.ingest.connectors.base import Connector
from services.ingest.connectors.native import Native
from services.ingest.desk import IngestDesk, digest_of
from services.ingest.dialects import DIALECTS
from services.ingest.dialects.segment import Segment
from services.ingest.naming import order_id, product_id
from services.ingest.records import (
    AccountSecretRow,
    CartRow,
    CustomerRow,
    IdentityKeyRow,
    OrderRow,
    ProductRow,
    SourceRow,
    SuppressionRow,
)
from services.ingest.store_erasure import load_chunks
from services.ingest.tables import Delivery
from shared import naming
from shared.config import ConfigList
from shared.db import Tx
from shared.errors import Refused
from shared.events.config import StoreConfigured
from shared.tables import ConfigRow
from shared.work import Stretch
from shared.workset import Command, Due

INTERPRETERS: dict[str, Connector | Segment | Native] = {**CONNECTORS, **DIALECTS, "native": NATIVE}
_STORES = ConfigList(tables.kernel)


async def load(tx: Tx, work: Sequence[Any], now: datetime | None = None) -> IngestDesk:
    """A desk with all that judging a batch needs."""
    desk = IngestDesk(now or tx.now)
    accounts = sorted({item.account for item in work})
    await _load_accounts(tx, desk, accounts)
    calls = [item for item in work if isinstance(item, Command)]
    if calls or any(
        isinstance(item, Due) for item in work
    ):  # intake holds the account's row while it works; so do calls that change what it reads
        await tx.fetch_by_keys(tables.kernel.config, [(name, name) for name in accounts], ConfigRow, lock="wait")
    stretch = Stretch()
    for item in work:
        if isinstance(item, Delivery):
            await stretch.between()
            translate(desk, item)
    await _load_claimed(tx, desk, work)
    await _load_called(tx, desk, calls)
    await _load_persons(tx, desk)
    erasing = _erasing(desk, work) | await load_chunks(tx, desk, work)
    if erasing:
        await _load_belongings(tx, desk, erasing)
    await _load_open_carts(tx, desk)
    return desk


async def _load_accounts(tx: Tx, desk: IngestDesk, accounts: Sequence[str]) -> None:
    for account in accounts:
        stores = await _STORES.of_account(tx, StoreConfigured, account)
        desk.stores.update({(account, store.id): store for store in stores if isinstance(store, StoreConfigured)})
    rows = await tx.fetch_by_keys(tables.account_secret, [(account,) for account in accounts], AccountSecretRow)
    desk.secrets = {row.account: row for row in rows}


def translate(desk: IngestDesk, item: Delivery) -> None:
    """Read a delivery into claims; what cannot be read is kept as its refusal."""
    try:
        store = _store_of(desk, item)
        said = Said(
            raw=item.raw,
            meta=item.meta,
            account=item.account,
            store=store.id,
            currency=store.currency,
            trust=Trust(item.trust),
            recorded=item.recorded,
            lane=item.lane,
        )
        desk.placed[item.seq] = store.id
        desk.translated[item.seq] = INTERPRETERS[item.kind].translate(said)
    except Refused as refused:
        desk.translated[item.seq] = refused


def _store_of(desk: IngestDesk, item: Delivery) -> StoreConfigured:
    """The store a delivery belongs to: the key's, else the one it names, else the account's only one."""
    named = item.store or (native.store_of(item.raw) if item.kind == "native" else "")
    mine = {store: found for (account, store), found in desk.stores.items() if account == item.account}
    if named in mine:
        return mine[named]
    if named or len(mine) != 1:
        raise Refused("unknown_store", f"no store {named!r}" if named else "the event does not name its store")
    return next(iter(mine.values()))


def _claims(desk: IngestDesk, work: Sequence[Any]) -> Iterable[tuple[str, str, AnyClaim]]:
    """(account, store, claim) of a whole batch."""
    for item in work:
        found = desk.translated.get(item.seq) if isinstance(item, Delivery) else None
        if isinstance(found, list):
            for claim in found:
                yield item.account, desk.placed[item.seq], claim


class _Spoken:
    """What the claims of a batch speak of, by key."""

    def __init__(self) -> None:
        self.names: set[tuple[str, Key]] = set()
        self.orders: set[tuple[str, str]] = set()
        self.carts: set[tuple[str, str, str]] = set()
        self.products: set[tuple[str, str]] = set()

    def of(self, account: str, store: str, claim: AnyClaim) -> None:
        """Note what one claim speaks of."""
        self.names.update((account, key) for key in claim.keys)
        if isinstance(claim, OrderClaim):
            self.orders.add((account, order_id(account, store, claim.external_id)))
            self.names.add((account, Key("order", store, claim.external_id)))
            tokens = (claim.cart_token, claim.checkout_token)
            self.carts.update((account, store, token) for token in tokens if token)
        elif isinstance(claim, CartClaim):
            self.carts.add((account, store, claim.token))
        elif isinstance(claim, ProductClaim):
            self.products.add((account, product_id(account, store, claim.external_id)))


async def _load_claimed(tx: Tx, desk: IngestDesk, work: Sequence[Any]) -> None:
    """Names, orders, carts, products and suppressions that the claims of a batch speak of."""
    spoken = _Spoken()
    for account, store, claim in _claims(desk, work):
        spoken.of(account, store, claim)
    await _load_names(tx, desk, spoken.names)
    platforms = {(item.account, item.source) for item in work if isinstance(item, Delivery) and item.kind in CONNECTORS}
    for source in await tx.fetch_by_keys(tables.source, platforms, SourceRow):
        desk.sources.loaded((source.account, source.id), source)
    for order in await tx.fetch_by_keys(tables.customer_order, spoken.orders, OrderRow):
        desk.orders.loaded((order.account, order.id), order)
    for cart in await tx.fetch_by_keys(tables.cart, spoken.carts, CartRow):
        desk.carts.loaded((cart.account, cart.store, cart.token), cart)
    for product in await tx.fetch_by_keys(tables.product, spoken.products, ProductRow):
        desk.products.loaded((product.account, product.id), product)
    await _load_suppressions(tx, desk, spoken.names)


async def _load_suppressions(tx: Tx, desk: IngestDesk, names: Iterable[tuple[str, Key]]) -> None:
    """Which of the names were erased; no name is hashed where nobody ever was."""
    accounts = {(account,) for account, _ in names}
    erasing = await tx.fetch_first_by_keys(
        tables.suppression, accounts, SuppressionRow, by=("account",), order=("digest",), most=1
    )
    some = {row.account for row in erasing}
    digests = [(account, digest_of(desk.secrets[account].hash_key, key)) for account, key in names if account in some]
    for row in await tx.fetch_by_keys(tables.suppression, digests, SuppressionRow):
        desk.suppressions.loaded((row.account, row.digest), row)


async def _load_names(tx: Tx, desk: IngestDesk, names: Iterable[tuple[str, Key]]) -> None:
    keys = [(account, key.kind, key.store, key.value) for account, key in names]
    for row in await tx.fetch_by_keys(tables.identity_key, keys, IdentityKeyRow):
        desk.names.loaded((row.account, Key(row.kind, row.store, row.value)), row)


async def _load_called(tx: Tx, desk: IngestDesk, calls: Sequence[Command]) -> None:
    """The customers that an API call names, by our id or (`ext:<store>:<id>`) by a store's."""
    named = {(call.account, name) for call in calls for name in (call.customer, call.about) if name}
    outside = {(account, key) for account, name in named if (key := external(name)) is not None}
    if outside:
        await _load_names(tx, desk, outside)
    for row in await tx.fetch_by_keys(tables.customer, named, CustomerRow):
        desk.customers.loaded((row.account, row.id), row)


def external(name: str) -> Key | None:
    """The key that `ext:<store>:<the store's id>` stands for; None for any other name."""
    parts = naming.external(name)
    return None if parts is None else Key("customer", *parts)


async def _load_persons(tx: Tx, desk: IngestDesk) -> None:
    """The persons behind all names, orders and carts on the desk, and those they were merged into."""
    wanted = {(name.account, name.customer) for name in desk.names.values()}
    wanted |= {(order.account, order.customer) for order in desk.orders.values() if order.customer}
    wanted |= {(cart.account, cart.customer) for cart in desk.carts.values() if cart.customer}
    wanted |= {(row.account, row.merged_into) for row in desk.customers.values() if row.merged_into}
    while missing := {key for key in wanted if key not in desk.customers}:
        found = await tx.fetch_by_keys(tables.customer, missing, CustomerRow)
        for row in found:
            desk.customers.loaded((row.account, row.id), row)
        wanted = {(row.account, row.merged_into) for row in found if row.merged_into}


def _erasing(desk: IngestDesk, work: Sequence[Any]) -> set[tuple[str, str]]:
    """Persons of whom a batch may need everything: those it erases, and those an API call names."""
    found = {(item.account, name) for item in work if isinstance(item, Command) for name in (item.customer, item.about)}
    for account, _store, claim in _claims(desk, work):
        if isinstance(claim, EraseClaim):
            held = [desk.names.get((account, key)) for key in claim.keys]
            found |= {(account, row.customer) for row in held if row is not None}
    return {key for key in found if key in desk.customers}


async def _load_belongings(tx: Tx, desk: IngestDesk, persons: set[tuple[str, str]]) -> None:
    """Everything that belongs to persons or to those merged into them: names, orders, carts."""
    everyone = await _kin(tx, desk, persons)
    for order in await tx.fetch_by_keys(tables.customer_order, everyone, OrderRow, by=("account", "customer")):
        if (order.account, order.id) not in desk.orders:
            desk.orders.loaded((order.account, order.id), order)
    for cart in await tx.fetch_by_keys(tables.cart, everyone, CartRow, by=("account", "customer")):
        if (cart.account, cart.store, cart.token) not in desk.carts:
            desk.carts.loaded((cart.account, cart.store, cart.token), cart)
    held = {(account, key) for account, name in everyone for key in desk.customers[account, name].keys}
    await _load_names(tx, desk, held)


async def _kin(tx: Tx, desk: IngestDesk, persons: set[tuple[str, str]]) -> set[tuple[str, str]]:
    """The persons with everybody whom they were merged into and who was merged into them."""
    everyone = set(persons)
    for account, name in persons:
        row = desk.customers[account, name]
        while row.merged_into:
            row = desk.customers[account, row.merged_into]
            everyone.add((account, row.id))
    fringe = everyone
    while fringe:
        losers = await tx.fetch_by_keys(tables.customer, fringe, CustomerRow, by=("account", "merged_into"))
        for row in losers:
            desk.customers.loaded((row.account, row.id), row)
        fringe = {(row.account, row.id) for row in losers} - everyone
        everyone = everyone | fringe
    return everyone


async def _load_open_carts(tx: Tx, desk: IngestDesk) -> None:
    """The open carts of everybody on the desk."""
    owners = [(row.account, row.id, True) for row in desk.customers.values() if not row.merged_into]
    for cart in await tx.fetch_by_keys(tables.cart, owners, CartRow, by=("account", "customer", "open")):
        if (cart.account, cart.store, cart.token) not in desk.carts:
            desk.carts.loaded((cart.account, cart.store, cart.token), cart)
