"""Erasure reaches every table of every service, the maildir and the logs, and reprocessing brings nothing back."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import structlog
from sqlalchemy import select

from services.ingest.reprocessing import FAILED, TAKEN, reprocess
from services.ingest.service import ingest
from services.ingest.tables import delivery
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


class Log:
    """All that was logged so far: structlog prints, libraries go through `logging`."""

    def __init__(self, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> None:
        self._capfd, self._caplog = capfd, caplog
        self._printed = ""

    @property
    def text(self) -> str:
        """Every line."""
        self._printed += "".join(self._capfd.readouterr())
        return self._printed + self._caplog.text


@pytest.fixture
def log(capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture) -> Log:
    """What the test logs."""
    return Log(capfd, caplog)


async def traces(world: World, log: Log) -> list[str]:
    """Where the address can still be read."""
    needles = (ADDRESS.encode(), ADDRESS.split("@", maxsplit=1)[0].encode(), b"+34600000777")
    found = []
    for one in world.running:
        for table in one.service.metadata.sorted_tables:
            rows = await world.rows(one.service.name, select(*table.columns))
            found += [f"{one.service.name}.{table.name}" for row in rows if _spells(repr(row).encode(), needles)]
    letters = (world.settings.data_dir / "maildir").rglob("*")
    found += [path.name for path in letters if path.is_file() and _spells(path.read_bytes(), needles)]
    return found + (["log"] if _spells(log.text.encode(), needles) else [])


def _spells(text: bytes, needles: tuple[bytes, ...]) -> bool:
    return any(needle in text.lower() for needle in needles)


@pytest.mark.parametrize("by_webhook", [True, False], ids=["webhook", "api"])
async def test_nothing_of_an_erased_customer_is_left_anywhere(house: World, log: Log, by_webhook: bool) -> None:
    shop = await open_shop(house)
    await lives_here(house, shop)
    assert {"ingest.customer", "ingest.delivery"} <= set(await traces(house, log))
    if by_webhook:
        await shop.shopify("customers/redact", {"customer": PERSON, "orders_to_redact": []})
    else:
        keyed = {**shop.server, "idempotency-key": "e"}
        answer = await house.post(f"/v1/customers/ext:{shop.made.store}:77/erase", {}, headers=keyed)
        assert answer.status_code == 200, answer.text
    await house.passes(days=1)
    assert await traces(house, log) == []
    for verdict in (*TAKEN, *FAILED):
        await reprocess(house.settings, verdict)
    await house.passes(days=1)
    assert await traces(house, log) == []
    assert (await house.verify()).faults == []


async def test_what_an_erased_customer_did_before_does_not_come_back_by_late_webhooks(house: World, log: Log) -> None:
    shop = await open_shop(house)
    await lives_here(house, shop)
    stamp = house.now.isoformat()
    await house.passes(hours=1)
    keyed = {**shop.server, "idempotency-key": "e"}
    await house.post(f"/v1/customers/ext:{shop.made.store}:77/erase", {}, headers=keyed)
    await shop.shopify("customers/update", {**PERSON, "updated_at": stamp})
    at = {"created_at": stamp, "updated_at": stamp, "processed_at": stamp}
    await shop.shopify("orders/create", shopify_order(3, at=house.now, email=ADDRESS, customer=PERSON, **at))
    await house.passes(days=1)
    assert await traces(house, log) == []
    late = select(delivery.c.verdict).order_by(delivery.c.seq.desc()).limit(2)
    assert await house.rows("ingest", late) == [("suppressed",), ("suppressed",)]


async def test_an_address_that_is_logged_would_be_found(house: World, log: Log) -> None:
    structlog.get_logger("services").warning("proof", about=ADDRESS)
    assert await traces(house, log) == ["log"]
    assert await traces(house, log) == ["log"]
