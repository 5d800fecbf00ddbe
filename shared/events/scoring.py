"""Facts of scoring: who entered and left which segment."""

from typing import ClassVar

from shared.events.base import Fact, fact

TOPIC = "scoring"


@fact
class SegmentEntered(Fact, frozen=True, kw_only=True):
    """A customer came into a segment; `churn_risk` is P(no purchase in 90 days) in millionths."""

    type: ClassVar[str] = "segment.entered"
    topic: ClassVar[str] = TOPIC
    segment: str
    previous: str = ""
    churn_risk: int = 0


@fact
class SegmentLeft(Fact, frozen=True, kw_only=True):
    """A customer went out of a segment."""

    type: ClassVar[str] = "segment.left"
    topic: ClassVar[str] = TOPIC
    segment: str
