"""A store that leaves: its source is switched off with the app, and when asked its customers are forgotten by timer."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from services.ingest import tables
from services.ingest.claims import ForgetStoreClaim, Trust, UninstallClaim
from services.ingest.desk import REDACTED, IngestDesk, Outcome, StoreChunk
from services.ingest.erasure import erase
from services.ingest.moments import maybe
from services.ingest.records import CustomerRow, SourceRow
from services.ingest.tables import Delivery
from shared.db import Query, Tx
from shared.errors import Refused
from shared.workset import Due

FORGET = "store.forget"
MOST_CUSTOMERS = 100
MOST_DELIVERIES = 500
_customer, _delivery = tables.customer, tables.delivery
_CUSTOMERS = Query(
    select(*_customer.columns)
    .where(
        _customer.c.account == bindparam("account"),
        _customer.c.customer > bindparam("after"),
        _customer.c.merged_into == "",
        _customer.c.erased_at.is_(None),
    )
    .order_by(_customer.c.customer)
    .limit(MOST_CUSTOMERS)
)
_TRAILS = Query(
    select(_delivery.c.customer, _delivery.c.store)
    .where(
        _delivery.c.account == bindparam("account"),
        _delivery.c.customer >= bindparam("first"),
        _delivery.c.customer <= bindparam("last"),
    )
    .distinct()
)
_DELIVERIES = Query(
    select(_delivery.c.seq)
    .where(
        _delivery.c.account == bindparam("account"),
        _delivery.c.source == bindparam("source"),
        _delivery.c.recorded <= bindparam("at"),
        _delivery.c.raw != REDACTED,
        _delivery.c.verdict != "",
        _delivery.c.seq > bindparam("after"),
    )
    .order_by(_delivery.c.seq)
    .limit(MOST_DELIVERIES)
)


def uninstall(claim: UninstallClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Switch the source off: from now on only privacy requests of it count."""
    source = desk.source()
    if source is not None and source.uninstalled_at is None:
        desk.sources[source.account, source.id] = replace(source, uninstalled_at=desk.recorded)
    return Outcome("translated", "app_uninstalled")


def installed_again(source: SourceRow, delivery: Delivery) -> bool:
    """Whether the platform says that what it tells of happened after the app was taken away, so that it is back."""
    try:
        told = maybe(delivery.meta.get("triggered-at"))
    except Refused:
        return False
    return told is not None and source.uninstalled_at is not None and told > source.uninstalled_at


def forget_later(claim: ForgetStoreClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Have a timer forget the store's customers, a hundred at a time, and then what its source has told.

    What of the source is still to be taken in by then, a repeated one say, is refused when its turn comes.
    """
    source = getattr(desk.work, "source", "")
    row = desk.source()
    if row is not None:
        desk.sources[row.account, row.id] = replace(row, redacted_at=desk.recorded)
    payload = {"store": store, "source": source, "at": desk.recorded.isoformat(), "after": ""}
    desk.set_timer(FORGET, source, desk.now, payload, customer="", unguarded=True)
    return Outcome("translated", "store_erased")


async def load_chunks(tx: Tx, desk: IngestDesk, work: Sequence[Any]) -> set[tuple[str, str]]:
    """Put what each such timer has to look at next on the desk; gives the customers among it."""
    found: set[tuple[str, str]] = set()
    for item in work:
        if isinstance(item, Due) and item.kind == FORGET:
            load = _deliveries if "seq" in item.payload else _customers
            chunk = await load(tx, desk, item)
            desk.chunks[item.account, item.name] = chunk
            found.update((item.account, name) for name in chunk.customers)
    return found


async def _customers(tx: Tx, desk: IngestDesk, due: Due) -> StoreChunk:
    rows = [CustomerRow(*row) for row in await tx.fetch(_CUSTOMERS, account=due.account, after=due.payload["after"])]
    for row in rows:
        desk.customers.loaded((row.account, row.id), row)
    if not rows:
        return StoreChunk(rest={"seq": 0})
    trails: dict[str, set[str]] = {row.id: set() for row in rows}
    span = {"first": rows[0].id, "last": rows[-1].id}
    for customer, store in await tx.fetch(_TRAILS, account=due.account, **span):
        trails.setdefault(customer, set()).add(store)
    only = {store for account, store in desk.stores if account == due.account} == {due.payload["store"]}
    rest: dict[str, str | int] = {"after": rows[-1].id} if len(rows) == MOST_CUSTOMERS else {"seq": 0}
    return StoreChunk(customers=tuple(row.id for row in rows), trails=trails, only_store=only, rest=rest)


async def _deliveries(tx: Tx, _desk: IngestDesk, due: Due) -> StoreChunk:
    at = datetime.fromisoformat(due.payload["at"])
    wanted = {"source": due.payload["source"], "at": at, "after": due.payload["seq"]}
    seqs = tuple(int(seq) for (seq,) in await tx.fetch(_DELIVERIES, account=due.account, **wanted))
    return StoreChunk(deliveries=seqs, rest={"seq": seqs[-1]} if len(seqs) == MOST_DELIVERIES else {})


def forget_store(due: Due, desk: IngestDesk) -> None:
    """Forget the next customers of whom only this store ever spoke, then redact the next deliveries of its source."""
    chunk, store = desk.chunks[due.account, due.name], due.payload["store"]
    for name in chunk.customers:
        person = desk.person(name)
        stores = _stores(desk, person) | (chunk.trails[name] - {""})
        if person.erased_at is None and (stores == {store} or (not stores and chunk.only_store)):
            erase(desk, person, datetime.fromisoformat(due.payload["at"]), store)
    for seq in chunk.deliveries:
        desk.scrubbed.append(seq)
    if chunk.rest:
        payload = {**due.payload, **chunk.rest}
        desk.set_timer(FORGET, due.name, desk.now, payload, customer="", unguarded=True)


def _stores(desk: IngestDesk, person: CustomerRow) -> set[str]:
    """The stores that know a person by name, order or cart."""
    mine = {row.store for row in desk.orders.values() if (row.account, row.customer) == (person.account, person.id)}
    carts = {row.store for row in desk.carts.values() if (row.account, row.customer) == (person.account, person.id)}
    return mine | carts | {key.store for key in person.keys if key.store}
