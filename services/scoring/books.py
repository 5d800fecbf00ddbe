"""The books of habits: what is kept of each customer is what her own orders come to."""

from sqlalchemy import and_, func, or_, select

from services.scoring import tables
from shared.db import Query, Reader
from shared.service import Audit

_member, _purchase = tables.member, tables.purchase

_orders = (
    select(
        _purchase.c.account,
        _purchase.c.customer,
        func.count().label("orders"),
        func.count(_purchase.c.day.distinct()).label("occasions"),
        func.min(_purchase.c.day).label("first_day"),
        func.max(_purchase.c.day).label("last_day"),
    )
    .where(_purchase.c.counts.is_(True), _purchase.c.customer != "")
    .group_by(_purchase.c.account, _purchase.c.customer)
    .subquery()
)
_same_customer = and_(_orders.c.account == _member.c.account, _orders.c.customer == _member.c.customer)
_ASTRAY = Query(
    select(func.count())
    .select_from(_member.outerjoin(_orders, _same_customer))
    .where(
        or_(
            _member.c.orders != func.coalesce(_orders.c.orders, 0),
            _member.c.occasions != func.coalesce(_orders.c.occasions, 0),
            _member.c.first_day != func.coalesce(_orders.c.first_day, 0),
            _member.c.last_day != func.coalesce(_orders.c.last_day, 0),
        )
    )
)
_OWNERLESS = Query(
    select(func.count()).select_from(_orders.outerjoin(_member, _same_customer)).where(_member.c.customer.is_(None))
)
_CUSTOMERS = Query(select(func.count()).select_from(_member).where(_member.c.occasions > 0))
_COUNTED = Query(select(func.count()).select_from(_purchase).where(_purchase.c.counts.is_(True)))


async def audit(reader: Reader) -> Audit:
    """How many customers and orders are scored; a fault for habits that their orders do not bear out."""
    astray, ownerless = await _number(reader, _ASTRAY), await _number(reader, _OWNERLESS)
    faults = [f"{astray} customers whose habit is not what their orders come to"] if astray else []
    if ownerless:
        faults.append(f"{ownerless} customers with orders of whom nothing is kept")
    figures = {"customers": await _number(reader, _CUSTOMERS), "orders": await _number(reader, _COUNTED)}
    return Audit(figures, faults)


async def _number(reader: Reader, query: Query) -> int:
    row = await reader.fetch_one(query)
    return int(row[0]) if row else 0
