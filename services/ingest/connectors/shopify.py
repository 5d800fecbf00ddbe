"""Shopify: webhooks signed with HMAC-SHA256 over the raw bytes, and what their topics say."""

import base64
import hashlib
import hmac
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from services.ingest.claims import (
    AnyClaim,
    CartClaim,
    ConsentClaim,
    CustomerClaim,
    EraseClaim,
    ForgetStoreClaim,
    Key,
    NoticeClaim,
    Rank,
    Said,
    UninstallClaim,
)
from services.ingest.connectors import shopify_payloads as payloads
from services.ingest.connectors.base import Connector, customer_key, decode, email_key, named, phone_key
from services.ingest.connectors.doctor import diagnose
from services.ingest.connectors.shopify_orders import order_claim, refund_claim
from services.ingest.connectors.shopify_products import product_claim
from services.ingest.moments import maybe, moment
from services.ingest.money import currency_of, exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import CartLine

_KEPT = ("topic", "shop-domain", "webhook-id", "event-id", "triggered-at", "api-version")
_order = msgspec.json.Decoder(payloads.Order)
_refund = msgspec.json.Decoder(payloads.Refund)
_cart = msgspec.json.Decoder(payloads.Cart)
_customer = msgspec.json.Decoder(payloads.Customer)
_product = msgspec.json.Decoder(payloads.Product)
_privacy = msgspec.json.Decoder(payloads.Privacy)


