"""The same thing twice, at once, from two shops, or told afterwards."""

import asyncio

from sqlalchemy import func, select

from services.ingest import tables
from shared.events import Lane
from shared.events.ingest import OrderPaid
from tests.ingest.shop import Shop, open_shop, shopify_order
from tests.world import World

LINES = [{"product": "tea", "price": 900}]


async def test_fifty_deliveries_at_once_have_one_effect(world: World, shop: Shop) -> None:
    order = shopify_order(at=world.now)
    answers = await asyncio.gather(*(shop.shopify("orders/create", order, delivery="d1") for _ in range(50)))
    assert {answer.status_code for answer in answers} == {200}
    await world.settle()
    assert len(await world.facts("ingest", OrderPaid)) == 1
    verdict = await world.verify()
    assert verdict.balanced
    assert verdict.books["ingest"]["counters"]["deliveries:duplicate"] == 49


async def test_one_key_used_by_five_at_once_makes_one_store(world: World, shop: Shop) -> None:
    body = {"name": "Tea", "currency": "EUR", "zone": "UTC", "locale": "en"}
    keyed = {**shop.server, "idempotency-key": "same"}
    answers = await asyncio.gather(*(world.post("/v1/stores", body, headers=keyed) for _ in range(5)))
    assert {answer.status_code for answer in answers} == {201}
    assert len({answer.json()["id"] for answer in answers}) == 1
    assert len((await world.get("/v1/stores", headers=shop.server)).json()["data"]) == 2
    other = await world.post("/v1/stores", {**body, "name": "Other"}, headers=keyed)
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")


async def test_nothing_crosses_from_one_account_to_another(world: World, shop: Shop) -> None:
    neighbour = await open_shop(world)
    for one in (shop, neighbour):
        await one.shopify("orders/create", shopify_order(at=world.now), delivery="d1")
        await one.native("purchase", {"order_id": "1", "customer": {"id": "77"}, "lines": LINES}, id="same")
    await world.settle()
    assert await world.rows("ingest", select(func.count()).select_from(tables.customer)) == [(2,)]
    assert len(await world.facts("ingest", OrderPaid)) == 4
    (mine,) = (await world.get("/v1/customers", headers=shop.server)).json()["data"]
    assert (await world.get(f"/v1/customers/{mine['id']}", headers=neighbour.server)).status_code == 404
    wrong = await world.post("/v1/customer-tokens", {"customer": mine["id"]}, headers=neighbour.server)
    assert wrong.status_code == 404


async def test_what_is_told_afterwards_is_history(world: World, shop: Shop) -> None:
    order = {"customer": {"id": "7"}, "lines": LINES}
    past = {"x-querencia-lane": "history"}
    await shop.native("purchase", {**order, "order_id": "1", "placed_at": "2025-01-01T00:00:00Z"}, **past)
    await shop.native("purchase", {**order, "order_id": "2", "placed_at": "1970-01-02T00:00:00Z"})
    await world.settle()
    await shop.native("purchase", {"order_id": "1", "fulfilled_at": "2025-01-02T00:00:00Z"})
    await world.settle()
    orders = [fact.order for fact in await world.facts("ingest") if hasattr(fact, "order")]
    assert len(orders) == 5
    assert {order.lane for order in orders} == {Lane.HISTORY}
    assert (await world.verify()).balanced
