"""The parts of WooCommerce's webhook payloads (REST API v3) that mean something to us; `_gmt` times name no zone."""

from decimal import Decimal

import msgspec

Id = int | str | None


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all payloads: what is not named is skipped unread."""


class Person(Payload, frozen=True, kw_only=True):
    """Whom an invoice goes to."""

    email: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    country: str | None = None


class LineItem(Payload, frozen=True, kw_only=True):
    """Goods: `subtotal` before and `total` after discounts, both without tax."""

    id: Id = None
    name: str | None = None
    product_id: Id = None
    variation_id: Id = None
    sku: str | None = None
    quantity: Decimal = Decimal(1)
    subtotal: str | None = None
    total: str | None = None
    total_tax: str | None = None


class Charge(Payload, frozen=True, kw_only=True):
    """Shipping or a fee, without tax."""

    id: Id = None
    name: str | None = None
    method_title: str | None = None
    total: str | None = None
    total_tax: str | None = None


class Coupon(Payload, frozen=True, kw_only=True):
    """A code that was redeemed."""

    code: str | None = None


class Refund(Payload, frozen=True, kw_only=True):
    """Something given back; `total` is negative."""

    id: Id = None
    total: str | None = None


class Order(Payload, frozen=True, kw_only=True):
    """A whole order; of one that was deleted only the id is told."""

    id: Id = None
    number: Id = None
    status: str = ""
    currency: str | None = None
    created_via: str | None = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None
    date_paid_gmt: str | None = None
    date_completed_gmt: str | None = None
    total: str | None = None
    customer_id: Id = None
    billing: Person | None = None
    line_items: list[LineItem] = []
    shipping_lines: list[Charge] = []
    fee_lines: list[Charge] = []
    coupon_lines: list[Coupon] = []
    refunds: list[Refund] = []


class Customer(Payload, frozen=True, kw_only=True):
    """A registered customer."""

    id: Id = None
    email: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    billing: Person | None = None
    date_created_gmt: str | None = None
    date_modified_gmt: str | None = None


class Named(Payload, frozen=True, kw_only=True):
    """A category."""

    name: str | None = None


class Picture(Payload, frozen=True, kw_only=True):
    """A picture."""

    src: str | None = None


class Product(Payload, frozen=True, kw_only=True):
    """A product; of one that was deleted only the id is told."""

    id: Id = None
    name: str | None = None
    permalink: str | None = None
    status: str | None = None
    sku: str | None = None
    price: str | None = None
    stock_status: str | None = None
    categories: list[Named] = []
    images: list[Picture] = []
    date_modified_gmt: str | None = None
