"""What notifications remembers, as frozen values: one struct for each table, in the order of its columns."""

from datetime import datetime
from enum import StrEnum

import msgspec

from shared.events.ingest import Cart


class Purpose(StrEnum):
    """Why a message is written: marketing needs consent, transactional answers something the customer did."""

    MARKETING = "marketing"
    TRANSACTIONAL = "transactional"


class RunState(StrEnum):
    """How far a journey has come for one cart, order or lapse; EXPECTED knows something but has not begun."""

    EXPECTED = "expected"
    RUNNING = "running"
    DONE = "done"
    ENDED = "ended"


class MessageState(StrEnum):
    """How far a message has come; WAITING for its next try, UNKNOWN if the server may have it: never sent again."""

    CLAIMED = "claimed"
    WAITING = "waiting"
    HANDING_OVER = "handing_over"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"


class Consent(msgspec.Struct, frozen=True, gc=False):
    """The newest word of a customer on one channel and purpose."""

    channel: str
    purpose: str
    granted: bool
    at: datetime


INVITEE = "inv_"


class Contact(msgspec.Struct, frozen=True):
    """Who somebody is to us: the address and its keyed hash, language, zone and consents; `store` is the last one.

    `ordered_at` is the time of the newest order, `swept_at` of the newest one without a cart; `proof` is the head of
    the hash chain over the consent ledger; `known_at` is the machine time at which we last learnt of a purchase.
    """

    account: str
    customer: str
    store: str = ""
    email: str = ""
    address: str = ""
    first_name: str = ""
    phone: str = ""
    country: str = ""
    locale: str = ""
    zone: str = ""
    profile_at: datetime | None = None
    consents: tuple[Consent, ...] = ()
    ordered_at: datetime | None = None
    swept_at: datetime | None = None
    proof: str = ""
    erased_at: datetime | None = None
    known_at: datetime | None = None


class Content(msgspec.Struct, frozen=True):
    """What a message of a run is about, as newly known; amounts in minor units."""

    cart: Cart | None = None
    order: str = ""
    number: str = ""
    placed_at: datetime | None = None
    total: int = 0
    currency: str = ""
    exponent: int = 2
    points: int | None = None
    balance: int | None = None
    segment: str = ""
    expires_at: datetime | None = None
    tier: str = ""
    friend: str = ""
    link: str = ""


class Run(msgspec.Struct, frozen=True):
    """One journey for one subject (`key`); steps count from `clock`, `position` is the next of them.

    `bought_at` is when the newest purchase of the subject was placed: what it was until then is over, and what is put
    into a cart later is a new episode of the same run.
    """

    account: str
    journey: str
    key: str
    customer: str
    store: str
    version: int
    state: RunState
    reason: str
    revision: int
    clock: datetime
    position: int
    stepped_at: datetime | None
    bought_at: datetime | None
    content: Content

    @property
    def subject(self) -> str:
        """What a message of the run is about: its key, with the episode where there was one before."""
        return self.key if self.bought_at is None else f"{self.key}@{self.bought_at:%Y%m%dT%H%M%S%f}"


class Message(msgspec.Struct, frozen=True):
    """One line of the send ledger; `id` is a hash of account, journey version, step, subject, customer and channel.

    `key` names the run; `handed_at` is machine time, all else business time; `address` is the keyed hash of where it
    goes; `trace` is the W3C trace context it follows from.
    """

    account: str
    id: str
    customer: str
    store: str
    journey: str
    version: int
    step: str
    key: str
    subject: str
    channel: str
    purpose: Purpose
    state: MessageState
    detail: str
    attempts: int
    valid_until: datetime
    claimed_at: datetime
    handed_at: datetime | None = None
    settled_at: datetime | None = None
    address: str = ""
    trace: str = ""


class Decision(msgspec.Struct, frozen=True, gc=False):
    """Why a message was not sent, or not yet: reason code with the version of the rule that said so."""

    account: str
    id: str
    customer: str
    journey: str
    version: int
    step: str
    key: str
    channel: str
    reason: str
    rule: str
    at: datetime


class Suppression(msgspec.Struct, frozen=True, gc=False):
    """An address (keyed hash) that must not be written to on a channel for a purpose, since when and why."""

    account: str
    address: str
    channel: str
    purpose: str
    reason: str
    since: datetime


class ConsentProof(msgspec.Struct, frozen=True, gc=False):
    """One line of the consent ledger; `digest` covers the line and the digest before it."""

    account: str
    id: str
    customer: str
    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str
    wording: str
    recorded: datetime
    previous: str
    digest: str


class Shred(msgspec.Struct, frozen=True, gc=False):
    """A message of an erased customer that its channel may still keep."""

    account: str
    message: str
    channel: str
