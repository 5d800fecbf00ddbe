"""Facts about customers: their profile, consent, merges, splits and erasure."""

from datetime import datetime
from typing import ClassVar

from shared.events.base import Fact, fact
from shared.events.ingest.topic import TOPIC


@fact
class ProfileUpdated(Fact, frozen=True, kw_only=True):
    """The whole profile of a customer as known now: personal data; kept out of the archive."""

    type: ClassVar[str] = "profile.updated"
    archived: ClassVar[bool] = False
    topic: ClassVar[str] = TOPIC
    email: str = ""
    phone: str = ""
    first_name: str = ""
    last_name: str = ""
    locale: str = ""
    zone: str = ""
    country: str = ""
    birthday: str = ""
    updated_at: datetime


@fact
class ConsentChanged(Fact, frozen=True, kw_only=True):
    """A customer gave or withdrew consent for a channel and purpose at `at`; `source` and `wording` are its proof."""

    type: ClassVar[str] = "consent.changed"
    topic: ClassVar[str] = TOPIC
    channel: str
    purpose: str = "marketing"
    granted: bool
    at: datetime
    source: str = ""
    wording: str = ""


@fact
class CustomerNamed(Fact, frozen=True, kw_only=True):
    """A store's own id of a customer means `customer` from now on ('': nobody any more); only its digest travels.

    All names of an account go in one line, so that the newest word on each comes last.
    """

    type: ClassVar[str] = "customer.named"
    archived: ClassVar[bool] = False
    topic: ClassVar[str] = TOPIC
    digest: str
    customer: str


@fact
class CustomerMerged(Fact, frozen=True, kw_only=True):
    """Two customers turned out to be one: `loser` is from now on the event's customer."""

    type: ClassVar[str] = "customer.merged"
    topic: ClassVar[str] = TOPIC
    loser: str


@fact
class CustomerSplit(Fact, frozen=True, kw_only=True):
    """A merge was undone: what goes back belongs to the new customer `to`; its orders follow as next revisions."""

    type: ClassVar[str] = "customer.split"
    topic: ClassVar[str] = TOPIC
    to: str
    orders: tuple[str, ...] = ()


@fact
class ReferralClicked(Fact, frozen=True, kw_only=True):
    """A visitor came by a member's referral link, or gave its code when signing up (`typed`)."""

    type: ClassVar[str] = "referral.clicked"
    topic: ClassVar[str] = TOPIC
    code: str
    typed: bool = False
    device: str = ""


@fact
class CustomerErased(Fact, frozen=True, kw_only=True):
    """A customer asked to be forgotten at `at`; everything personal goes, everywhere."""

    type: ClassVar[str] = "customer.erased"
    topic: ClassVar[str] = TOPIC
    at: datetime
