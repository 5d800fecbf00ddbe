"""Points on days that come every year: the birthday, the anniversary of joining."""

from collections.abc import Mapping
from typing import Annotated, ClassVar

import msgspec

from services.loyalty import terms
from services.loyalty.records import Member
from services.loyalty.rules.base import DateRule


class Birthday(DateRule, frozen=True, kw_only=True, tag="birthday"):
    """Points on the birthday, once a calendar year, if it has been known for `wait_days`."""

    wait_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 30

    words: ClassVar[Mapping[str, str]] = {
        "en": "Birthday points",
        "es": "Puntos de cumpleaños",
        "pt": "Pontos de aniversário",
    }

    def date_of(self, member: Member, zone: str) -> str:
        """As the profile has it."""
        del zone
        return member.birthday

    def since(self, member: Member, zone: str) -> int:
        """When it was last changed, and the waiting time."""
        del zone
        return member.birthday_since + self.wait_days


class Anniversary(DateRule, frozen=True, kw_only=True, tag="anniversary"):
    """Points on the day on which the member joined, from the first year on."""

    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for another year together",
        "es": "Puntos por otro año juntos",
        "pt": "Pontos por mais um ano juntos",
    }

    def date_of(self, member: Member, zone: str) -> str:
        """The local day of joining."""
        return terms.month_and_day(terms.local_day(zone, member.joined_at))

    def since(self, member: Member, zone: str) -> int:
        """Not the day of joining itself."""
        return terms.local_day(zone, member.joined_at) + 300
