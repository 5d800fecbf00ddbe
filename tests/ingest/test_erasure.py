"""Erasure reaches every table of every service, the maildir and the logs, and reprocessing brings nothing back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.ingest.reprocessing import FAILED, TAKEN, reprocess
from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from tests.ingest.shop import Shop, open_shop, shopify_order
from tests.world import World, a_world

ADDRESS = "ana.erasable@example.com"
PERSON = {"id": 77, "email": ADDRESS, "first_name": "Ana", "phone": "+34600000777"}


@pytest.fixture
async def house(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[World]:
    """All four services."""
    async with a_world([ingest, loyalty, scoring, notifications], tmp_path, **mode) as world:
        yield world


async def lives_here(world: World, shop: Shop) -> None:
    """Somebody agrees, leaves a cart, is reminded, buys, is thanked; one of her deliveries cannot be understood."""
    who = {"id": "77", "email": ADDRESS}
    await shop.native("consent", {"customer": who, "channel": "email", "granted": True})
    cart = {"cart_id": "c1", "customer": who, "lines": [{"product": "tea", "title": "Tea", "price": 900}]}
    await shop.native("cart", {**cart, "restore_url": f"https://shop.example/cart?for={ADDRESS}"})
    await world.passes(days=2)
    bought = shopify_order(at=world.now, email=ADDRESS, customer=PERSON, buyer_accepts_marketing=True)
    await shop.shopify("orders/create", bought)
    await shop.segment({"type": "identify", "userId": "77", "traits": {"email": ADDRESS, "lastName": "Diaz"}})
    await shop.shopify("orders/create", shopify_order(2, at=world.now, email=ADDRESS, currency="XXZ"))
    await world.passes(days=2)


async def traces(world: World, caplog: pytest.LogCaptureFixture) -> list[str]:
    """Where the address can still be read."""
    needles = (ADDRESS.encode(), ADDRESS.split("@", maxsplit=1)[0].encode(), b"+34600000777")
    found = []
    for one in world.running:
        for table in one.service.metadata.sorted_tables:
            rows = await world.rows(one.service.name, select(*table.columns))
            found += [f"{one.service.name}.{table.name}" for row in rows if _spells(repr(row).encode(), needles)]
    letters = (world.settings.data_dir / "maildir").rglob("*")
    found += [path.name for path in letters if path.is_file() and _spells(path.read_bytes(), needles)]
    return found + (["log"] if _spells(caplog.text.encode(), needles) else [])


def _spells(text: bytes, needles: tuple[bytes, ...]) -> bool:
    return any(needle in text.lower() for needle in needles)


@pytest.mark.parametrize("by_webhook", [True, False], ids=["webhook", "api"])
async def test_nothing_of_an_erased_customer_is_left_anywhere(
    house: World, caplog: pytest.LogCaptureFixture, by_webhook: bool
) -> None:
    shop = await open_shop(house)
    await lives_here(house, shop)
    assert {"ingest.customer", "ingest.delivery"} <= set(await traces(house, caplog))
    if by_webhook:
        await shop.shopify("customers/redact", {"customer": PERSON, "orders_to_redact": []})
    else:
        keyed = {**shop.server, "idempotency-key": "e"}
        answer = await house.post(f"/v1/customers/ext:{shop.made.store}:77/erase", {}, headers=keyed)
        assert answer.status_code == 200, answer.text
    await house.passes(days=1)
    assert await traces(house, caplog) == []
    for verdict in (*TAKEN, *FAILED):
        await reprocess(house.settings, verdict)
    await house.passes(days=1)
    assert await traces(house, caplog) == []
    assert (await house.verify()).faults == []
