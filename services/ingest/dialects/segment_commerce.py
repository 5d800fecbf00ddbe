"""Segment's e-commerce vocabulary (version 2): track calls that are news of orders, carts and products."""

import math
from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec

from services.ingest.claims import (
    AnyClaim,
    BrowseClaim,
    CartClaim,
    CartStep,
    Key,
    OrderClaim,
    Rank,
    RefundSaid,
    Said,
    Trust,
)
from services.ingest.connectors.amounts import MOST_PIECES, basket_of, spread
from services.ingest.connectors.base import decode, named
from services.ingest.connectors.shopify_orders import order_id
from services.ingest.dialects import segment_payloads as payloads
from services.ingest.money import currency_flags, currency_of, exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import CartLine, Line

MOST_PROPERTIES = 50
_properties = msgspec.json.Decoder(payloads.Properties)
_loose = msgspec.json.Decoder(dict[str, Any])


class Told(msgspec.Struct, frozen=True, kw_only=True):
    """A track call, read as far as its properties; `visitor` is the id its cart goes by where it names none."""

    said: Said
    keys: tuple[Key, ...]
    at: datetime
    name: str
    properties: bytes
    id: str
    visitor: str


def translate(told: Told) -> list[AnyClaim]:
    """The claims of a track call; an order told by a browser is only behaviour."""
    word = told.name.strip().casefold()
    if word in _ORDERS:
        if told.said.trust is not Trust.VERIFIED:
            return browse(told)
        return [_ORDERS[word](told, _read(told))]
    if word in _CARTS:
        claim = _CARTS[word](told, _read(told))
        return [claim] if claim is not None else browse(told)
    return browse(told) if word in _SHOPPING else [_did(told, word)]


def browse(told: Told) -> list[AnyClaim]:
    """The claim of behaviour: a product looked at, or anything else by its name."""
    if told.name.strip().casefold() in {"product viewed", "view_item"}:
        read = _read(told)
        product = _product(read)
        if product:
            return [
                BrowseClaim(
                    keys=told.keys,
                    at=told.at,
                    name=told.name,
                    product=product,
                    title=read.name or "",
                    categories=(read.category,) if read.category else (),
                    url=read.url or "",
                )
            ]
    return [BrowseClaim(keys=told.keys, at=told.at, name=told.name[:256], properties=_plain(told.properties))]


def _did(told: Told, word: str) -> BrowseClaim:
    """The claim of an event that is no shopping: an activity by its name, which a programme may reward."""
    properties = _plain(told.properties)
    name, reference = _ACTIVITIES.get(word, (told.name.strip()[:256], ""))
    return BrowseClaim(
        keys=told.keys,
        at=told.at,
        name=told.name[:256],
        properties=properties,
        activity=name,
        reference=named(properties.get(reference)),
    )


def _read(told: Told) -> payloads.Properties:
    return decode(told.properties, _properties)


def _plain(raw: bytes) -> dict[str, str | int | float | bool | None]:
    """The simple values among an event's properties, fifty at most."""
    found = decode(raw, _loose) if raw.lstrip().startswith(b"{") else {}
    simple = {
        name: value for name, value in found.items() if isinstance(value, str | int | float | bool) or value is None
    }
    return dict(list(simple.items())[:MOST_PROPERTIES])


def _product(product: payloads.Product) -> str:
    return named(product.product_id or product.id or product.sku)


def _pieces(product: payloads.Product) -> int:
    pieces = product.quantity if product.quantity is not None else Decimal(1)
    if not pieces.is_finite() or not 0 < pieces <= MOST_PIECES:
        raise Refused("malformed_line", "an impossible quantity", pointer="/properties/quantity")
    return math.ceil(pieces)


def _order(told: Told, read: payloads.Properties, change: str, **more: Any) -> OrderClaim:
    if read.order_id is None or not named(read.order_id):
        raise Refused("missing_id", "the order has no id", pointer="/properties/order_id")
    return OrderClaim(
        keys=told.keys,
        at=told.at,
        external_id=order_id(read.order_id),
        updated=told.at,
        rank=Rank.TRACKED,
        change=change,
        **more,
    )


def _completed(told: Told, read: payloads.Properties) -> OrderClaim:
    return _order(told, read, "placed", placed_at=told.at, paid_at=told.at, **_content(told, read))


def _updated(told: Told, read: payloads.Properties) -> OrderClaim:
    return _order(told, read, "updated", **(_content(told, read) if read.products else {}))


def _content(told: Told, read: payloads.Properties) -> dict[str, Any]:
    """What an order holds: the discount, tax and shipping of the whole are spread over its lines."""
    currency = currency_of(read.currency, told.said.currency)
    exponent = exponent_of(currency)
    goods = [_line(number, product, exponent) for number, product in enumerate(read.products, start=1)]
    if not goods:
        goods = [Line(id="1", gross=to_minor(read.revenue or read.total or read.value, exponent))]
        lines = goods
    else:
        lines = spread(goods, discount=to_minor(read.discount, exponent), tax=to_minor(read.tax, exponent))
    if read.shipping:
        lines = [*lines, Line(id="shipping", kind="shipping", gross=to_minor(read.shipping, exponent))]
    total = to_minor(read.total, exponent) if read.total is not None else None
    return {
        "basket": basket_of(lines, currency, exponent, total=total),
        "flags": currency_flags(read.currency),
        "coupons": (read.coupon,) if read.coupon else None,
        "channel": read.affiliation,
        "cart_token": named(read.cart_id) or None,
        "checkout_token": named(read.checkout_id) or None,
    }


