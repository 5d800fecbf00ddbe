"""What a micro-batch needs on its desk, read by the set."""

from collections.abc import Iterator, Sequence
from typing import Any

from services.notifications import tables
from services.notifications.audience import address_hash, canonical_address
from services.notifications.desk import HAND_OVER, HOUSE, STEP, Desk
from services.notifications.engine import keys
from services.notifications.journeys import listening
from services.notifications.records import Contact, RunState, Suppression
from shared.config import decode_config
from shared.db.base import Tx
from shared.errors import Unavailable
from shared.events import Event
from shared.events.config import StoreConfigured
from shared.events.ingest import ConsentChanged, CustomerErased, CustomerMerged, ProfileUpdated
from shared.tables import ConfigRow
from shared.workset import Command, Due, Work, customers


async def load(tx: Tx, work: Sequence[Work]) -> Desk:
    """Put on the desk all that a batch may need."""
    row = await tx.fetch_one(HOUSE)
    if row is None:
        raise Unavailable("notifications has not started here yet")
    desk = Desk(tx.now, await tx.machine_now(), row[0], row[1])
    names = customers(work)
    for contact in await tx.fetch_by_keys(tables.contact, names, Contact):
        desk.contacts.loaded((contact.account, contact.customer), contact)
    await _load_sharers(tx, desk, work)
    await _load_messages(tx, desk, work)
    await _load_runs(tx, desk, work)
    await _load_suppressions(tx, desk, work)
    await _load_shops(tx, desk, work)
    return desk


async def _load_sharers(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    """Everybody at the addresses that may be written to; who wants a slot there holds the mailbox until the commit."""
    sending = [item for item in work if isinstance(item, Due) and item.kind in {STEP, HAND_OVER}]
    await _hold(tx, _addresses(desk, [item for item in sending if item.kind == STEP]))
    wanted = _addresses(desk, sending)
    for contact in await tx.fetch_by_keys(tables.contact, wanted, Contact, by=("account", "address")):
        desk.remember_sharer(contact)


async def _hold(tx: Tx, mailboxes: set[tuple[str, str]]) -> None:
    """Lock mailboxes, always after the customers' rows; those that are missing are made."""
    missing = mailboxes - set(await tx.lock_many(tables.mailbox, mailboxes))
    if missing:
        await tx.insert_many(tables.mailbox, sorted(missing), ignore_conflicts=True)
        await tx.lock_many(tables.mailbox, missing)


def _addresses(desk: Desk, work: Sequence[Work]) -> set[tuple[str, str]]:
    found = (desk.contacts.get(name) for name in customers(work))
    return {(contact.account, contact.address) for contact in found if contact is not None and contact.address}


async def _load_messages(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    ids = [(item.account, item.name) for item in work if isinstance(item, Due) and item.kind != STEP]
    found = await tx.fetch_by_keys(tables.message, ids, tables.message_row)
    whole = customers([item for item in work if _needs_all(item) or _asks(item)])
    found += await tx.fetch_by_keys(tables.message, whole, tables.message_row, by=("account", "customer"))
    shared = _addresses(desk, [item for item in work if _steps(item)])
    found += await tx.fetch_by_keys(tables.message, shared, tables.message_row, by=("account", "address"))
    for message in found:
        desk.messages.loaded((message.account, message.id), message)
        desk.remember_message(message)


async def _load_runs(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    wanted = {(item.account, name, key) for item in work for name, key in _run_keys(item)}
    named = {(item.account, item.name) for item in work if isinstance(item, Due) and item.kind != STEP}
    about = [message for message in desk.messages.values() if (message.account, message.id) in named]
    wanted |= {(message.account, message.journey, message.key) for message in about}
    found = await tx.fetch_by_keys(tables.journey_run, wanted, tables.run_row)
    moving = customers([item for item in work if isinstance(item, Event) or _steps(item)])
    running = [(*name, RunState.RUNNING) for name in moving]
    found += await tx.fetch_by_keys(tables.journey_run, running, tables.run_row, by=("account", "customer", "state"))
    whole = customers([item for item in work if _needs_all(item)])
    found += await tx.fetch_by_keys(tables.journey_run, whole, tables.run_row, by=("account", "customer"))
    for run in found:
        desk.runs.loaded((run.account, run.journey, run.key), run)
        desk.remember_run(run)


def _needs_all(item: Work) -> bool:
    return isinstance(item, Event) and isinstance(item.fact, CustomerMerged | CustomerErased)


def _asks(item: Work) -> bool:
    return isinstance(item, Command) or _steps(item)


def _steps(item: Work) -> bool:
    return isinstance(item, Due) and item.kind == STEP


def _run_keys(item: Work) -> Iterator[tuple[str, str]]:
    if isinstance(item, Due) and item.kind == STEP:
        yield item.payload["journey"], item.payload["key"]
    elif isinstance(item, Event):
        for journey in listening(item.fact.type):
            for key in keys(journey, item):
                yield journey.name, key


async def _load_suppressions(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    if not any(
        isinstance(item, Due | Command) or isinstance(item.fact, ConsentChanged | CustomerErased) for item in work
    ):
        return
    wanted = {(contact.account, contact.address) for contact in desk.contacts.values() if contact.address}
    wanted |= {(message.account, message.address) for message in desk.messages.values() if message.address}
    profiles = [item for item in work if isinstance(item, Event) and isinstance(item.fact, ProfileUpdated)]
    for event in profiles:
        wanted.add((event.account, address_hash(desk.key, canonical_address(event.fact.email))))
    rows = await tx.fetch_by_keys(tables.suppression, wanted, Suppression, by=("account", "address"))
    for row in rows:
        desk.suppressions.loaded((row.account, row.address, row.channel, row.purpose), row)


async def _load_shops(tx: Tx, desk: Desk, work: Sequence[Work]) -> None:
    if not any(isinstance(item, Due) for item in work):
        return
    held: list[Any] = [*desk.runs.values(), *desk.contacts.values(), *desk.messages.values()]
    named = {(one.account, one.store) for one in held if one.store}
    rows = await tx.fetch_by_keys(tables.kernel.config, named, ConfigRow)
    for row in rows:
        fact = decode_config(row)
        if isinstance(fact, StoreConfigured):
            desk.shops[row.account, row.id] = fact
