"""Guests: what they bought counts from the moment on at which the shop knows who they are."""

from pathlib import Path

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from tests.ingest.shop import open_shop
from tests.world import a_world

TEA = {"product": "tea", "price": 10_000}


async def test_what_somebody_bought_as_a_guest_is_hers_once_she_has_an_account(tmp_path: Path) -> None:
    async with a_world([ingest, loyalty], tmp_path) as world:
        shop = await open_shop(world)
        guest = {"email": "ana@example.com"}
        await shop.native("purchase", {"order_id": "1", "customer": guest, "lines": [TEA]})
        await world.passes(days=3)
        await shop.native("purchase", {"order_id": "2", "customer": guest, "lines": [TEA]})
        await world.passes(days=15)
        await shop.native("customer", {"customer": {"id": "7", "email": "ana@example.com", "first_name": "Ana"}})
        await world.settle()
        name = f"ext:{shop.made.store}:7"
        member = (await world.get(f"/v1/members/{name}", headers=shop.server)).json()
        assert (member["available"], member["earned"]) == (200, 200)
        await shop.native("purchase", {"order_id": "3", "customer": {"id": "7"}, "lines": [TEA]})
        await world.settle()
        member = (await world.get(f"/v1/members/{name}", headers=shop.server)).json()
        assert (member["earned"], member["pending"]) == (300, 100)
        assert (await world.verify()).faults == []


async def test_an_order_of_nobody_earns_for_nobody_until_its_buyer_is_told(tmp_path: Path) -> None:
    async with a_world([ingest, loyalty], tmp_path) as world:
        shop = await open_shop(world)
        await shop.native("purchase", {"order_id": "1", "lines": [TEA]})
        await world.settle()
        await shop.native("purchase", {"order_id": "1", "customer": {"id": "9"}, "lines": [TEA]})
        await world.passes(days=15)
        member = (await world.get(f"/v1/members/ext:{shop.made.store}:9", headers=shop.server)).json()
        assert (member["available"], member["earned"]) == (100, 100)
        assert (await world.verify()).faults == []
