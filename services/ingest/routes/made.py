"""What was made of deliveries, over HTTP: orders, carts, and the deliveries themselves with their verdicts."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Path, Query, Request, Response
from sqlalchemy import and_, bindparam, or_, select

from services.ingest import tables
from services.ingest.records import CartRow, OrderRow
from services.ingest.reprocessing import check, take_again
from services.ingest.routes.changing import KEYED, change
from services.ingest.routes.customers import known
from services.ingest.tables import Delivery
from services.ingest.taking_carts import cart_of
from services.ingest.taking_orders import order_of
from shared.access import ServerKey
from shared.db import Query as Compiled
from shared.db import Tx
from shared.errors import not_found
from shared.web import MOST_PER_PAGE, answer, page, read_cursor, reading, running_of

router = APIRouter(tags=["orders, carts, deliveries"])
Name = Annotated[str, Path(max_length=700)]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str, Query(max_length=400)]
_order, _cart, _delivery = tables.customer_order, tables.cart, tables.delivery
_ORDERS = (
    select(*_order.columns)
    .where(_order.c.account == bindparam("account"), _order.c.revision > 0)
    .where(
        or_(
            _order.c.recorded > bindparam("at"),
            and_(_order.c.recorded == bindparam("at"), _order.c.id > bindparam("id")),
        )
    )
    .order_by(_order.c.recorded, _order.c.id)
    .limit(bindparam("most"))
)
_ALL_ORDERS = Compiled(_ORDERS)
_ORDERS_OF = Compiled(_ORDERS.where(_order.c.customer == bindparam("customer")))
_CARTS = select(*_cart.columns).where(_cart.c.account == bindparam("account"), _cart.c.revision > 0)
_CART = Compiled(_CARTS.where(_cart.c.id == bindparam("id")))
_CARTS_OF = Compiled(_CARTS.where(_cart.c.customer == bindparam("customer")).order_by(_cart.c.id))
_DELIVERIES = (
    select(*_delivery.columns)
    .where(_delivery.c.account == bindparam("account"), _delivery.c.seq > bindparam("after"))
    .order_by(_delivery.c.seq)
    .limit(bindparam("most"))
)
_ALL_DELIVERIES = Compiled(_DELIVERIES)
_DELIVERIES_BY = Compiled(_DELIVERIES.where(_delivery.c.verdict == bindparam("verdict")))
_BEGINNING = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


@router.get("/v1/orders")
async def list_orders(
    request: Request, caller: ServerKey, customer: str = "", limit: Limit = 50, cursor: Cursor = ""
) -> Response:
    """The account's orders, or one customer's, in the order they were first heard of."""
    at, name = read_cursor(cursor, tuple[datetime, str]) if cursor else (_BEGINNING, "")
    given: dict[str, Any] = {"account": caller.account, "at": at, "id": name, "most": limit + 1}
    async with reading(request) as reader:
        if customer:
            who = (await known(reader, caller.account, customer)).id
            rows = await reader.fetch(_ORDERS_OF, customer=who, **given)
        else:
            rows = await reader.fetch(_ALL_ORDERS, **given)
    listed = page([OrderRow(*row) for row in rows], limit, lambda row: (row.recorded, row.id))
    data = [order_view(row) for row in listed.data]
    return answer({"data": data, "next_cursor": listed.next_cursor, "has_more": listed.has_more})


def order_view(row: OrderRow) -> dict[str, Any]:
    """An order as the API shows it."""
    return {"customer": row.customer, "store": row.store, "order": order_of(row)}


@router.get("/v1/orders/{order}")
async def get_order(request: Request, order: Name, caller: ServerKey) -> Response:
    """One order at its newest revision."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.customer_order, [(caller.account, order)], OrderRow)
    if not rows or not rows[0].revision:
        raise not_found("order", order)
    return answer(order_view(rows[0]))


def cart_view(row: CartRow) -> dict[str, Any]:
    """A cart as the API shows it."""
    return {"customer": row.customer, "store": row.store, "open": row.open, "cart": cart_of(row)}


@router.get("/v1/carts")
async def list_carts(request: Request, caller: ServerKey, customer: str) -> Response:
    """One customer's carts."""
    async with reading(request) as reader:
        who = (await known(reader, caller.account, customer)).id
        rows = await reader.fetch(_CARTS_OF, account=caller.account, customer=who)
    return answer({"data": [cart_view(CartRow(*row)) for row in rows]})


@router.get("/v1/carts/{cart}")
async def get_cart(request: Request, cart: Name, caller: ServerKey) -> Response:
    """One cart as it is now."""
    async with reading(request) as reader:
        row = await reader.fetch_one(_CART, account=caller.account, id=cart)
    if row is None:
        raise not_found("cart", cart)
    return answer(cart_view(CartRow(*row)))


def delivery_view(row: Delivery) -> dict[str, Any]:
    """A delivery as the API shows it."""
    return {
        "id": str(row.id),
        "source": row.source,
        "store": row.store,
        "kind": row.kind,
        "lane": row.lane,
        "recorded_at": row.recorded,
        "verdict": row.verdict or "untaken",
        "reason": row.reason,
        "customer": row.customer,
        "raw": row.raw.decode("utf-8", "replace"),
    }


@router.get("/v1/deliveries")
async def list_deliveries(
    request: Request, caller: ServerKey, verdict: str = "", limit: Limit = 50, cursor: Cursor = ""
) -> Response:
    """What sources told us and what became of it; `verdict=quarantined` for what could not be understood."""
    after = read_cursor(cursor, tuple[int])[0] if cursor else 0
    given: dict[str, Any] = {"account": caller.account, "after": after, "most": limit + 1}
    async with reading(request) as reader:
        if verdict:
            rows = await reader.fetch(_DELIVERIES_BY, verdict="" if verdict == "untaken" else verdict, **given)
        else:
            rows = await reader.fetch(_ALL_DELIVERIES, **given)
    listed = page([Delivery(*row) for row in rows], limit, lambda row: (row.seq,))
    data = [delivery_view(row) for row in listed.data]
    return answer({"data": data, "next_cursor": listed.next_cursor, "has_more": listed.has_more})


@router.post("/v1/deliveries/{delivery}/reprocess", openapi_extra=KEYED)
async def reprocess(request: Request, delivery: UUID, caller: ServerKey) -> Response:
    """Have a delivery taken in again, after what was wrong has been mended; what it told before is only corrected."""
    running = running_of(request)

    async def act(tx: Tx) -> Any:
        rows = await tx.fetch_by_keys(tables.delivery, [(delivery,)], Delivery, by=("id",))
        if not rows or rows[0].account != caller.account:
            raise not_found("delivery", str(delivery))
        check(rows[0])
        await take_again(tx, running.writer, rows)
        return {"id": str(delivery), "verdict": "untaken"}

    return await change(request, caller.account, act)
