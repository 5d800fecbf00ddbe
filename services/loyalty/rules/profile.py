"""Points for telling about oneself: a complete profile, the newsletter."""

from collections.abc import Mapping
from typing import Any, ClassVar

from services.loyalty.records import Context
from services.loyalty.rules.base import Cap, FactRule
from shared.events import Event, Fact
from shared.events.ingest import ConsentChanged, ProfileUpdated

FIELDS = frozenset(ProfileUpdated.__struct_fields__) - {"updated_at"}


class Profile(FactRule, frozen=True, kw_only=True, tag="profile"):
    """Points, once, for a profile in which all of these fields are filled in."""

    fields: frozenset[str] = frozenset({"first_name", "last_name", "phone", "birthday"})
    cap: Cap | None = Cap(times=1)

    on: ClassVar[tuple[type[Fact], ...]] = (ProfileUpdated,)
    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for a complete profile",
        "es": "Puntos por completar tu perfil",
        "pt": "Pontos por completar seu perfil",
    }

    def __post_init__(self) -> None:
        """Raises ValueError for a field that profiles do not have."""
        super().__post_init__()
        if not self.fields or self.fields - FIELDS:
            raise ValueError(f"a profile has the fields {', '.join(sorted(FIELDS))}")

    def earns(self, fact: Any, context: Context) -> int:
        """All of it or nothing."""
        del context
        return self.points if all(getattr(fact, name) for name in self.fields) else 0

    def key(self, event: Event[Any]) -> str:
        """Whatever the version of the profile, it is one."""
        del event
        return "profile"


class Newsletter(FactRule, frozen=True, kw_only=True, tag="newsletter"):
    """Points, once, for consent to marketing on a channel."""

    channel: str = "email"
    purpose: str = "marketing"
    cap: Cap | None = Cap(times=1)

    on: ClassVar[tuple[type[Fact], ...]] = (ConsentChanged,)
    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for subscribing",
        "es": "Puntos por suscribirte",
        "pt": "Pontos por assinar a newsletter",
    }

    def earns(self, fact: Any, context: Context) -> int:
        """All of it or nothing."""
        del context
        asked = fact.granted and fact.channel == self.channel and fact.purpose == self.purpose
        return self.points if asked else 0

    def key(self, event: Event[Any]) -> str:
        """Signing up again is the same."""
        del event
        return "newsletter"
