"""What was made of deliveries, over HTTP: orders and carts."""

from datetime import datetime
from typing import Any

import msgspec
from fastapi import Request
from sqlalchemy import and_, bindparam, or_, select

from services.ingest import tables
from services.ingest.naming import order_id
from services.ingest.records import CartRow, OrderRow
from services.ingest.routes.customers import known
from services.ingest.routes.listing import BEGINNING, Cursor, Limit, Name, Since, own_id
from services.ingest.taking_carts import cart_of
from services.ingest.taking_orders import order_of
from shared.access import ServerKey
from shared.db import Query as Compiled
from shared.errors import not_found
from shared.events.ingest import Cart, Order
from shared.openapi import Answer, Router
from shared.web import Page, answer, page, read_cursor, reading

router = Router(tags=["orders, carts"])
_order, _cart = tables.customer_order, tables.cart
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


class OrderView(msgspec.Struct, frozen=True):
    """An order at its newest revision, whose it is and of which store."""

    customer: str
    store: str
    order: Order | None


class CartView(msgspec.Struct, frozen=True):
    """A cart as it is now; `open` until a purchase or its owner has ended it."""

    customer: str
    store: str
    open: bool
    cart: Cart | None


class Carts(msgspec.Struct, frozen=True):
    """A customer's carts."""

    data: list[CartView]


@router.get("/v1/orders")
async def list_orders(
    request: Request, caller: ServerKey, customer: str = "", limit: Limit = 50, cursor: Cursor = "", since: Since = None
) -> Answer[Page[OrderView]]:
    """The account's orders, or one customer's, in the order they were first heard of."""
    at, name = read_cursor(cursor, tuple[datetime, str]) if cursor else (since or BEGINNING, "")
    given: dict[str, Any] = {"account": caller.account, "at": at, "id": name, "most": limit + 1}
    async with reading(request) as reader:
        if customer:
            who = (await known(reader, caller.account, customer)).id
            rows = await reader.fetch(_ORDERS_OF, customer=who, **given)
        else:
            rows = await reader.fetch(_ALL_ORDERS, **given)
    return answer(page([OrderRow(*row) for row in rows], limit, lambda row: (row.recorded, row.id)).each(order_view))


def order_view(row: OrderRow) -> OrderView:
    """An order as the API shows it."""
    return OrderView(row.customer, row.store, order_of(row))


@router.get("/v1/orders/{order}")
async def get_order(request: Request, order: Name, caller: ServerKey) -> Answer[OrderView]:
    """One order by our id or the store's (`ext:<store>:<id>`), at its newest revision."""
    name = own_id(order_id, caller.account, order)
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.customer_order, [(caller.account, name)], OrderRow)
    if not rows or not rows[0].revision:
        raise not_found("order", order)
    return answer(order_view(rows[0]))


def cart_view(row: CartRow) -> CartView:
    """A cart as the API shows it."""
    return CartView(row.customer, row.store, row.open, cart_of(row))


@router.get("/v1/carts")
async def list_carts(request: Request, caller: ServerKey, customer: str) -> Answer[Carts]:
    """One customer's carts."""
    async with reading(request) as reader:
        who = (await known(reader, caller.account, customer)).id
        rows = await reader.fetch(_CARTS_OF, account=caller.account, customer=who)
    return answer(Carts([cart_view(CartRow(*row)) for row in rows]))


@router.get("/v1/carts/{cart}")
async def get_cart(request: Request, cart: Name, caller: ServerKey) -> Answer[CartView]:
    """One cart as it is now."""
    async with reading(request) as reader:
        row = await reader.fetch_one(_CART, account=caller.account, id=cart)
    if row is None:
        raise not_found("cart", cart)
    return answer(cart_view(CartRow(*row)))
