"""The parts of Segment's messages that mean something to us."""

from decimal import Decimal

import msgspec

Id = int | str | None
Time = str | int | float | None
Amount = Decimal | None


class Part(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all parts: what is not named is skipped unread."""


class Product(Part, frozen=True, kw_only=True):
    """A product in an order, cart or view."""

    product_id: Id = None
    id: Id = None
    sku: Id = None
    variant: Id = None
    name: str | None = None
    category: str | None = None
    price: Amount = None
    quantity: Amount = None
    url: str | None = None
    image_url: str | None = None


class Properties(Product, frozen=True, kw_only=True):
    """The properties of e-commerce events, version 2 (one product's may stand at the top)."""

    order_id: Id = None
    checkout_id: Id = None
    cart_id: Id = None
    refund_id: Id = None
    total: Amount = None
    revenue: Amount = None
    value: Amount = None
    shipping: Amount = None
    tax: Amount = None
    discount: Amount = None
    coupon: str | None = None
    currency: str | None = None
    affiliation: str | None = None
    products: list[Product] = []
    restore_url: str | None = None


class Address(Part, frozen=True, kw_only=True):
    """Where somebody lives."""

    country: str | None = None


class Traits(Part, frozen=True, kw_only=True):
    """What is known of a person; other traits are left alone."""

    email: str | None = None
    phone: str | None = None
    firstName: str | None = None  # noqa: N815 - Segment's spelling
    first_name: str | None = None
    lastName: str | None = None  # noqa: N815 - Segment's spelling
    last_name: str | None = None
    locale: str | None = None
    timezone: str | None = None
    birthday: str | None = None
    country: str | None = None
    address: Address | str | None = None


class Context(Part, frozen=True, kw_only=True):
    """What the SDK knows of its surroundings."""

    traits: Traits | None = None
    locale: str | None = None
    timezone: str | None = None


class Message(Part, frozen=True, kw_only=True):
    """One call of a Segment SDK."""

    type: str = ""
    messageId: str | None = None  # noqa: N815 - Segment's spelling
    userId: Id = None  # noqa: N815 - Segment's spelling
    anonymousId: Id = None  # noqa: N815 - Segment's spelling
    previousId: Id = None  # noqa: N815 - Segment's spelling
    event: str | None = None
    name: str | None = None
    timestamp: Time = None
    originalTimestamp: Time = None  # noqa: N815 - Segment's spelling
    properties: msgspec.Raw = msgspec.Raw(b"{}")
    traits: Traits | None = None
    context: Context | None = None


class Named(Part, frozen=True, kw_only=True):
    """As much of a message as accept needs."""

    messageId: str | None = None  # noqa: N815 - Segment's spelling


class Shape(Named, frozen=True, kw_only=True):
    """As much of a body as accept needs."""

    type: str | None = None
    sentAt: str | None = None  # noqa: N815 - Segment's spelling
    writeKey: str | None = None  # noqa: N815 - Segment's spelling


class Batch(Shape, frozen=True, kw_only=True):
    """The body of `/v1/batch`: its messages are only split, not read."""

    batch: list[msgspec.Raw]
