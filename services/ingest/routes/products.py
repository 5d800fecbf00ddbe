"""Products over HTTP: the catalogue as the stores tell it."""

from datetime import datetime
from typing import Any

from fastapi import APIRouter, Request, Response
from sqlalchemy import and_, bindparam, or_, select

from services.ingest import tables
from services.ingest.naming import product_id
from services.ingest.records import ProductRow
from services.ingest.routes.listing import BEGINNING, Cursor, Limit, Name, Since, own_id
from shared.access import ServerKey
from shared.db import Query as Compiled
from shared.errors import not_found
from shared.web import answer, page, read_cursor, reading

router = APIRouter(tags=["products"])
_product = tables.product
_LIST = Compiled(
    select(*_product.columns)
    .where(_product.c.account == bindparam("account"), _product.c.revision > 0)
    .where(
        or_(
            _product.c.recorded > bindparam("at"),
            and_(_product.c.recorded == bindparam("at"), _product.c.id > bindparam("id")),
        )
    )
    .order_by(_product.c.recorded, _product.c.id)
    .limit(bindparam("most"))
)


def shown(row: ProductRow) -> dict[str, Any]:
    """A product as the API shows it."""
    return {"store": row.store, "recorded_at": row.recorded, "product": row.product}


@router.get("/v1/products")
async def list_products(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: Cursor = "", since: Since = None
) -> Response:
    """The account's products, removed ones too, in the order they were first heard of."""
    at, name = read_cursor(cursor, tuple[datetime, str]) if cursor else (since or BEGINNING, "")
    async with reading(request) as reader:
        rows = await reader.fetch(_LIST, account=caller.account, at=at, id=name, most=limit + 1)
    listed = page([ProductRow(*row) for row in rows], limit, lambda row: (row.recorded, row.id))
    data = [shown(row) for row in listed.data]
    return answer({"data": data, "next_cursor": listed.next_cursor, "has_more": listed.has_more})


@router.get("/v1/products/{product}")
async def get_product(request: Request, product: Name, caller: ServerKey) -> Response:
    """One product by our id or the store's (`ext:<store>:<id>`), as it is now."""
    name = own_id(product_id, caller.account, product)
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.product, [(caller.account, name)], ProductRow)
    if not rows or not rows[0].revision:
        raise not_found("product", product)
    return answer(shown(rows[0]))
