"""Products: what stores say of them becomes revisions, whatever order it comes in, and can be listed."""

from datetime import timedelta
from itertools import permutations
from typing import Any

import pytest
from sqlalchemy import select

from services.ingest import tables
from services.ingest.reprocessing import reprocess
from shared.events.ingest import Product, ProductUpdated
from tests.ingest.shop import Shop, later, open_shop
from tests.world import World


def a_product(at: str, **given: Any) -> dict[str, Any]:
    """A Shopify product with one variant."""
    variant = {"id": 31, "sku": "T-1", "title": "Small", "price": "12.50", "inventory_management": None}
    product = {
        "id": 11,
        "title": "Tea",
        "handle": "tea",
        "product_type": "Drinks",
        "status": "active",
        "published_at": at,
        "updated_at": at,
        "image": {"src": "https://cdn.example/tea.png"},
        "variants": [variant],
    }
    return {**product, **given}


async def told(world: World) -> list[Product]:
    """Every revision that was told."""
    await world.settle()
    return [fact.product for fact in await world.facts("ingest", ProductUpdated) if isinstance(fact, ProductUpdated)]


async def test_a_shopify_product_is_told_whole_with_each_change(world: World, shop: Shop) -> None:
    at = world.now - timedelta(minutes=10)
    await shop.shopify("products/create", a_product(at.isoformat()))
    await shop.shopify("products/update", a_product(later(at, minutes=1)))
    sold_out = {"id": 31, "price": "13", "inventory_management": "shopify", "inventory_quantity": 0}
    await shop.shopify("products/update", a_product(later(at, minutes=2), variants=[sold_out]))
    await shop.shopify("products/delete", {"id": 11})
    revisions = await told(world)
    assert [product.revision for product in revisions] == [1, 2, 3]
    first, changed, gone = revisions
    assert (first.title, first.url, first.categories) == (
        "Tea", "https://shop.myshopify.example/products/tea", ("Drinks",)
    )  # fmt: skip
    assert (first.variants[0].price, first.currency, first.available) == (1250, "EUR", True)
    assert (changed.variants[0].price, changed.available) == (1300, False)
    assert (gone.removed, gone.title, gone.available) == (True, "Tea", False)
    assert (await world.verify()).balanced


async def test_native_products_end_the_same_whatever_order_they_come_in(world: World, shop: Shop) -> None:
    words: tuple[dict[str, Any], ...] = (
        {"title": "Old", "updated_at": later(world.now, minutes=-9)},
        {"title": "New", "updated_at": later(world.now, minutes=-5)},
        {"removed": True, "updated_at": later(world.now, minutes=-7)},
    )
    for number, order in enumerate(permutations(words)):
        for word in order:
            answer = await shop.native("product", {"product": f"p{number}", **word})
            assert answer.status_code == 200, answer.text
    await world.settle()
    rows = await world.rows("ingest", select(tables.product.c.product))
    assert [(row.title, row.removed) for (row,) in rows] == [("New", False)] * 6
    assert (await reprocess(world.settings, "translated")) == 18
    before = len(await told(world))
    assert before == len({(product.id, product.revision) for product in await told(world)})


async def test_the_catalogue_is_listed_in_pages_and_by_either_id(world: World, shop: Shop) -> None:
    for name in ("a", "b", "c"):
        await shop.native("product", {"product": name, "title": name, "variants": [{"id": "1", "price": 5}]})
    await shop.native("product", {"product": "never", "removed": True})
    await world.settle()
    first = (await world.get("/v1/products?limit=2", headers=shop.server)).json()
    rest = (await world.get(f"/v1/products?cursor={first['next_cursor']}", headers=shop.server)).json()
    found = [row["product"]["external_id"] for row in first["data"] + rest["data"]]
    assert (sorted(found), rest["has_more"]) == (["a", "b", "c"], False)
    by_theirs = await world.get(f"/v1/products/ext:{shop.made.store}:b", headers=shop.server)
    by_ours = await world.get(f"/v1/products/{by_theirs.json()['product']['id']}", headers=shop.server)
    assert by_ours.json() == by_theirs.json()
    assert (await world.get("/v1/products/prd_no", headers=shop.server)).status_code == 404
    assert (await world.get(f"/v1/products/ext:{shop.made.store}:never", headers=shop.server)).status_code == 404
    since = {"created_at[gte]": later(world.now, days=1)}
    assert (await world.get("/v1/products", headers=shop.server, params=since)).json()["data"] == []


@pytest.mark.parametrize("of", ["browser", "other account"])
async def test_products_are_the_accounts_own(world: World, shop: Shop, of: str) -> None:
    if of == "browser":
        refused = await shop.native("product", {"product": "a"}, key=shop.made.browser_key)
        assert refused.status_code == 403
        return
    await shop.native("product", {"product": "a"})
    other = await open_shop(world)
    assert (await world.get("/v1/products", headers=other.server)).json()["data"] == []
    assert (await world.get(f"/v1/products/ext:{shop.made.store}:a", headers=other.server)).status_code == 404
