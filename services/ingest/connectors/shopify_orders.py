"""Shopify's orders and refunds, line by line, as claims."""

from collections.abc import Sequence
from decimal import Decimal

from services.ingest.claims import Basket, Key, OrderClaim, Rank, RefundedLine, RefundSaid, Said
from services.ingest.connectors import shopify_payloads as payloads
from services.ingest.connectors.amounts import basket_of, spread
from services.ingest.connectors.base import named
from services.ingest.moments import maybe, moment
from services.ingest.money import currency_flags, currency_of, exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import Line, Money

PAID = frozenset({"paid", "partially_refunded", "refunded"})
PENDING = frozenset({"pending", "authorized", "partially_paid"})
_CHANGES = {"create": "placed", "updated": "updated", "edited": "updated"}


def order_claim(said: Said, order: payloads.Order, keys: tuple[Key, ...]) -> OrderClaim:
    """The claim of an order webhook, which always carries the whole order."""
    word = said.meta["topic"].rpartition("/")[2]
    created = moment(order.created_at)
    updated = maybe(order.updated_at) or maybe(said.meta.get("triggered-at")) or created
    paid_at = (maybe(order.processed_at) or created) if word == "create" else updated
    fulfilled = [moment(parcel.created_at) for parcel in order.fulfillments if parcel.created_at]
    return OrderClaim(
        keys=keys,
        at=updated,
        external_id=order_id(order.id),
        updated=updated,
        rank=Rank.PLATFORM,
        change=_CHANGES.get(word, word),
        flags=currency_flags(order.currency),
        number=order.name,
        basket=_basket(said, order),
        coupons=tuple(code.code for code in order.discount_codes if code.code),
        channel=order.source_name if order.company is None else "b2b",
        test=order.test,
        pending=order.financial_status in PENDING,
        cart_token=order.cart_token or None,
        checkout_token=order.checkout_token or None,
        placed_at=created,
        paid_at=paid_at if order.financial_status in PAID or word == "paid" else None,
        fulfilled_at=(min(fulfilled, default=updated)) if order.fulfillment_status == "fulfilled" else None,
        cancelled_at=maybe(order.cancelled_at),
        refunds=tuple(_refund(said, refund) for refund in order.refunds),
    )


def refund_claim(said: Said, refund: payloads.Refund) -> OrderClaim:
    """The claim of a refund webhook, which may come before its order."""
    told = _refund(said, refund)
    return OrderClaim(
        at=told.at,
        external_id=order_id(refund.order_id),
        updated=told.at,
        rank=Rank.PLATFORM,
        change="refunded",
        refunds=(told,),
    )


def order_id(value: object) -> str:
    """A store's order id as plain text, the GraphQL form shortened; raises Refused for an empty one."""
    text = named(value).rpartition("gid://shopify/Order/")[2]
    if not text:
        raise Refused("missing_id", "the order has no id", pointer="/id")
    return text


def _refund(said: Said, refund: payloads.Refund) -> RefundSaid:
    moved = [part.amount for part in refund.transactions if part.kind != "void" and part.status in {None, "success"}]
    lines = tuple(
        RefundedLine(line=named(item.line_item_id), quantity=max(item.quantity, 0)) for item in refund.refund_line_items
    )
    exponent = exponent_of(said.currency)
    amount = sum(to_minor(part, exponent) for part in moved) if moved or not lines else None
    at = maybe(refund.processed_at) or maybe(refund.created_at) or said.recorded
    name = named(refund.id)
    if not name:
        raise Refused("missing_id", "the refund has no id", pointer="/id")
    return RefundSaid(id=name, at=at, amount=amount, lines=lines)


def _basket(said: Said, order: payloads.Order) -> Basket:
    currency = currency_of(order.currency, said.currency)
    exponent = exponent_of(currency)
    goods = [_line(item, exponent, included=order.taxes_included) for item in order.line_items if item.quantity]
    ways = [_shipping(item, exponent, included=order.taxes_included) for item in order.shipping_lines]
    lines = _rest(goods, order, exponent) + ways
    if order.total_tip_received:
        lines.append(Line(id="tip", kind="tip", gross=to_minor(order.total_tip_received, exponent)))
    total = None if order.total_price is None else to_minor(order.total_price, exponent)
    return basket_of(lines, currency, exponent, total=total, presentment=_presentment(order))


def _rest(goods: Sequence[Line], order: payloads.Order, exponent: int) -> list[Line]:
    """The lines with what the order says of discount and tax but its lines do not."""
    told = any(item.discount_allocations or item.total_discount for item in order.line_items)
    taxed = any(item.tax_lines for item in order.line_items) or any(way.tax_lines for way in order.shipping_lines)
    discount = 0 if told else to_minor(order.total_discounts, exponent)
    return spread(goods, discount=discount, tax=0 if taxed else to_minor(order.total_tax, exponent))


def _line(item: payloads.LineItem, exponent: int, *, included: bool) -> Line:
    allocated = sum((part.amount or Decimal(0) for part in item.discount_allocations), Decimal(0))
    return Line(
        id=named(item.id or item.variant_id or item.sku),
        kind="gift_card" if item.gift_card else "product",
        product=named(item.product_id),
        variant=named(item.variant_id),
        sku=item.sku or "",
        title=item.title or "",
        categories=(item.product_type,) if item.product_type else (),
        quantity=item.quantity,
        gross=to_minor(item.price, exponent) * item.quantity,
        discount=to_minor(allocated or item.total_discount, exponent),
        tax=_tax(item.tax_lines, exponent),
        tax_included=included,
    )


def _shipping(item: payloads.ShippingLine, exponent: int, *, included: bool) -> Line:
    allocated = sum((part.amount or Decimal(0) for part in item.discount_allocations), Decimal(0))
    return Line(
        id=f"shipping:{named(item.id)}",
        kind="shipping",
        title=item.title or "",
        gross=to_minor(item.price, exponent),
        discount=to_minor(allocated, exponent),
        tax=_tax(item.tax_lines, exponent),
        tax_included=included,
    )


def _tax(taxes: Sequence[payloads.Taxed], exponent: int) -> int:
    return sum(to_minor(tax.price, exponent) for tax in taxes)


def _presentment(order: payloads.Order) -> Money | None:
    price = order.total_price_set.presentment_money if order.total_price_set else None
    if price is None or not price.currency_code or price.currency_code == order.currency:
        return None
    currency = currency_of(price.currency_code, "")
    return Money(amount=to_minor(price.amount, exponent_of(currency)), currency=currency)
