"""A shop as ingest sees it: native events, signed Shopify webhooks, Segment calls."""

import base64
import hashlib
import hmac
import json
from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import httpx

from services.ingest.setup import NewStore, Wanted, make_store
from shared.vault import vault_of
from tests.world import World


async def open_shop(world: World, **wanted: str) -> "Shop":
    """Make an account with a store in a world."""
    async with world.of("ingest").db.write() as tx:
        made = await make_store(tx, vault_of(world.settings), Wanted(**wanted))
    await world.settle()
    return Shop(world, made)


class Shop:
    """Sends what a store's server, platform and front end would."""

    def __init__(self, world: World, made: NewStore) -> None:
        self.world = world
        self.made = made

    @property
    def server(self) -> dict[str, str]:
        """Headers of the server key."""
        return {"authorization": f"Bearer {self.made.server_key}"}

    async def native(self, kind: str, data: dict[str, Any], *, key: str = "", **given: Any) -> httpx.Response:
        """One native event."""
        event = {
            "specversion": "1.0",
            "id": given.pop("id", uuid4().hex),
            "source": "shop",
            "type": kind,
            "time": (given.pop("at", None) or self.world.now).isoformat(),
            "data": data,
        }
        headers = {"authorization": f"Bearer {key or self.made.server_key}", **given}
        return await self.world.post("/v1/events", event, headers=headers)

    async def shopify(
        self, topic: str, body: Any, *, secret: str = "", delivery: str = "", triggered: str = ""
    ) -> httpx.Response:
        """One signed webhook; `body` may be raw bytes, `triggered` is when the platform says that it happened."""
        raw = body if isinstance(body, bytes) else json.dumps(body).encode()
        digest = hmac.new((secret or self.made.shopify_secret).encode(), raw, hashlib.sha256).digest()
        headers = {
            "x-shopify-topic": topic,
            "x-shopify-shop-domain": "shop.myshopify.example",
            "x-shopify-webhook-id": delivery or uuid4().hex,
            "x-shopify-hmac-sha256": base64.b64encode(digest).decode(),
            **({"x-shopify-triggered-at": triggered} if triggered else {}),
        }
        return await self.world.post(f"/webhooks/shopify/{self.made.shopify_source}", content=raw, headers=headers)

    async def segment(self, *messages: dict[str, Any], key: str = "") -> httpx.Response:
        """One batch as Segment's server SDKs post it."""
        batch = [{"messageId": uuid4().hex, **message} for message in messages]
        return await self.world.post("/v1/batch", {"batch": batch, "writeKey": key or self.made.server_key}, headers={})


def shopify_order(number: int = 1001, *, at: datetime, **given: Any) -> dict[str, Any]:
    """A paid Shopify order of two lines, 50.00 in all."""
    stamp = at.isoformat()
    order: dict[str, Any] = {
        "id": 5_000_000_000_000 + number,
        "name": f"#{number}",
        "email": "ana@example.com",
        "created_at": stamp,
        "updated_at": stamp,
        "processed_at": stamp,
        "currency": "EUR",
        "financial_status": "paid",
        "total_price": "50.00",
        "taxes_included": True,
        "line_items": [
            {"id": 1, "product_id": 11, "title": "Tea", "quantity": 2, "price": "10.00"},
            {"id": 2, "product_id": 12, "title": "Pot", "quantity": 1, "price": "30.00"},
        ],
        "customer": {"id": 77, "email": "ana@example.com", "first_name": "Ana"},
    }
    return {**order, **given}


def later(at: datetime, **span: float) -> str:
    """A moment after another, as Shopify writes it."""
    return (at + timedelta(**span)).isoformat()
