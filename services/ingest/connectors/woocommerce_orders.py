"""WooCommerce's orders, line by line, as claims; a refund comes as an update of its order."""

import math
from datetime import datetime

from services.ingest.claims import Basket, Key, OrderClaim, Rank, RefundSaid, Said
from services.ingest.connectors import woocommerce_payloads as payloads
from services.ingest.connectors.amounts import MOST_PIECES, basket_of, spread
from services.ingest.connectors.base import named
from services.ingest.moments import maybe
from services.ingest.money import currency_flags, currency_of, exponent_of, to_minor
from shared.errors import Refused
from shared.events.ingest import Line

PENDING = frozenset({"pending", "on-hold", "failed", "checkout-draft"})


def order_claim(said: Said, order: payloads.Order, keys: tuple[Key, ...]) -> OrderClaim:
    """The claim of an order webhook, which always carries the whole order."""
    name = named(order.id)
    if not name:
        raise Refused("missing_id", "the order has no id", pointer="/id")
    created = maybe(order.date_created_gmt)
    updated = maybe(order.date_modified_gmt) or created or said.recorded
    completed = maybe(order.date_completed_gmt)
    currency = currency_of(order.currency, said.currency)
    exponent = exponent_of(currency)
    return OrderClaim(
        keys=keys,
        at=updated,
        external_id=name,
        updated=updated,
        rank=Rank.PLATFORM,
        change="placed" if said.meta["topic"] == "order.created" else "updated",
        flags=currency_flags(order.currency),
        number=named(order.number) or None,
        basket=_basket(order, currency, exponent),
        coupons=tuple(coupon.code for coupon in order.coupon_lines if coupon.code),
        channel=order.created_via,
        pending=order.status in PENDING,
        placed_at=created or updated,
        paid_at=maybe(order.date_paid_gmt) or completed,
        fulfilled_at=completed,
        cancelled_at=updated if order.status in {"cancelled", "trash"} else None,
        refunds=tuple(_refund(refund, exponent, updated) for refund in order.refunds),
    )


def _refund(refund: payloads.Refund, exponent: int, updated: datetime) -> RefundSaid:
    return RefundSaid(id=named(refund.id), at=updated, amount=abs(to_minor(refund.total, exponent)))


def _basket(order: payloads.Order, currency: str, exponent: int) -> Basket:
    """What was bought: all amounts come without tax, whatever the shop's prices include."""
    lines = [
        *(_line(item, exponent) for item in order.line_items if item.quantity),
        *(_charge("shipping", item, exponent) for item in order.shipping_lines),
        *(_charge("fee", item, exponent) for item in order.fee_lines),
    ]
    discounts = [line for line in lines if line.gross < 0]  # a fee below zero takes off the goods
    total = None if order.total is None else to_minor(order.total, exponent)
    kept = [line for line in lines if line.gross >= 0]
    return basket_of(spread(kept, discount=-sum(line.gross for line in discounts)), currency, exponent, total=total)


def _line(item: payloads.LineItem, exponent: int) -> Line:
    if not item.quantity.is_finite() or not 0 < item.quantity <= MOST_PIECES:
        raise Refused("malformed_line", "an impossible quantity", pointer="/line_items")
    total = to_minor(item.total, exponent)
    gross = to_minor(item.subtotal, exponent) if item.subtotal else total
    return Line(
        id=named(item.id or item.product_id),
        product=named(item.product_id),
        variant=named(item.variation_id) if item.variation_id else "",
        sku=item.sku or "",
        title=item.name or "",
        quantity=math.ceil(item.quantity),
        gross=max(gross, total),
        discount=max(gross - total, 0),
        tax=to_minor(item.total_tax, exponent),
    )


def _charge(kind: str, item: payloads.Charge, exponent: int) -> Line:
    return Line(
        id=f"{kind}:{named(item.id)}",
        kind="shipping" if kind == "shipping" else "fee",
        title=item.method_title or item.name or "",
        gross=to_minor(item.total, exponent),
        tax=to_minor(item.total_tax, exponent),
    )
