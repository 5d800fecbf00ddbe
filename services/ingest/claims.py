"""What one delivery says, in the trade's own words, whatever platform said it."""

from collections.abc import Mapping
from datetime import datetime
from enum import IntEnum, StrEnum
from typing import Literal

import msgspec

from shared.events.base import Lane
from shared.events.ingest import CartLine, Line, Money, Tender, Variant


class Trust(StrEnum):
    """Who vouches for a claim: a signature or server key, or only a browser."""

    VERIFIED = "verified"
    BROWSER = "browser"


class Rank(IntEnum):
    """How much a channel knows of an order: an analytics call, the store's own server, the store platform itself."""

    TRACKED = 1
    TOLD = 2
    PLATFORM = 3


KeyKind = Literal["customer", "email", "phone", "anonymous", "order"]
STRENGTH: Mapping[str, int] = {"customer": 0, "email": 1, "phone": 2, "anonymous": 3, "order": 4}


class Key(msgspec.Struct, frozen=True, order=True, gc=False):
    """One name somebody goes by; `store` is '' for names that hold in the whole account (e-mail, phone)."""

    kind: KeyKind
    store: str
    value: str

    @property
    def strength(self) -> tuple[int, str, str]:
        """Sorts the surest name first."""
        return (STRENGTH[self.kind], self.store, self.value)


class Said(msgspec.Struct, frozen=True, kw_only=True):
    """One delivery as a connector sees it: raw bytes, what accept noted (`meta`), and the store's own settings.

    `recorded` is business time of accept; `currency` the store's ISO 4217 code.
    """

    raw: bytes
    meta: Mapping[str, str]
    account: str
    store: str
    currency: str
    trust: Trust
    recorded: datetime
    lane: Lane = Lane.LIVE


class Claim(msgspec.Struct, frozen=True, kw_only=True):
    """The base of all claims: whom it is about (`keys`), when it happened (`at`), what we had to assume (`flags`)."""

    keys: tuple[Key, ...] = ()
    at: datetime
    flags: tuple[str, ...] = ()


class RefundedLine(msgspec.Struct, frozen=True, kw_only=True):
    """How much of one line a refund gives back: pieces, and minor units of its net (None: what the pieces cost)."""

    line: str
    quantity: int = 0
    amount: int | None = None


class RefundSaid(msgspec.Struct, frozen=True, kw_only=True):
    """One refund; `amount` is what the customer got back in all.

    Without an amount it is what its lines cost; without lines either, whatever was left of the order.
    """

    id: str
    at: datetime
    amount: int | None = None
    lines: tuple[RefundedLine, ...] = ()


class Basket(msgspec.Struct, frozen=True, kw_only=True):
    """The money side of an order as one snapshot says it, minor units."""

    currency: str
    exponent: int
    lines: tuple[Line, ...]
    total: int
    tenders: tuple[Tender, ...] = ()
    presentment: Money | None = None
    rate: str = "1"


class OrderClaim(Claim, frozen=True, kw_only=True):
    """What somebody says of one order; None means that nothing was said of it.

    `updated` orders claims of the same `rank`; `rank` says whose word counts more; `pending` that payment is awaited.
    """

    external_id: str
    updated: datetime
    rank: Rank
    change: str
    number: str | None = None
    basket: Basket | None = None
    coupons: tuple[str, ...] | None = None
    channel: str | None = None
    test: bool | None = None
    pending: bool | None = None
    cart_token: str | None = None
    checkout_token: str | None = None
    placed_at: datetime | None = None
    paid_at: datetime | None = None
    fulfilled_at: datetime | None = None
    delivered_at: datetime | None = None
    cancelled_at: datetime | None = None
    disputed_at: datetime | None = None
    dispute_won_at: datetime | None = None
    refunds: tuple[RefundSaid, ...] = ()


class CartStep(msgspec.Struct, frozen=True, kw_only=True):
    """One piece of news of a cart: `line.quantity` more (or, negative, fewer) pieces; `id` tells repeats apart."""

    id: str
    at: datetime
    line: CartLine


class CartClaim(Claim, frozen=True, kw_only=True):
    """A cart: its whole content (`lines`), or one `step`; `token` is the store's own id of it.

    `named_by` says whose id that is; None where the channel told of a cart without naming it.
    """

    token: str
    named_by: Rank | None
    currency: str
    exponent: int
    lines: tuple[CartLine, ...] | None = None
    step: CartStep | None = None
    stage: Literal["cart", "checkout"] = "cart"
    restore_url: str = ""
    completed: bool = False


class BrowseClaim(Claim, frozen=True, kw_only=True):
    """Somebody looked at a product (`product` set) or did something else worth telling (`name`).

    `activity` names something a programme may reward, `reference` the very thing (a review's id): '' for neither.
    """

    name: str
    product: str = ""
    title: str = ""
    categories: tuple[str, ...] = ()
    url: str = ""
    properties: dict[str, str | int | float | bool | None] = {}
    activity: str = ""
    reference: str = ""


class CustomerClaim(Claim, frozen=True, kw_only=True):
    """Names that belong together, and what is said of the profile (field → value; no empty values)."""

    profile: dict[str, str] = {}


class ConsentClaim(Claim, frozen=True, kw_only=True):
    """Consent given or withdrawn at `at` for a channel and purpose."""

    channel: str
    purpose: str = "marketing"
    granted: bool
    source: str = ""
    wording: str = ""


class ProductSaid(msgspec.Struct, frozen=True, kw_only=True):
    """A product as its store describes it; prices of variants in minor units of `currency`."""

    title: str = ""
    url: str = ""
    image: str = ""
    categories: tuple[str, ...] = ()
    currency: str
    exponent: int
    variants: tuple[Variant, ...] = ()
    available: bool = True


class ProductClaim(Claim, frozen=True, kw_only=True):
    """What a store says of one product; without `said` that it is gone. `updated` orders its claims."""

    external_id: str
    updated: datetime
    said: ProductSaid | None


class EraseClaim(Claim, frozen=True, kw_only=True):
    """A customer asks to be forgotten."""


class UninstallClaim(Claim, frozen=True, kw_only=True):
    """A store has taken our app away."""


class ForgetStoreClaim(Claim, frozen=True, kw_only=True):
    """A store that has left asks that its customers be forgotten."""


class NoticeClaim(Claim, frozen=True, kw_only=True):
    """Something for the operator only (`reason`), which changes no state of ours."""

    reason: str


AnyClaim = (
    OrderClaim
    | CartClaim
    | ProductClaim
    | BrowseClaim
    | CustomerClaim
    | ConsentClaim
    | EraseClaim
    | UninstallClaim
    | ForgetStoreClaim
    | NoticeClaim
)
