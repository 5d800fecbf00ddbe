"""Points for the third order of a friend whom a member has brought."""

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar

import msgspec

from services.loyalty.records import Context
from services.loyalty.rules.base import FactRule
from shared.events import Event, Fact
from shared.events.loyalty import ReferralQualified, ReferralReversed

THIRD = 3


class FriendsThirdOrder(FactRule, frozen=True, kw_only=True, tag="friends_third_order"):
    """Points for the referrer while `least` (minor units) of a friend's third order is kept."""

    least: Annotated[int, msgspec.Meta(ge=1, le=10**12)] = 1

    on: ClassVar[tuple[type[Fact], ...]] = (ReferralQualified, ReferralReversed)
    words: ClassVar[Mapping[str, str]] = {
        "en": "Points for a friend's third order",
        "es": "Puntos por el tercer pedido de un amigo",
        "pt": "Pontos pela terceira compra de um amigo",
    }

    def earns(self, fact: Any, context: Context) -> int:
        """All of it or nothing."""
        del context
        third = fact.side == "referrer" and fact.number == THIRD
        return self.points if third and fact.kept >= self.least else 0

    def key(self, event: Event[Any]) -> str:
        """Once for each friend's order."""
        return f"{event.fact.referral}:{event.fact.order}"
