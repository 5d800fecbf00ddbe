"""Products over HTTP: the catalogue as the stores tell it."""

from datetime import datetime

import msgspec
from fastapi import Request
from sqlalchemy import and_, bindparam, or_, select

from services.ingest import tables
from services.ingest.naming import product_id
from services.ingest.records import ProductRow
from services.ingest.routes.listing import BEGINNING, Cursor, Limit, Name, Since, own_id
from shared.access import ServerKey
from shared.db import Query as Compiled
from shared.errors import not_found
from shared.events.ingest import Product
from shared.openapi import Answer, Router
from shared.web import Page, answer, page, read_cursor, reading

router = Router(tags=["products"])
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


class ProductView(msgspec.Struct, frozen=True):
    """A product as it is now, of which store, and since when we know of it."""

    store: str
    recorded_at: datetime
    product: Product


def shown(row: ProductRow) -> ProductView:
    """A product as the API shows it."""
    return ProductView(row.store, row.recorded, row.product)


@router.get("/v1/products")
async def list_products(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: Cursor = "", since: Since = None
) -> Answer[Page[ProductView]]:
    """The account's products, removed ones too, in the order they were first heard of."""
    at, name = read_cursor(cursor, tuple[datetime, str]) if cursor else (since or BEGINNING, "")
    async with reading(request) as reader:
        rows = await reader.fetch(_LIST, account=caller.account, at=at, id=name, most=limit + 1)
    return answer(page([ProductRow(*row) for row in rows], limit, lambda row: (row.recorded, row.id)).each(shown))


@router.get("/v1/products/{product}")
async def get_product(request: Request, product: Name, caller: ServerKey) -> Answer[ProductView]:
    """One product by our id or the store's (`ext:<store>:<id>`), as it is now."""
    name = own_id(product_id, caller.account, product)
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.product, [(caller.account, name)], ProductRow)
    if not rows or not rows[0].revision:
        raise not_found("product", product)
    return answer(shown(rows[0]))
