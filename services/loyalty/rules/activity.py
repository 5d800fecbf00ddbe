"""Points for what the store vouches that a member did: reviews, surveys, any event of its own."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import Cap, FactRule, Word
from shared.events import Event, Fact
from shared.events.ingest import ActivityReported

Scalar = str | int | bool | None


class Activity(FactRule, frozen=True, kw_only=True, tag="event"):
    """Points for an activity of the name `event` whose properties have these values; its `reference` is paid once."""

    event: Word
    where: Mapping[str, Scalar] = msgspec.field(default_factory=dict)

    on: ClassVar[tuple[type[Fact], ...]] = (ActivityReported,)

    def earns(self, fact: Any, context: Context) -> int:
        """All of it or nothing."""
        del context
        if fact.name.casefold() != self.event.casefold():
            return 0
        wanted = all(fact.properties.get(name) == value for name, value in self.where.items())
        return self.points if wanted else 0

    def key(self, event: Event[Any]) -> str:
        """The activity's own id where it has one."""
        return str(event.fact.reference or event.id)


class Review(Activity, frozen=True, kw_only=True, tag="review"):
    """Points for a review, at most three a day unless said otherwise; a `bonus` on top for one with a photo."""

    event: Word = "review"
    bonus: Annotated[int, msgspec.Meta(ge=0, le=10**9)] = 0
    cap: Cap | None = Cap(times=3, per="day")

    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for a review",
        "es": "Puntos por una reseña",
        "pt": "Pontos por uma avaliação",
    }

    def earns(self, fact: Any, context: Context) -> int:
        """The photo is the property `photo`."""
        earned = super().earns(fact, context)
        return earned + self.bonus if earned and fact.properties.get("photo") is True else earned


class Survey(Activity, frozen=True, kw_only=True, tag="survey"):
    """Points for an answered survey, at most one a day unless said otherwise."""

    event: Word = "survey"
    cap: Cap | None = Cap(times=1, per="day")

    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for a survey",
        "es": "Puntos por una encuesta",
        "pt": "Pontos por uma pesquisa",
    }
