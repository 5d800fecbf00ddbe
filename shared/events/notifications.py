"""Facts of notifications: what was sent, skipped and clicked away."""

from typing import ClassVar

from shared.events.base import Fact, fact

TOPIC = "notifications"


@fact
class MessageSent(Fact, frozen=True, kw_only=True):
    """A message was accepted by the channel."""

    type: ClassVar[str] = "message.sent"
    topic: ClassVar[str] = TOPIC
    message: str
    journey: str
    step: str
    channel: str


@fact
class MessageSkipped(Fact, frozen=True, kw_only=True):
    """A message was decided against, with the reason."""

    type: ClassVar[str] = "message.skipped"
    topic: ClassVar[str] = TOPIC
    journey: str
    step: str
    reason: str


@fact
class Unsubscribed(Fact, frozen=True, kw_only=True):
    """A recipient withdrew consent for a channel and purpose."""

    type: ClassVar[str] = "contact.unsubscribed"
    topic: ClassVar[str] = TOPIC
    channel: str
    purpose: str
