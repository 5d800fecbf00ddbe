"""Names that stores give their customers (`ext:<store>:<id>`): known in every service, by digest only."""

import hashlib
from typing import TYPE_CHECKING

from shared.db.base import Reader
from shared.events.base import Event
from shared.events.ingest import CustomerNamed
from shared.tables import AliasRow, KernelTables, NameRow

if TYPE_CHECKING:
    from shared.workset import WorkSet

PREFIX = "ext:"


def external(name: str) -> tuple[str, str] | None:
    """(store, the store's own id) that `ext:<store>:<id>` stands for; None for any other name."""
    store, _, value = name.removeprefix(PREFIX).partition(":")
    return (store, value) if name.startswith(PREFIX) and store and value else None


def digest_of(account: str, store: str, value: str) -> bytes:
    """What is kept of a store's own id of a customer: SHA-256, salted with account and store."""
    return hashlib.sha256(f"{account}|{store}|{value}".encode("utf-8", "surrogatepass")).digest()


def keep_name(event: Event[CustomerNamed], desk: "WorkSet") -> None:
    """Keep whose a name is from now on; one that is nobody's any more goes."""
    key = (event.account, bytes.fromhex(event.fact.digest))
    if event.fact.customer:
        desk.namings[key] = NameRow(*key, event.fact.customer)
    else:
        del desk.namings[key]


async def customer_behind(reader: Reader, kernel: KernelTables, account: str, name: str) -> str:
    """Our id of the customer whom a store names so, after merges; '' for a name that is nobody's."""
    parts = external(name)
    if parts is None:
        return ""
    rows = await reader.fetch_by_keys(kernel.name, [(account, digest_of(account, *parts))], NameRow)
    customer, seen = (rows[0].customer if rows else ""), {""}
    while customer not in seen:
        seen.add(customer)
        merged = await reader.fetch_by_keys(kernel.alias, [(account, customer)], AliasRow)
        customer = merged[0].survivor if merged else customer
    return customer
