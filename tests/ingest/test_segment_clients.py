"""Segment's own Python and Node clients, unmodified, against a real server."""

import asyncio
import json
import shutil
import socket
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import uvicorn
from segment.analytics import Client
from sqlalchemy import select

from services.ingest import tables
from shared.events.ingest import CartUpdated, OrderPaid, ProfileUpdated
from tests.ingest.shop import Shop
from tests.real.processes import CACHE, alone_on_this_machine
from tests.world import World

NODE_CLIENT = "@segment/analytics-node@3.1.0"
SENDS = Path(__file__).with_name("send.mjs")


@asynccontextmanager
async def served(world: World) -> AsyncIterator[str]:
    """The world's app on a real port."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    config = uvicorn.Config(world.runtime.front, host="127.0.0.1", port=port, log_level="error", lifespan="off")
    server = uvicorn.Server(config)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        server.should_exit = True
        await task


def sends(host: str, key: str, world: World, *, gzip: bool) -> list[Any]:
    """What a shop's server sends through the client; gives the errors that the client met."""
    errors: list[Any] = []
    client = Client(key, host=host, gzip=gzip, on_error=lambda error, _batch: errors.append(error), max_retries=1)
    at = world.now - timedelta(minutes=1)
    client.identify("7", {"email": "ana@example.com", "firstName": "Ana"}, timestamp=at)
    client.track("7", "Product Added", {"product_id": "p", "price": 19.99, "quantity": 2}, timestamp=at)
    client.page("7", "Shop", "Tea", {"url": "https://shop.example/tea"})
    client.screen("7", "App", "Tea")
    client.group("7", "club", {"name": "Tea Club"})
    client.alias("guest-1", "7")
    products = [{"product_id": "p", "name": "Tea", "price": 19.99, "quantity": 2}]
    order = {"order_id": "A-1", "total": 44.98, "shipping": 5, "currency": "EUR", "products": products}
    client.track("7", "Order Completed", order)
    client.shutdown()
    return errors


async def test_the_python_client_works_as_it_is(world: World, shop: Shop) -> None:
    async with served(world) as host:
        for gzip in (False, True):
            errors = await asyncio.to_thread(sends, host, shop.made.server_key, world, gzip=gzip)
            assert errors == []
    await world.settle()
    (paid,) = await world.facts("ingest", OrderPaid)
    assert isinstance(paid, OrderPaid)
    assert (paid.order.total, [line.net for line in paid.order.lines]) == (4498, [3998, 500])
    assert [f.first_name for f in await world.facts("ingest", ProfileUpdated) if isinstance(f, ProfileUpdated)] == [
        "Ana"
    ]
    carts = [fact.cart.value for fact in await world.facts("ingest", CartUpdated) if isinstance(fact, CartUpdated)]
    assert carts[0] == 3998
    verdicts = await world.rows("ingest", select(tables.delivery.c.verdict))
    assert len(verdicts) == 14
    assert {verdict for (verdict,) in verdicts} == {"translated", "dropped"}
    assert (await world.verify()).balanced


@pytest.fixture(scope="session")
def node_client() -> Path:
    """A folder in which Node finds Segment's client, fetched once by its name."""
    folder = CACHE / "node"
    if not shutil.which("npm"):
        pytest.skip("npm is not installed")
    with alone_on_this_machine("node"):
        if not (folder / "node_modules" / "@segment" / "analytics-node").exists():
            fetch = ["npm", "install", "--silent", "--no-audit", "--no-fund", "--prefix", str(folder), NODE_CLIENT]
            if subprocess.run(fetch, check=False, capture_output=True, timeout=120).returncode:
                pytest.skip(f"{NODE_CLIENT} cannot be fetched")
    return folder


async def test_the_node_client_works_as_it_is(world: World, shop: Shop, node_client: Path) -> None:
    script = shutil.copy(SENDS, node_client / "send.mjs")
    async with served(world) as host:
        sent = await asyncio.to_thread(
            subprocess.run,
            ["node", str(script), host, shop.made.server_key],
            check=True,
            capture_output=True,
            timeout=60,
        )
    assert json.loads(sent.stdout) == {"failures": []}
    await world.settle()
    (paid,) = await world.facts("ingest", OrderPaid)
    assert isinstance(paid, OrderPaid)
    assert paid.order.total == 4498
    verdicts = await world.rows("ingest", select(tables.delivery.c.verdict))
    assert len(verdicts) == 6
    assert {verdict for (verdict,) in verdicts} == {"translated", "dropped"}
    assert (await world.verify()).balanced
