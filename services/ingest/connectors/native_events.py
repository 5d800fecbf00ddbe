"""Querencia's own events, CloudEvents 1.0 in JSON: what `POST /v1/events` takes."""

from typing import Annotated, Literal

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    FiniteFloat,
    TypeAdapter,
)


def _exact(value: object) -> object:
    """An id written as a number, as its exact text."""
    return str(value) if isinstance(value, int) and not isinstance(value, bool) else value


Id = Annotated[str, BeforeValidator(_exact), AfterValidator(str.strip), Field(min_length=1, max_length=512)]
Minor = Annotated[int, Field(ge=0, le=10**15, strict=True)]
Pieces = Annotated[int, Field(ge=1, le=10**9, strict=True)]
Text = Annotated[str, Field(max_length=2048)]


class Part(BaseModel):
    """The base of all parts of an event."""

    model_config = ConfigDict(frozen=True, extra="ignore")


class Who(Part):
    """A customer by the store's own `id`, e-mail, telephone (+…) or anonymous id, and what is known of them."""

    id: Id | None = None
    email: Text | None = None
    phone: Text | None = None
    anonymous_id: Id | None = None
    first_name: Text | None = None
    last_name: Text | None = None
    locale: Text | None = None
    zone: Text | None = None
    country: Text | None = None
    birthday: Text | None = None


class OrderLine(Part):
    """A line of an order; `price` per piece, `discount` and `tax` of the whole line, minor units."""

    id: Id | None = None
    kind: Literal["product", "gift_card", "shipping", "tip", "fee"] = "product"
    product: Id | None = None
    variant: Text = ""
    sku: Text = ""
    title: Text = ""
    categories: tuple[Text, ...] = ()
    quantity: Pieces = 1
    price: Minor
    discount: Minor = 0
    tax: Minor = 0


class Paid(Part):
    """A part of an order paid with something."""

    kind: Literal["cash", "points", "gift_card"]
    amount: Minor


class Purchase(Part):
    """An order as the store knows it now; without `lines`, news of an order told before.

    `discount`, `tax` and `shipping` are of the whole order and spread over its lines.
    """

    order_id: Id
    number: Text | None = None
    customer: Who | None = None
    currency: Text | None = None
    lines: tuple[OrderLine, ...] | None = Field(default=None, max_length=5000)
    discount: Minor = 0
    tax: Minor = 0
    shipping: Minor = 0
    tax_included: bool = False
    total: Minor | None = None
    tenders: tuple[Paid, ...] = ()
    coupons: tuple[Text, ...] = ()
    channel: Text | None = None
    test: bool | None = None
    cart_id: Id | None = None
    checkout_id: Id | None = None
    paid: bool = True
    placed_at: AwareDatetime | None = None
    paid_at: AwareDatetime | None = None
    fulfilled_at: AwareDatetime | None = None
    delivered_at: AwareDatetime | None = None
    cancelled_at: AwareDatetime | None = None
    disputed_at: AwareDatetime | None = None
    dispute_won_at: AwareDatetime | None = None
    updated_at: AwareDatetime | None = None


class GivenBack(Part):
    """Pieces of a line, or an amount of its net, that are given back."""

    id: Id
    quantity: Annotated[int, Field(ge=0, le=10**9, strict=True)] = 0
    amount: Minor | None = None


class Refund(Part):
    """Something of an order is given back: an `amount`, `lines`, or without both all that is left."""

    order_id: Id
    refund_id: Id | None = None
    amount: Minor | None = None
    lines: tuple[GivenBack, ...] = ()


class CartItem(Part):
    """A line of a cart; `price` per piece, minor units."""

    product: Id
    variant: Text = ""
    sku: Text = ""
    title: Text = ""
    quantity: Pieces = 1
    price: Minor = 0
    url: Text = ""
    image: Text = ""


class CartContent(Part):
    """The whole content of a cart."""

    cart_id: Id
    customer: Who | None = None
    currency: Text | None = None
    lines: tuple[CartItem, ...] = ()
    restore_url: Text = ""


class Visit(Part):
    """Something a visitor did; with `product` a product was looked at."""

    customer: Who
    name: Text = "Product Viewed"
    product: Id | None = None
    title: Text = ""
    categories: tuple[Text, ...] = ()
    url: Text = ""
    properties: dict[str, str | int | FiniteFloat | bool | None] = {}


class Deed(Part):
    """Something a customer did that a programme may reward; `reference` is the very thing's id (of a review, say)."""

    customer: Who
    name: Annotated[str, AfterValidator(str.strip), Field(min_length=1, max_length=256)]
    reference: Text = ""
    properties: dict[str, str | int | FiniteFloat | bool | None] = {}


class Profile(Part):
    """What is known of a customer."""

    customer: Who


class Permission(Part):
    """Consent given or withdrawn."""

    customer: Who
    channel: Annotated[str, Field(min_length=1, max_length=64)]
    purpose: Annotated[str, Field(min_length=1, max_length=64)] = "marketing"
    granted: bool
    source: Text = ""
    wording: Text = ""


class Form(Part):
    """One form a product is sold in; `price` in minor units."""

    id: Id
    sku: Text = ""
    title: Text = ""
    price: Minor = 0
    available: bool | None = None


class Description(Part):
    """A product as it is now; `removed` once the store does not list it any more."""

    product: Id
    title: Text = ""
    url: Text = ""
    image: Text = ""
    categories: tuple[Text, ...] = ()
    currency: Text | None = None
    variants: tuple[Form, ...] = Field(default=(), max_length=2000)
    available: bool = True
    removed: bool = False
    updated_at: AwareDatetime | None = None


class Envelope(Part):
    """The CloudEvents attributes we read; `store` is our store id where the key does not say it."""

    specversion: Literal["1.0"]
    id: Annotated[str, Field(min_length=1, max_length=256)]
    source: Annotated[str, Field(min_length=1, max_length=1024)]
    time: AwareDatetime | None = None
    store: Text | None = None


class PurchaseEvent(Envelope):
    """`purchase`."""

    type: Literal["purchase"]
    data: Purchase


class RefundEvent(Envelope):
    """`refund`."""

    type: Literal["refund"]
    data: Refund


class CartEvent(Envelope):
    """`cart` and `checkout`."""

    type: Literal["cart", "checkout"]
    data: CartContent


class BrowseEvent(Envelope):
    """`browse`."""

    type: Literal["browse"]
    data: Visit


class ActivityEvent(Envelope):
    """`activity`."""

    type: Literal["activity"]
    data: Deed


class CustomerEvent(Envelope):
    """`customer`."""

    type: Literal["customer"]
    data: Profile


class ConsentEvent(Envelope):
    """`consent`."""

    type: Literal["consent"]
    data: Permission


class ProductEvent(Envelope):
    """`product`."""

    type: Literal["product"]
    data: Description


NativeEvent = (
    PurchaseEvent | RefundEvent | CartEvent | BrowseEvent | ActivityEvent | CustomerEvent | ConsentEvent | ProductEvent
)
ADAPTER: TypeAdapter[NativeEvent] = TypeAdapter(Annotated[NativeEvent, Field(discriminator="type")])