def _line(number: int, product: payloads.Product, exponent: int) -> Line:
    pieces = _pieces(product)
    return Line(
        id=str(number),
        product=_product(product),
        variant=named(product.variant),
        sku=named(product.sku),
        title=product.name or "",
        categories=(product.category,) if product.category else (),
        quantity=pieces,
        gross=to_minor((product.price or Decimal(0)) * pieces, exponent),
    )


def _cancelled(told: Told, read: payloads.Properties) -> OrderClaim:
    return _order(told, read, "cancelled", cancelled_at=told.at)


def _refunded(told: Told, read: payloads.Properties) -> OrderClaim:
    """A refund; without an amount and products it is of the whole order."""
    exponent = exponent_of(currency_of(read.currency, told.said.currency))
    given = read.total if read.total is not None else read.value
    amount = None if given is None else abs(to_minor(given, exponent))
    if amount is None and read.products:
        amount = sum(to_minor((line.price or Decimal(0)) * _pieces(line), exponent) for line in read.products)
    refund = RefundSaid(id=named(read.refund_id) or told.id, at=told.at, amount=amount)
    return _order(told, read, "refunded", refunds=(refund,))


def _cart(told: Told, read: payloads.Properties, **more: Any) -> CartClaim:
    currency = currency_of(read.currency, told.said.currency)
    return CartClaim(
        keys=told.keys,
        at=told.at,
        token=named(read.cart_id) or f"visitor:{told.visitor}",
        named_by=Rank.TRACKED if named(read.cart_id) else None,
        currency=currency,
        exponent=exponent_of(currency),
        restore_url=read.restore_url or "",
        **more,
    )


def _step(told: Told, read: payloads.Properties, sign: int) -> CartClaim | None:
    """One product put in or taken out; None where no product is named."""
    if not _product(read):
        return None
    line = _cart_line(read, exponent_of(currency_of(read.currency, told.said.currency)))
    all_of_it = sign < 0 and read.quantity is None
    line = msgspec.structs.replace(line, quantity=-MOST_PIECES if all_of_it else sign * line.quantity)
    return _cart(told, read, step=CartStep(id=told.id, at=told.at, line=line))


def _cart_line(product: payloads.Product, exponent: int) -> CartLine:
    return CartLine(
        product=_product(product),
        variant=named(product.variant),
        sku=named(product.sku),
        title=product.name or "",
        quantity=_pieces(product),
        price=to_minor(product.price, exponent),
        url=product.url or "",
        image=product.image_url or "",
    )


def _added(told: Told, read: payloads.Properties) -> CartClaim | None:
    return _step(told, read, 1)


def _removed(told: Told, read: payloads.Properties) -> CartClaim | None:
    return _step(told, read, -1)


def _whole(told: Told, read: payloads.Properties) -> CartClaim | None:
    """A whole cart; None where no product is named, so that a page view empties nothing."""
    exponent = exponent_of(currency_of(read.currency, told.said.currency))
    lines = tuple(_cart_line(product, exponent) for product in read.products)
    return _cart(told, read, lines=lines) if lines else None


def _checkout(told: Told, read: payloads.Properties) -> CartClaim | None:
    claim = _whole(told, read)
    return (
        msgspec.structs.replace(claim, stage="checkout") if claim is not None else _cart(told, read, stage="checkout")
    )


_ACTIVITIES = {"product reviewed": ("review", "review_id"), "survey completed": ("survey", "survey_id")}
_SHOPPING = frozenset((
    "products searched", "product list viewed", "product list filtered", "promotion viewed", "promotion clicked",
    "product clicked", "product viewed", "checkout step viewed", "checkout step completed", "payment info entered",
    "coupon entered", "coupon applied", "coupon denied", "coupon removed", "product added to wishlist",
    "product removed from wishlist", "product shared", "cart shared", "wishlist product added to cart",
    "view_item_list", "select_item", "view_item", "add_payment_info",
))  # fmt: skip
_ORDERS: dict[str, Callable[[Told, payloads.Properties], OrderClaim]] = {
    "order completed": _completed,
    "purchase": _completed,
    "order updated": _updated,
    "order cancelled": _cancelled,
    "order refunded": _refunded,
    "refund": _refunded,
}
_CARTS: dict[str, Callable[[Told, payloads.Properties], CartClaim | None]] = {
    "product added": _added,
    "add_to_cart": _added,
    "product removed": _removed,
    "remove_from_cart": _removed,
    "cart viewed": _whole,
    "view_cart": _whole,
    "checkout started": _checkout,
    "begin_checkout": _checkout,
}
