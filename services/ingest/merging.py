"""Merges and splits by command: what only the store's own people may decide."""

from msgspec.structs import replace

from services.ingest.claims import Key
from services.ingest.desk import IngestDesk
from services.ingest.identity import joined, ranked, without
from services.ingest.records import CustomerRow, Told, values
from services.ingest.taking_orders import order_of
from shared.db import new_id
from shared.errors import Refused
from shared.events.ingest import CustomerSplit, OrderUpdated


def merge(desk: IngestDesk, one: str, other: str) -> str:
    """Make two customers one, even two of one store; gives the survivor. Raises Refused for one and the same."""
    first, second = desk.person(one), desk.person(other)
    if first.id == second.id:
        raise Refused("already_merged", "these are one customer already", status=409)
    if first.erased_at or second.erased_at:
        raise Refused("erased", "an erased customer cannot be merged", status=409)
    survivor, loser = ranked(first, second)
    both = joined(survivor, loser)
    account = survivor.account
    desk.customers[account, survivor.id] = both
    desk.customers[account, loser.id] = replace(
        loser, merged_into=survivor.id, keys=(), profile={}, consents={}, carts_ended={}
    )
    desk.tell_merge(survivor.id, loser.id)
    if values(both) != values(survivor):
        desk.tell_profile(both, desk.now)
    return survivor.id


def split(desk: IngestDesk, survivor: str, merged: str) -> str:
    """Undo a merge: what came with `merged` goes to a new customer, whose id is given; what was spent stays.

    Raises Refused when `merged` was not merged into the survivor.
    """
    person, loser = desk.person(survivor), desk.customers.get((desk.work.account, merged))
    if loser is None or loser.id == person.id or desk.person(merged).id != person.id:
        raise Refused("not_merged", f"{merged} was not merged into {person.id}", status=409)
    leaving = {key for key in person.keys if _origin(desk, key) == merged}
    if not leaving:
        raise Refused("nothing_to_split", "no name is left that came with that customer", status=409)
    contact = {str(key.kind): Told(key.value, desk.now) for key in sorted(leaving) if key.kind in {"email", "phone"}}
    keys = tuple(sorted(leaving))
    new = CustomerRow(person.account, new_id("cus"), loser.recorded, keys=keys, verified=True, profile=contact)
    for key in keys:
        held = desk.names[person.account, key]
        desk.names[person.account, key] = replace(held, customer=new.id, origin=new.id)
        desk.tell_name(key, new.id)
        person = without(person, key)
    desk.customers[person.account, person.id] = person
    desk.customers[new.account, new.id] = new
    _move(desk, person.id, new.id, leaving)
    for row in (person, new):
        desk.tell_profile(row, desk.now)
    return new.id


def _origin(desk: IngestDesk, key: Key) -> str:
    held = desk.holder(key)
    return held.origin if held else ""


def _move(desk: IngestDesk, survivor: str, new: str, leaving: set[Key]) -> None:
    """Give the orders that were bought under the leaving names to the new customer, as next revisions."""
    rows = [
        row
        for row in desk.orders.values()
        if row.account == desk.work.account
        and row.customer
        and desk.person(row.customer).id == survivor
        and leaving.intersection(row.state.buyer)
    ]
    orders = tuple(sorted(row.id for row in rows))
    desk.emit(CustomerSplit(to=new, orders=orders), customer=survivor, time=desk.now)
    for row in sorted(rows, key=lambda row: row.id):
        after = replace(row, customer=new, revision=row.revision + 1)
        desk.orders[row.account, row.id] = after
        order = order_of(after)
        if order is not None:
            desk.emit(OrderUpdated(order=order, change="owner"), customer=new, store=row.store, time=desk.now)
