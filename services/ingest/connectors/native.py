"""Querencia's own events: fully checked when they come in, so that their sender gets a verdict, and translated here."""

from collections.abc import Callable
from datetime import datetime
from typing import Any

import msgspec
from pydantic import ValidationError

from services.ingest.claims import (
    AnyClaim,
    Basket,
    BrowseClaim,
    CartClaim,
    ConsentClaim,
    CustomerClaim,
    Key,
    OrderClaim,
    ProductClaim,
    ProductSaid,
    Rank,
    RefundedLine,
    RefundSaid,
    Said,
)
from services.ingest.connectors import native_events as events
from services.ingest.connectors.amounts import basket_of, spread
from services.ingest.connectors.base import (
    anonymous_key,
    customer_key,
    email_key,
    flagged,
    has_nul,
    named,
    phone_key,
)
from services.ingest.moments import clamp
from services.ingest.money import currency_flags, currency_of, exponent_of
from shared.errors import Invalid, Refused
from shared.events.ingest import CartLine, Line, Tender, Variant

SERVER_ONLY = frozenset({"purchase", "refund", "consent", "product", "activity"})
_PROFILE = ("email", "phone", "first_name", "last_name", "locale", "zone", "country", "birthday")


class _Placed(msgspec.Struct, frozen=True):
    store: str | None = None


_placed = msgspec.json.Decoder(_Placed).decode


def read(raw: bytes) -> events.NativeEvent:
    """One native event; raises Invalid (400, a pointer for each fault) when it is not one."""
    if has_nul(raw):
        raise Refused("nul_character", "text holds a NUL character", status=400)
    try:
        return events.ADAPTER.validate_json(raw)
    except ValidationError as error:
        raise Invalid([(_pointer(fault["loc"]), fault["msg"]) for fault in error.errors(include_input=False)]) from None


def _pointer(path: tuple[int | str, ...]) -> str:
    """A JSON Pointer, without the discriminator's tag that pydantic puts first."""
    parts = path[1:] if path and path[0] in _TYPES else path
    return "".join(f"/{str(part).replace('~', '~0').replace('/', '~1')}" for part in parts)


class Native:
    """`POST /v1/events`: vouched for by the API key, told apart by CloudEvents source and id."""

    def translate(self, said: Said) -> list[AnyClaim]:
        """The claims of one event."""
        event = read(said.raw)
        at, flags = clamp(event.time or said.recorded, said.recorded)
        return flagged(_TYPES[event.type](said, event, at), flags)


def store_of(raw: bytes) -> str:
    """The store an event names for itself, '' for none."""
    return _placed(raw).store or ""


def _keys(said: Said, who: events.Who | None) -> tuple[Key, ...]:
    if who is None:
        return ()
    return (
        *customer_key(said.store, who.id),
        *email_key(who.email),
        *phone_key(who.phone),
        *anonymous_key(said.store, who.anonymous_id),
    )


def _required(said: Said, who: events.Who) -> tuple[Key, ...]:
    keys = _keys(said, who)
    if not keys:
        raise Refused("missing_id", "the event names no customer", pointer="/data/customer")
    return keys


def _about(keys: tuple[Key, ...], who: events.Who | None, at: datetime) -> list[AnyClaim]:
    """A claim on the profile, where something is said of it."""
    profile = {name: value for name in _PROFILE if who is not None and (value := getattr(who, name))}
    return [CustomerClaim(keys=keys, at=at, profile=profile)] if profile and keys else []


