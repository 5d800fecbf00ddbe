"""WooCommerce: webhooks signed with HMAC-SHA256 over the raw bytes, and what their topics say."""

import base64
import hashlib
import hmac
import html
import re
from collections.abc import Callable, Mapping
from datetime import datetime

import msgspec

from services.ingest.claims import AnyClaim, CustomerClaim, Key, NoticeClaim, ProductClaim, ProductSaid, Said
from services.ingest.connectors import woocommerce_payloads as payloads
from services.ingest.connectors.base import Connector, customer_key, decode, email_key, named, phone_key
from services.ingest.connectors.doctor import diagnose
from services.ingest.connectors.woocommerce_orders import order_claim
from services.ingest.moments import maybe
from services.ingest.money import exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import Variant

_KEPT = ("topic", "resource", "event", "source", "id", "delivery-id")
_PING = re.compile(rb"webhook_id=\d{1,20}")
_order = msgspec.json.Decoder(payloads.Order)
_customer = msgspec.json.Decoder(payloads.Customer)
_product = msgspec.json.Decoder(payloads.Product)


class _Shape(msgspec.Struct, frozen=True):
    id: payloads.Id = None
    date_modified_gmt: str | None = None


_shape = msgspec.json.Decoder(_Shape).decode


class WooCommerce(Connector):
    """WooCommerce's webhooks, which are never sent twice: what we do not answer with 200 is lost."""

    name = "woocommerce"

    def handshake(self, raw: bytes, headers: Mapping[str, str]) -> bytes | None:
        """The answer to the unsigned ping that is sent when a webhook is saved."""
        return b"{}" if _PING.fullmatch(raw.strip()) and "x-wc-webhook-signature" not in headers else None

    def verify(self, raw: bytes, headers: Mapping[str, str], secrets: Mapping[str, str]) -> str:
        """The id of the secret that signed the body; WooCommerce decodes HTML entities in a secret first."""
        written = headers.get("x-wc-webhook-signature", "")
        try:
            given = base64.b64decode(written, validate=True)
        except ValueError:
            given = b""
        for name, secret in secrets.items():
            key = html.unescape(secret).encode()
            if hmac.compare_digest(hmac.new(key, raw, hashlib.sha256).digest(), given):
                return name
        raise Refused("bad_signature", diagnose(raw, written, secrets), status=401)

    def dedupe(self, headers: Mapping[str, str], raw: bytes) -> bytes:
        """Shop, topic, id, time of change and body: a delivery's own id is used again within a second."""
        try:
            told = _shape(raw)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            told = _Shape()
        shop, topic = headers.get("x-wc-webhook-source", ""), headers.get("x-wc-webhook-topic", "")
        body = hashlib.sha256(raw).hexdigest()
        key = f"{shop}\n{topic}\n{told.id}\n{told.date_modified_gmt}\n{body}"
        return hashlib.sha256(key.encode("utf-8", "surrogatepass")).digest()

    def meta(self, headers: Mapping[str, str]) -> dict[str, str]:
        """Topic, shop and the delivery's id."""
        return {name: headers[f"x-wc-webhook-{name}"] for name in _KEPT if f"x-wc-webhook-{name}" in headers}

    def translate(self, said: Said) -> list[AnyClaim]:
        """The claims of one webhook, by its topic."""
        topic = said.meta.get("topic", "")
        resource, _, event = topic.partition(".")
        if resource not in _RESOURCES:
            raise Refused("unknown_topic", f"WooCommerce topic {topic[:80]!r} is not one we know")
        if event == "deleted" and resource != "product":
            return [NoticeClaim(at=said.recorded, reason=f"{resource}_deleted")]
        return _RESOURCES[resource](said)


def _orders(said: Said) -> list[AnyClaim]:
    order = decode(said.raw, _order)
    who = order.billing or payloads.Person()
    keys = _names(said, order.customer_id, who.email, who.phone)
    claim = order_claim(said, order, keys)
    return [claim, *_about(keys, claim.updated, who.email, who)]


def _customers(said: Said) -> list[AnyClaim]:
    person = decode(said.raw, _customer)
    billing = person.billing or payloads.Person()
    keys = _names(said, person.id, person.email, billing.phone)
    if not keys:
        raise Refused("missing_id", "the customer has neither id nor address", pointer="/id")
    told = payloads.Person(
        phone=billing.phone,
        country=billing.country,
        first_name=person.first_name or billing.first_name,
        last_name=person.last_name or billing.last_name,
    )
    at = maybe(person.date_modified_gmt) or maybe(person.date_created_gmt) or said.recorded
    return _about(keys, at, person.email, told)


def _products(said: Said) -> list[AnyClaim]:
    product = decode(said.raw, _product)
    name = named(product.id)
    if not name:
        raise Refused("missing_id", "the product has no id", pointer="/id")
    gone = said.meta["topic"] == "product.deleted"
    updated = maybe(product.date_modified_gmt) or said.recorded
    return [
        ProductClaim(at=updated, external_id=name, updated=updated, said=None if gone else _described(said, product))
    ]


def _described(said: Said, product: payloads.Product) -> ProductSaid:
    exponent = exponent_of(said.currency)
    available = product.status in {None, "publish"} and product.stock_status != "outofstock"
    only = Variant(
        id=named(product.id), sku=product.sku or "", price=to_minor(product.price, exponent), available=available
    )
    return ProductSaid(
        title=product.name or "",
        url=product.permalink or "",
        image=next((picture.src for picture in product.images if picture.src), ""),
        categories=tuple(category.name for category in product.categories if category.name),
        currency=said.currency,
        exponent=exponent,
        variants=(only,),
        available=available,
    )


def _coupons(said: Said) -> list[AnyClaim]:
    return [NoticeClaim(at=said.recorded, reason=said.meta["topic"].replace(".", "_"))]


def _names(said: Said, customer: payloads.Id, email: str | None, phone: str | None) -> tuple[Key, ...]:
    """The names of a customer; a guest has the id 0."""
    registered = [] if customer in {0, "0"} else customer_key(said.store, customer)
    return tuple(dict.fromkeys([*registered, *email_key(email), *phone_key(phone)]))


def _about(keys: tuple[Key, ...], at: datetime, email: str | None, who: payloads.Person) -> list[AnyClaim]:
    told = {
        "email": email,
        "phone": who.phone,
        "first_name": who.first_name,
        "last_name": who.last_name,
        "country": who.country,
    }
    profile = {name: value for name, value in told.items() if value}
    return [CustomerClaim(keys=keys, at=at, profile=profile)] if keys else []


_RESOURCES: dict[str, Callable[[Said], list[AnyClaim]]] = {
    "order": _orders,
    "customer": _customers,
    "product": _products,
    "coupon": _coupons,
}
