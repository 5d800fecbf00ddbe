"""Erasure: names, profile, carts and deliveries of a customer go; keyed hashes stay, so that none comes back."""

from collections.abc import Iterable
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.ingest.claims import EraseClaim, Key, Trust
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.records import CustomerRow, SuppressionRow
from shared.events.ingest import CustomerErased
from shared.workset import Due

IN_FLIGHT = timedelta(hours=1)


def erase_named(claim: EraseClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Erase whoever goes by the names; names that nobody goes by are kept out all the same."""
    held = [desk.holder(key) for key in claim.keys]
    persons = {desk.person(row.customer).id for row in held if row is not None}
    _suppress(desk, claim.keys, claim.at)
    for name in sorted(persons):
        erase(desk, desk.person(name), claim.at, store)
    _scrub_doubtful(desk, claim.keys)
    seq = getattr(desk.work, "seq", None)
    if seq is not None:
        desk.scrubbed.append(seq)
    return Outcome("translated", "erased", customer=min(persons, default=""))


def erase(desk: IngestDesk, person: CustomerRow, at: datetime, store: str = "") -> None:
    """Forget a person and everybody merged into them: everything personal goes, the ids and the money stay."""
    account = person.account
    everyone = {person.id, *_merged_into(desk, person)}
    keys = set(person.keys)
    for order in list(desk.orders.values()):
        if order.account == account and order.customer in everyone:
            keys.update(order.state.buyer)
            desk.orders[account, order.id] = replace(order, state=replace(order.state, buyer=()))
    for cart in list(desk.carts.values()):
        if cart.account == account and cart.customer in everyone:
            del desk.carts[account, cart.store, cart.token]
    _suppress(desk, keys, at)
    for key in sorted(keys):
        if (account, key) in desk.names:
            del desk.names[account, key]
            desk.tell_name(key, "")
    for name in everyone:
        desk.erased.append((account, name))
        desk.set_timer("erasure.finish", name, desk.now + IN_FLIGHT, customer=person.id, unguarded=True)
    _scrub_doubtful(desk, keys)
    desk.customers[account, person.id] = replace(
        person, erased_at=at, keys=(), profile={}, consents={}, carts_ended={}, verified=False
    )
    desk.emit(CustomerErased(at=at), customer=person.id, store=store, time=at)


def finish(due: Due, desk: IngestDesk) -> None:
    """Forget what was still on its way into the archive when a customer was erased."""
    desk.erased.append((due.account, due.name))


def _merged_into(desk: IngestDesk, person: CustomerRow) -> set[str]:
    """The ids of all who were merged into a person, over any number of merges."""
    rows = [row for row in desk.customers.values() if row.account == person.account]
    return {row.id for row in rows if row.id != person.id and desk.person(row.id).id == person.id}


def _suppress(desk: IngestDesk, keys: Iterable[Key], at: datetime) -> None:
    account = desk.work.account
    for key in keys:
        digest = desk.digest(key)
        held = desk.suppressions.get((account, digest))
        if held is None or held.at < at:
            desk.suppressions[account, digest] = SuppressionRow(account, digest, at)


def _scrub_doubtful(desk: IngestDesk, keys: Iterable[Key]) -> None:
    """Have deliveries that belong to nobody searched for the names."""
    for key in keys:
        if key.kind in {"email", "phone"}:
            desk.spellings.append((desk.work.account, key.value.casefold().encode()))