def _purchase(said: Said, event: events.PurchaseEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    keys = _keys(said, data.customer)
    placed = data.placed_at or (at if data.lines is not None else None)
    claim = OrderClaim(
        keys=keys,
        at=at,
        external_id=data.order_id,
        updated=data.updated_at or at,
        rank=Rank.TOLD,
        change="placed",
        number=data.number,
        basket=None if data.lines is None else _basket(said, data),
        coupons=data.coupons or None,
        channel=data.channel,
        test=data.test,
        pending=not data.paid if data.lines is not None else None,
        cart_token=data.cart_id,
        checkout_token=data.checkout_id,
        placed_at=placed,
        paid_at=data.paid_at or (at if data.paid and data.lines is not None else None),
        fulfilled_at=data.fulfilled_at,
        delivered_at=data.delivered_at,
        cancelled_at=data.cancelled_at,
        disputed_at=data.disputed_at,
        dispute_won_at=data.dispute_won_at,
        flags=() if data.lines is None else currency_flags(data.currency),
    )
    return [claim, *_about(keys, data.customer, at)]


def _basket(said: Said, data: events.Purchase) -> Basket:
    currency = currency_of(data.currency, said.currency)
    goods = [_line(number, line, included=data.tax_included) for number, line in enumerate(data.lines or (), start=1)]
    lines = spread(goods, discount=data.discount, tax=data.tax)
    if data.shipping:
        lines.append(Line(id="shipping", kind="shipping", gross=data.shipping, tax_included=data.tax_included))
    tenders = tuple(Tender(kind=part.kind, amount=part.amount) for part in data.tenders)
    return basket_of(lines, currency, exponent_of(currency), total=data.total, tenders=tenders)


def _line(number: int, line: events.OrderLine, *, included: bool) -> Line:
    return Line(
        id=line.id or str(number),
        kind=line.kind,
        product=line.product or "",
        variant=line.variant,
        sku=line.sku,
        title=line.title,
        categories=line.categories,
        quantity=line.quantity,
        gross=line.price * line.quantity,
        discount=line.discount,
        tax=line.tax,
        tax_included=included,
    )


def _refund(said: Said, event: events.RefundEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    lines = tuple(RefundedLine(line=part.id, quantity=part.quantity, amount=part.amount) for part in data.lines)
    told = RefundSaid(id=named(data.refund_id or event.id), at=at, amount=data.amount, lines=lines)
    return [
        OrderClaim(at=at, external_id=data.order_id, updated=at, rank=Rank.TOLD, change="refunded", refunds=(told,))
    ]


def _cart(said: Said, event: events.CartEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    keys = _keys(said, data.customer)
    currency = currency_of(data.currency, said.currency)
    lines = tuple(CartLine(**line.model_dump()) for line in data.lines)
    claim = CartClaim(
        keys=keys,
        at=at,
        token=data.cart_id,
        named_by=Rank.TOLD,
        currency=currency,
        exponent=exponent_of(currency),
        lines=lines,
        stage=event.type,
        restore_url=data.restore_url,
    )
    return [claim, *_about(keys, data.customer, at)]


def _browse(said: Said, event: events.BrowseEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    keys = _required(said, data.customer)
    claim = BrowseClaim(
        keys=keys,
        at=at,
        name=data.name,
        product=data.product or "",
        title=data.title,
        categories=data.categories,
        url=data.url,
        properties=data.properties,
    )
    return [claim, *_about(keys, data.customer, at)]


def _activity(said: Said, event: events.ActivityEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    keys = _required(said, data.customer)
    claim = BrowseClaim(
        keys=keys, at=at, name=data.name, activity=data.name, reference=data.reference, properties=data.properties
    )
    return [claim, *_about(keys, data.customer, at)]


def _customer(said: Said, event: events.CustomerEvent, at: datetime) -> list[AnyClaim]:
    keys = _required(said, event.data.customer)
    return _about(keys, event.data.customer, at) or [CustomerClaim(keys=keys, at=at)]


def _consent(said: Said, event: events.ConsentEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    keys = _required(said, data.customer)
    claim = ConsentClaim(
        keys=keys,
        at=at,
        channel=data.channel,
        purpose=data.purpose,
        granted=data.granted,
        source=data.source,
        wording=data.wording,
    )
    return [claim, *_about(keys, data.customer, at)]


def _product(said: Said, event: events.ProductEvent, at: datetime) -> list[AnyClaim]:
    data = event.data
    currency = currency_of(data.currency, said.currency)
    described = ProductSaid(
        title=data.title,
        url=data.url,
        image=data.image,
        categories=data.categories,
        currency=currency,
        exponent=exponent_of(currency),
        variants=tuple(Variant(**variant.model_dump()) for variant in data.variants),
        available=data.available,
    )
    content = None if data.removed else described
    return [ProductClaim(at=at, external_id=data.product, updated=data.updated_at or at, said=content)]


_TYPES: dict[str, Callable[[Said, Any, datetime], list[AnyClaim]]] = {
    "purchase": _purchase,
    "refund": _refund,
    "cart": _cart,
    "checkout": _cart,
    "browse": _browse,
    "activity": _activity,
    "customer": _customer,
    "consent": _consent,
    "product": _product,
}
