"""Facts about what customers do short of buying."""

from typing import ClassVar

import msgspec

from shared.events.base import Fact, fact
from shared.events.ingest.topic import TOPIC


@fact
class ProductViewed(Fact, frozen=True, kw_only=True):
    """A customer looked at a product."""

    type: ClassVar[str] = "product.viewed"
    topic: ClassVar[str] = TOPIC
    product: str
    title: str = ""
    categories: tuple[str, ...] = ()
    url: str = ""


@fact
class BehaviourRecorded(Fact, frozen=True, kw_only=True):
    """A customer did something else worth telling: a search, a page, a complaint, an event of the shop's own."""

    type: ClassVar[str] = "behaviour.recorded"
    topic: ClassVar[str] = TOPIC
    name: str
    properties: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)


@fact
class ActivityReported(Fact, frozen=True, kw_only=True):
    """The store vouches that a customer did something: a review, a survey, a check-in, whatever `name` it gives.

    `reference` is the thing's own id ('' for none): the same activity told twice counts once.
    """

    type: ClassVar[str] = "activity.reported"
    topic: ClassVar[str] = TOPIC
    name: str
    reference: str = ""
    properties: dict[str, str | int | float | bool | None] = msgspec.field(default_factory=dict)
