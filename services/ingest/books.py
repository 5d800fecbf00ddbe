"""The books of ingest: every verdict is counted once, and names, orders and carts belong to customers there are."""

from sqlalchemy import Select, Table, and_, func, select

from services.ingest import tables
from shared.db import Query, Reader
from shared.service import Audit

_customer, _counter, _delivery = tables.customer, tables.kernel.counter, tables.delivery
_VERDICTS = Query(
    select(_delivery.c.verdict, func.count()).where(_delivery.c.verdict != "").group_by(_delivery.c.verdict)
)
_COUNTED = Query(
    select(_counter.c.name, func.sum(_counter.c.value))
    .where(_counter.c.name.startswith("deliveries:"))
    .group_by(_counter.c.name)
)


def _orphans(table: Table) -> Select[int]:
    """How many rows name a customer whom nobody knows."""
    both = and_(_customer.c.account == table.c.account, _customer.c.customer == table.c.customer)
    return (
        select(func.count())
        .select_from(table.outerjoin(_customer, both))
        .where(table.c.customer != "", _customer.c.customer.is_(None))
    )


def _merged(table: Table) -> Select[int]:
    """How many rows still name a customer who was merged away."""
    both = and_(_customer.c.account == table.c.account, _customer.c.customer == table.c.customer)
    return select(func.count()).select_from(table.join(_customer, both)).where(_customer.c.merged_into != "")


_CHECKS = {
    "names_without_customer": Query(_orphans(tables.identity_key)),
    "orders_without_customer": Query(_orphans(tables.customer_order)),
    "carts_without_customer": Query(_orphans(tables.cart)),
    "orders_of_merged_customers": Query(_merged(tables.customer_order)),
    "carts_of_merged_customers": Query(_merged(tables.cart)),
}
SIZED = (
    ("customers", _customer),
    ("orders", tables.customer_order),
    ("carts", tables.cart),
    ("products", tables.product),
)
_SIZES = {name: Query(select(func.count()).select_from(table)) for name, table in SIZED}


async def audit(reader: Reader) -> Audit:
    """How much there is, and what does not add up."""
    figures = {name: await _number(reader, query) for name, query in _SIZES.items()}
    found = {name: await _number(reader, query) for name, query in _CHECKS.items()}
    faults = [f"{name}: {number}" for name, number in found.items() if number]
    verdicts = {str(name): int(number) for name, number in await reader.fetch(_VERDICTS)}
    counted = {str(name).partition(":")[2]: int(number) for name, number in await reader.fetch(_COUNTED)}
    faults += [
        f"deliveries {name}: {number} rows, {counted.get(name, 0)} counted"
        for name, number in sorted(verdicts.items())
        if number != counted.get(name, 0)
    ]
    return Audit(figures | {f"deliveries_{name}": number for name, number in verdicts.items()}, faults)


async def _number(reader: Reader, query: Query) -> int:
    row = await reader.fetch_one(query)
    return int(row[0]) if row else 0
