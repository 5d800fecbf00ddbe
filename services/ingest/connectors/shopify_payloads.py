"""The parts of Shopify's webhook payloads that mean something to us."""

from decimal import Decimal

import msgspec

Id = int | str | None


class Payload(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all payloads: what is not named is skipped unread."""


class Price(Payload, frozen=True, kw_only=True):
    """An amount in one currency."""

    amount: Decimal = Decimal(0)
    currency_code: str | None = None


class PriceSet(Payload, frozen=True, kw_only=True):
    """An amount in the shop's and in the buyer's currency."""

    shop_money: Price | None = None
    presentment_money: Price | None = None


class Taxed(Payload, frozen=True, kw_only=True):
    """One tax on a line."""

    price: Decimal | None = None


class Allocated(Payload, frozen=True, kw_only=True):
    """One discount's share in a line."""

    amount: Decimal | None = None


class LineItem(Payload, frozen=True, kw_only=True):
    """A line of an order, checkout or cart."""

    id: Id = None
    product_id: Id = None
    variant_id: Id = None
    sku: str | None = None
    title: str | None = None
    product_type: str | None = None
    quantity: int = 1
    price: Decimal | None = None
    total_discount: Decimal | None = None
    discount_allocations: list[Allocated] = []
    tax_lines: list[Taxed] = []
    gift_card: bool | None = None
    url: str | None = None
    image_url: str | None = None


class ShippingLine(Payload, frozen=True, kw_only=True):
    """What a delivery costs."""

    id: Id = None
    title: str | None = None
    price: Decimal | None = None
    discount_allocations: list[Allocated] = []
    tax_lines: list[Taxed] = []


class Consent(Payload, frozen=True, kw_only=True):
    """Consent for one channel; `state` is subscribed, unsubscribed, not_subscribed, pending, redacted or invalid."""

    state: str | None = None
    opt_in_level: str | None = None
    consent_updated_at: str | None = None


class Address(Payload, frozen=True, kw_only=True):
    """Where somebody lives."""

    country_code: str | None = None


class Customer(Payload, frozen=True, kw_only=True):
    """A customer of the shop."""

    id: Id = None
    customer_id: Id = None
    email: str | None = None
    email_address: str | None = None
    phone: str | None = None
    first_name: str | None = None
    last_name: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    default_address: Address | None = None
    email_marketing_consent: Consent | None = None
    sms_marketing_consent: Consent | None = None


class Code(Payload, frozen=True, kw_only=True):
    """A discount code."""

    code: str | None = None


class RefundLineItem(Payload, frozen=True, kw_only=True):
    """Pieces of one line that came back."""

    line_item_id: Id = None
    quantity: int = 0


class Transaction(Payload, frozen=True, kw_only=True):
    """Money that moved."""

    amount: Decimal | None = None
    kind: str | None = None
    status: str | None = None


class Refund(Payload, frozen=True, kw_only=True):
    """One refund of an order."""

    id: Id = None
    order_id: Id = None
    created_at: str | None = None
    processed_at: str | None = None
    refund_line_items: list[RefundLineItem] = []
    transactions: list[Transaction] = []


class Fulfilment(Payload, frozen=True, kw_only=True):
    """One parcel."""

    created_at: str | None = None
    status: str | None = None


class Company(Payload, frozen=True, kw_only=True):
    """The firm that an order of a B2B customer is for."""

    id: Id


class Order(Payload, frozen=True, kw_only=True):
    """A whole order."""

    id: Id
    name: str | None = None
    email: str | None = None
    phone: str | None = None
    created_at: str
    updated_at: str | None = None
    processed_at: str | None = None
    cancelled_at: str | None = None
    currency: str | None = None
    test: bool | None = None
    financial_status: str | None = None
    fulfillment_status: str | None = None
    total_price: Decimal | None = None
    total_price_set: PriceSet | None = None
    total_discounts: Decimal | None = None
    total_tax: Decimal | None = None
    total_tip_received: Decimal | None = None
    taxes_included: bool = False
    cart_token: str | None = None
    checkout_token: str | None = None
    discount_codes: list[Code] = []
    line_items: list[LineItem] = []
    shipping_lines: list[ShippingLine] = []
    refunds: list[Refund] = []
    fulfillments: list[Fulfilment] = []
    customer: Customer | None = None
    buyer_accepts_marketing: bool | None = None
    customer_locale: str | None = None
    billing_address: Address | None = None
    source_name: str | None = None
    company: Company | None = None


class Cart(Payload, frozen=True, kw_only=True):
    """A cart or checkout."""

    id: Id = None
    token: str | None = None
    cart_token: str | None = None
    email: str | None = None
    phone: str | None = None
    created_at: str | None = None
    updated_at: str | None = None
    completed_at: str | None = None
    currency: str | None = None
    line_items: list[LineItem] = []
    abandoned_checkout_url: str | None = None
    customer: Customer | None = None
    buyer_accepts_marketing: bool | None = None
    customer_locale: str | None = None


class ProductVariant(Payload, frozen=True, kw_only=True):
    """One form a product is sold in."""

    id: Id = None
    sku: str | None = None
    title: str | None = None
    price: Decimal | None = None
    inventory_quantity: int | None = None
    inventory_management: str | None = None
    inventory_policy: str | None = None


class Picture(Payload, frozen=True, kw_only=True):
    """A picture of a product."""

    src: str | None = None


class Product(Payload, frozen=True, kw_only=True):
    """A product; of one that was deleted only the id is told."""

    id: Id = None
    title: str | None = None
    handle: str | None = None
    product_type: str | None = None
    status: str | None = None
    published_at: str | None = None
    updated_at: str | None = None
    image: Picture | None = None
    variants: list[ProductVariant] = []


class Privacy(Payload, frozen=True, kw_only=True):
    """A request about somebody's personal data."""

    customer: Customer | None = None