class Shopify(Connector):
    """Shopify's webhooks, classic (`X-Shopify-*`) headers."""

    name = "shopify"

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Mapping[str, str]) -> str:
        """The id of the secret that signed the body; no time in the signature, so no replay window."""
        try:
            given = base64.b64decode(headers.get("x-shopify-hmac-sha256", ""), validate=True)
        except ValueError:
            given = b""
        for name, secret in secrets.items():
            if hmac.compare_digest(hmac.new(secret.encode(), raw, hashlib.sha256).digest(), given):
                return name
        found = diagnose(raw, headers.get("x-shopify-hmac-sha256", ""), secrets)
        raise Refused("bad_signature", found, status=401)

    def dedupe(self, headers: Mapping[str, str], raw: bytes) -> bytes:
        """Shop, topic and webhook id, which a retry keeps; the body's own hash where the id is missing."""
        delivery = headers.get("x-shopify-webhook-id") or hashlib.sha256(raw).hexdigest()
        shop, topic = headers.get("x-shopify-shop-domain", ""), headers.get("x-shopify-topic", "")
        return hashlib.sha256(f"{shop}\n{topic}\n{delivery}".encode()).digest()

    def meta(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Topic, shop and the sender's own time."""
        return {name: headers[f"x-shopify-{name}"] for name in _KEPT if f"x-shopify-{name}" in headers}

    def translate(self, said: Said) -> list[AnyClaim]:
        """The claims of one webhook, by its topic."""
        topic = said.meta.get("topic", "")
        for prefix, translate in _TOPICS:
            if topic.startswith(prefix):
                return translate(said)
        raise Refused("unknown_topic", f"Shopify topic {topic[:80]!r} is not one we know")


def _orders(said: Said) -> list[AnyClaim]:
    if said.meta["topic"] == "orders/delete":
        return [NoticeClaim(at=said.recorded, reason="order_deleted")]
    order = decode(said.raw, _order)
    keys = _names(said, order.customer, order.email, order.phone)
    claim = order_claim(said, order, keys)
    person = order.customer or payloads.Customer()
    profile = _profile(person, order.email, order.phone, order.customer_locale, order.billing_address)
    return [claim, *_about(keys, claim.updated, profile, person), *_ticked(keys, order)]


def _refunds(said: Said) -> list[AnyClaim]:
    return [refund_claim(said, decode(said.raw, _refund))]


def _products(said: Said) -> list[AnyClaim]:
    return [product_claim(said, decode(said.raw, _product))]


def _carts(said: Said) -> list[AnyClaim]:
    if said.meta["topic"].endswith("/delete"):
        return [NoticeClaim(at=said.recorded, reason="checkout_deleted")]
    cart = decode(said.raw, _cart)
    token = named(cart.cart_token or cart.token or cart.id)
    if not token:
        raise Refused("missing_id", "the cart has no token", pointer="/token")
    currency = currency_of(cart.currency, said.currency)
    exponent = exponent_of(currency)
    keys = _names(said, cart.customer, cart.email, cart.phone)
    at = moment(cart.updated_at or cart.created_at or said.meta.get("triggered-at") or said.recorded.isoformat())
    claim = CartClaim(
        keys=keys,
        at=at,
        token=token,
        named_by=Rank.PLATFORM,
        currency=currency,
        exponent=exponent,
        lines=tuple(_cart_line(item, exponent) for item in cart.line_items),
        stage="checkout" if said.meta["topic"].startswith("checkouts/") else "cart",
        restore_url=cart.abandoned_checkout_url or "",
        completed=cart.completed_at is not None,
    )
    person = cart.customer or payloads.Customer()
    profile = _profile(person, cart.email, cart.phone, cart.customer_locale, None)
    return [claim, *_about(keys, at, profile, person), *_ticked(keys, cart)]


def _cart_line(item: payloads.LineItem, exponent: int) -> CartLine:
    return CartLine(
        product=named(item.product_id or item.sku or item.id),
        variant=named(item.variant_id),
        sku=item.sku or "",
        title=item.title or "",
        quantity=max(item.quantity, 0),
        price=to_minor(item.price, exponent),
        url=item.url or "",
        image=item.image_url or "",
    )


def _customers(said: Said) -> list[AnyClaim]:
    if said.meta["topic"] == "customers/delete":
        return [NoticeClaim(at=said.recorded, reason="customer_deleted")]
    person = decode(said.raw, _customer)
    email = person.email or person.email_address
    keys = _names(said, person, email, None)
    at = moment(person.updated_at or said.meta.get("triggered-at") or said.recorded.isoformat())
    return _about(keys, at, _profile(person, email, None, None, None), person)


def _redact(said: Said) -> list[AnyClaim]:
    person = decode(said.raw, _privacy).customer or payloads.Customer()
    keys = _names(said, person, person.email, person.phone)
    if not keys:
        raise Refused("missing_id", "the request names no customer", pointer="/customer")
    return [EraseClaim(keys=keys, at=maybe(said.meta.get("triggered-at")) or said.recorded)]


def _redact_shop(said: Said) -> list[AnyClaim]:
    return [ForgetStoreClaim(at=said.recorded)]


def _uninstalled(said: Said) -> list[AnyClaim]:
    return [UninstallClaim(at=said.recorded)]


def _notice(said: Said) -> list[AnyClaim]:
    return [NoticeClaim(at=said.recorded, reason=said.meta["topic"].replace("/", "_"))]


def _names(said: Said, person: payloads.Customer | None, email: str | None, phone: str | None) -> tuple[Key, ...]:
    who = person or payloads.Customer()
    keys = [
        *customer_key(said.store, who.id or who.customer_id),
        *email_key(email or who.email or who.email_address),
        *phone_key(phone or who.phone),
    ]
    return tuple(dict.fromkeys(keys))


def _profile(
    person: payloads.Customer,
    email: str | None,
    phone: str | None,
    locale: str | None,
    address: payloads.Address | None,
) -> dict[str, str]:
    home = person.default_address or address
    told = {
        "email": email or person.email,
        "phone": phone or person.phone,
        "first_name": person.first_name,
        "last_name": person.last_name,
        "locale": locale,
        "country": home.country_code if home else None,
    }
    return {name: value for name, value in told.items() if value}


def _about(keys: tuple[Key, ...], at: datetime, profile: dict[str, str], person: payloads.Customer) -> list[AnyClaim]:
    """The claims on a customer: profile, and consent as the customer's own record has it."""
    if not keys:
        return []
    claims: list[AnyClaim] = [CustomerClaim(keys=keys, at=at, profile=profile)]
    for channel, consent in (("email", person.email_marketing_consent), ("sms", person.sms_marketing_consent)):
        if consent is not None and consent.state in {"subscribed", "unsubscribed"}:
            claims.append(
                ConsentClaim(
                    keys=keys,
                    at=maybe(consent.consent_updated_at) or at,
                    channel=channel,
                    granted=consent.state == "subscribed",
                    source="shopify",
                    wording=consent.opt_in_level or "",
                )
            )
    return claims


def _ticked(keys: tuple[Key, ...], document: payloads.Order | payloads.Cart) -> list[AnyClaim]:
    """Consent ticked at the checkout; a box left empty withdraws nothing."""
    if not document.buyer_accepts_marketing or not keys:
        return []
    at = moment(document.created_at or document.updated_at or "")
    return [ConsentClaim(keys=keys, at=at, channel="email", granted=True, source="shopify checkout")]


_TOPICS: tuple[tuple[str, Callable[[Said], list[AnyClaim]]], ...] = (
    ("orders/", _orders),
    ("refunds/", _refunds),
    ("checkouts/", _carts),
    ("carts/", _carts),
    ("products/", _products),
    ("customers/redact", _redact),
    ("customers/data_request", _notice),
    ("customers", _customers),
    ("shop/redact", _redact_shop),
    ("app/uninstalled", _uninstalled),
)
