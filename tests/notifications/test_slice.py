"""The whole road by HTTP in both modes: a posted cart becomes mails, a purchase becomes thanks with points."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from tests.ingest.shop import Shop, open_shop
from tests.notifications.office import Office, text_of
from tests.notifications.some import NOON
from tests.world import a_world

ANA = {"id": "7", "email": "ana@example.com", "first_name": "Ana", "locale": "pt-PT"}
TEA = {"product": "tea", "title": "Chá", "quantity": 2, "price": 1250}


@pytest.fixture
async def shop(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop that posts to ingest, with loyalty and notifications behind it, on a Tuesday at noon."""
    async with a_world([ingest, loyalty, notifications], tmp_path, **mode) as world:
        world.clock.move_to(NOON)
        shop = await open_shop(world, name="Casa Querencia")
        await said(shop, "consent", {"customer": ANA, "channel": "email", "granted": True})
        yield shop


async def said(shop: Shop, kind: str, data: dict[str, Any]) -> None:
    """The store's server tells of something, and all that follows is done."""
    answer = await shop.native(kind, data)
    assert answer.status_code == 200, answer.text
    assert "rejected" not in answer.text
    await shop.world.settle()


async def test_a_left_cart_is_reminded_of_three_times(shop: Shop) -> None:
    await said(shop, "cart", {"cart_id": "c1", "customer": ANA, "lines": [TEA]})
    await shop.world.passes(days=6)
    assert [str(mail["Subject"]) for mail in Office(shop.world).mails] == [
        "Deixou algo no seu carrinho em Casa Querencia",
        "Podemos ajudar com a sua encomenda?",
        "Última chamada para o seu carrinho em Casa Querencia",
    ]
    assert (await shop.world.verify()).faults == []


@pytest.mark.parametrize("named", [True, False])
async def test_a_purchase_ends_the_cart_and_is_thanked_for_with_its_points(shop: Shop, named: bool) -> None:
    await said(shop, "cart", {"cart_id": "c1", "customer": ANA, "lines": [TEA]})
    await shop.world.passes(minutes=119)
    order = {"order_id": "1001", "customer": ANA, "lines": [TEA]}
    await said(shop, "purchase", {**order, "cart_id": "c1"} if named else order)
    await shop.world.passes(days=5)
    (mail,) = Office(shop.world).mails
    assert mail["Subject"] == "Obrigado pela sua encomenda 1001"
    assert "pontos" in text_of(mail)
    assert (await shop.world.verify()).faults == []
