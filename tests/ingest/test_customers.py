"""Customers by command: merges that only people may decide, splits that undo them, erasure, lists."""

from typing import Any

from sqlalchemy import select

from services.ingest import tables
from shared.events.ingest import CustomerErased, CustomerMerged, CustomerSplit, OrderPaid, OrderUpdated
from tests.ingest.shop import Shop
from tests.world import World

TEA = {"product": "tea", "price": 500}


async def command(world: World, shop: Shop, path: str, body: dict[str, Any], key: str = "k") -> Any:
    """A command under an Idempotency-Key."""
    return await world.post(path, body, headers={**shop.server, "idempotency-key": key})


async def two_customers(world: World, shop: Shop) -> tuple[str, str]:
    """Two customers of one store, each with an order."""
    for number in ("7", "8"):
        who = {"id": number, "email": f"{number}@example.com"}
        await shop.native("purchase", {"order_id": number, "customer": who, "lines": [TEA]})
    await world.settle()
    found = []
    for number in ("7", "8"):
        answer = await world.get(f"/v1/customers/ext:{shop.made.store}:{number}", headers=shop.server)
        found.append(answer.json()["id"])
    return found[0], found[1]


async def test_a_merge_by_command_and_its_split(world: World, shop: Shop) -> None:
    first, second = await two_customers(world, shop)
    assert first != second
    merged = await command(world, shop, f"/v1/customers/{first}/merge", {"other": second})
    assert merged.json() == {"id": first}
    assert (await command(world, shop, f"/v1/customers/{second}/merge", {"other": first}, "2")).status_code == 409
    orders = (await world.get(f"/v1/orders?customer={first}", headers=shop.server)).json()["data"]
    assert len(orders) == 2
    undone = await command(world, shop, f"/v1/customers/{first}/split", {"merged": second})
    new = undone.json()["id"]
    assert new not in {first, second}
    (moved,) = (await world.get(f"/v1/orders?customer={new}", headers=shop.server)).json()["data"]
    assert (moved["order"]["external_id"], moved["order"]["revision"]) == ("8", 3)
    back = await world.get(f"/v1/customers/ext:{shop.made.store}:8", headers=shop.server)
    assert back.json()["id"] == new
    await shop.native("purchase", {"order_id": "9", "customer": {"email": "8@example.com"}, "lines": [TEA]})
    await world.settle()
    facts = await world.facts("ingest", CustomerMerged, CustomerSplit, OrderUpdated)
    assert sorted(fact.type for fact in facts) == ["customer.merged", "customer.split", "order.updated"]
    assert len((await world.get(f"/v1/orders?customer={new}", headers=shop.server)).json()["data"]) == 2
    assert (await world.verify()).balanced


async def test_erasure_by_command_reaches_those_who_were_merged_and_is_repeatable(world: World, shop: Shop) -> None:
    first, second = await two_customers(world, shop)
    await command(world, shop, f"/v1/customers/{first}/merge", {"other": second})
    answers = [await command(world, shop, f"/v1/customers/{second}/erase", {}) for _ in range(2)]
    assert [answer.status_code for answer in answers] == [200, 200]
    await world.settle()
    assert len(await world.facts("ingest", CustomerErased)) == 1
    for table in tables.metadata.sorted_tables:
        for row in await world.rows("ingest", select(*table.columns)):
            assert "@example.com" not in repr(row).lower(), table.name


async def test_who_comes_back_after_erasure_is_a_new_customer(world: World, shop: Shop) -> None:
    first, _ = await two_customers(world, shop)
    await command(world, shop, f"/v1/customers/{first}/erase", {})
    await world.passes(minutes=5)
    who = {"id": "7", "email": "7@example.com"}
    await shop.native("purchase", {"order_id": "70", "customer": who, "lines": [TEA]})
    await world.settle()
    answer = await world.get(f"/v1/customers/ext:{shop.made.store}:7", headers=shop.server)
    assert answer.json()["id"] != first
    assert len(await world.facts("ingest", OrderPaid)) == 3


async def test_lists_are_stable_in_pages(world: World, shop: Shop) -> None:
    await two_customers(world, shop)
    for path in ("/v1/customers", "/v1/orders", "/v1/deliveries"):
        first = (await world.get(f"{path}?limit=1", headers=shop.server)).json()
        assert first["has_more"]
        rest = (await world.get(f"{path}?limit=1&cursor={first['next_cursor']}", headers=shop.server)).json()
        assert not rest["has_more"]
        assert rest["data"] != first["data"]
    assert (await world.get("/v1/orders?cursor=nonsense", headers=shop.server)).status_code == 400
    for path in ("/v1/orders/ord_no", "/v1/carts/crt_no", "/v1/customers/cus_no"):
        assert (await world.get(path, headers=shop.server)).status_code == 404
