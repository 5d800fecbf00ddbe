"""Shopify's webhooks as that platform sends them: whole payloads, signed over their raw bytes."""

import base64
import hashlib
import hmac
from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec

from demo.inputs import Webhook
from demo.people import Person
from demo.records import Pieces

SHOP = "querencia-demo.myshopify.com"
CURRENCY = "USD"


def headers(hook: Webhook, raw: bytes, secret: str) -> dict[str, str]:
    """The headers of a delivery, its signature (HMAC-SHA256 over the raw bytes, base64) among them."""
    named = hashlib.sha256(hook.topic.encode() + raw).hexdigest()
    signature = base64.b64encode(hmac.new(secret.encode(), raw, hashlib.sha256).digest()).decode()
    return {
        "Content-Type": "application/json",
        "X-Shopify-Topic": hook.topic,
        "X-Shopify-Shop-Domain": SHOP,
        "X-Shopify-Webhook-Id": f"{named[:8]}-{named[8:12]}-{named[12:16]}-{named[16:20]}-{named[20:32]}",
        "X-Shopify-Triggered-At": hook.at.isoformat(),
        "X-Shopify-API-Version": "2026-01",
        "X-Shopify-Hmac-Sha256": signature,
    }


def encode(hook: Webhook) -> bytes:
    """The body as bytes."""
    return msgspec.json.encode(hook.body)


def customer(topic: str, person: Person, at: datetime, *, subscribed: bool) -> Webhook:
    """`customers/create` or `customers/update`, with what the customer says to advertising by mail."""
    consent = {
        "state": "subscribed" if subscribed else "unsubscribed",
        "opt_in_level": "single_opt_in",
        "consent_updated_at": at.isoformat(),
    }
    body = {
        "id": person.id,
        "email": person.email,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "created_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "default_address": {"country_code": person.country},
        "email_marketing_consent": consent,
    }
    return Webhook(at, person.id, topic, body)


def order(number: int, person: Person, at: datetime, pieces: Sequence[Pieces], cart: str) -> Webhook:
    """`orders/create` of an order that is paid at once."""
    total = money(sum(part.cents * part.quantity for part in pieces))
    body = {
        "id": order_id(number),
        "name": f"#{1000 + number}",
        "email": person.email,
        "created_at": at.isoformat(),
        "processed_at": at.isoformat(),
        "updated_at": at.isoformat(),
        "currency": CURRENCY,
        "presentment_currency": CURRENCY,
        "financial_status": "paid",
        "fulfillment_status": None,
        "test": False,
        "taxes_included": False,
        "subtotal_price": total,
        "total_price": total,
        "total_discounts": "0.00",
        "total_tax": "0.00",
        "total_price_set": {"shop_money": _priced(total), "presentment_money": _priced(total)},
        "cart_token": cart,
        "checkout_token": f"checkout-{number}",
        "customer_locale": person.language,
        "buyer_accepts_marketing": False,
        "source_name": "web",
        "discount_codes": [],
        "line_items": [_line(number, place, part) for place, part in enumerate(pieces)],
        "shipping_lines": [],
        "refunds": [],
        "fulfillments": [],
        "customer": {"id": person.id, "email": person.email},
        "billing_address": {"country_code": person.country},
    }
    return Webhook(at, person.id, "orders/create", body)


def refund(number: int, person: Person, at: datetime, pieces: Sequence[Pieces], places: Sequence[int]) -> Webhook:
    """`refunds/create`: whole lines, by their places, come back and are paid back."""
    cents = sum(pieces[place].cents * pieces[place].quantity for place in places)
    items = [{"line_item_id": line_id(number, place), "quantity": pieces[place].quantity} for place in places]
    body = {
        "id": order_id(number) + 1,
        "order_id": order_id(number),
        "created_at": at.isoformat(),
        "processed_at": at.isoformat(),
        "refund_line_items": items,
        "transactions": [{"amount": money(cents), "kind": "refund", "status": "success", "currency": CURRENCY}],
    }
    return Webhook(at, person.id, "refunds/create", body)


def order_id(number: int) -> int:
    """Shopify's id of an order, from its number on the published list."""
    return 5_000_000_000_000 + number * 100


def line_id(number: int, place: int) -> int:
    """Shopify's id of an order's line."""
    return 14_000_000_000_000 + number * 100 + place


def money(cents: int) -> str:
    """US cents as Shopify writes them."""
    return f"{cents // 100}.{cents % 100:02}"


def _priced(amount: str) -> dict[str, str]:
    return {"amount": amount, "currency_code": CURRENCY}


def _line(number: int, place: int, part: Pieces) -> dict[str, Any]:
    return {
        "id": line_id(number, place),
        "product_id": part.disc.number,
        "variant_id": part.disc.number + 100_000,
        "sku": f"CD-{part.disc.number}",
        "title": part.disc.title,
        "product_type": part.disc.genre,
        "quantity": part.quantity,
        "price": money(part.cents),
        "total_discount": "0.00",
        "discount_allocations": [],
        "tax_lines": [],
        "gift_card": False,
    }
