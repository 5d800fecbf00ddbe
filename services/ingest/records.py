"""Rows of ingest's tables, as frozen structs in the columns' order."""

from datetime import datetime

import msgspec

from services.ingest.carts import CartState
from services.ingest.claims import Key, KeyKind, Trust
from services.ingest.orders import OrderState
from services.ingest.products import ProductState
from shared.events.ingest import Product


class Told(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """A value of a profile and when it was said."""

    value: str
    at: datetime


class ConsentHeld(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """The newest word on a channel and purpose."""

    granted: bool
    at: datetime


class CustomerRow(msgspec.Struct, frozen=True):
    """One person: the names they go by, their profile and their newest consents (`channel:purpose`).

    `recorded` is when we first heard of them; `merged_into` the survivor's id once they were merged; `verified` says
    that more than a browser vouches for them; `carts_ended` until when orders have ended all carts of a store, or (by
    `store/channel`) all but those that go by a channel's names.
    """

    account: str
    id: str
    recorded: datetime
    merged_into: str = ""
    erased_at: datetime | None = None
    verified: bool = False
    keys: tuple[Key, ...] = ()
    profile: dict[str, Told] = {}
    consents: dict[str, ConsentHeld] = {}
    carts_ended: dict[str, datetime] = {}


def values(row: CustomerRow) -> dict[str, str]:
    """What is known of a customer, without when it was said."""
    return {name: told.value for name, told in row.profile.items()}


class IdentityKeyRow(msgspec.Struct, frozen=True, gc=False):
    """Who goes by a name; `at` is the newest verified claim to it, `origin` the customer who first had it."""

    account: str
    kind: KeyKind
    store: str
    value: str
    customer: str
    origin: str
    at: datetime
    trust: Trust


class OrderRow(msgspec.Struct, frozen=True):
    """One order: revision 0 means that only a refund or the like was heard of it so far."""

    account: str
    id: str
    store: str
    external_id: str
    customer: str
    revision: int
    lane: str
    recorded: datetime
    placed_at: datetime | None
    cart: str
    state: OrderState


class CartRow(msgspec.Struct, frozen=True):
    """The newest cart that goes by a store's token; `generation` counts those before it that were ended."""

    account: str
    store: str
    token: str
    id: str
    generation: int
    revision: int
    customer: str
    lane: str
    recorded: datetime
    changed_at: datetime | None
    open: bool
    state: CartState


class ProductRow(msgspec.Struct, frozen=True):
    """One product: revision 0 means that only its removal was heard of so far."""

    account: str
    id: str
    store: str
    external_id: str
    revision: int
    recorded: datetime
    product: Product
    state: ProductState


class SuppressionRow(msgspec.Struct, frozen=True, gc=False):
    """Keyed hash of a name that was erased at `at`: what happened before is discarded."""

    account: str
    digest: bytes
    at: datetime


class SourceRow(msgspec.Struct, frozen=True, gc=False):
    """Where a store's deliveries come from; `kind` names the connector or dialect.

    After the app was uninstalled (`uninstalled_at`) only privacy requests of it still count; what came in until
    `redacted_at` never does again.
    """

    account: str
    id: str
    store: str
    kind: str
    name: str
    active: bool
    recorded: datetime
    uninstalled_at: datetime | None = None
    redacted_at: datetime | None = None


class SecretRow(msgspec.Struct, frozen=True, gc=False):
    """A webhook secret, encrypted with the master key; several may be active while one replaces another."""

    account: str
    source: str
    id: str
    sealed: bytes
    recorded: datetime
    active: bool


class AccountSecretRow(msgspec.Struct, frozen=True, gc=False):
    """What an account keeps to itself: the sealed private key of its customer tokens, and the key of its hashes."""

    account: str
    signing_key: str
    sealed: bytes
    hash_key: bytes
