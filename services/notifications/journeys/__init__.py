"""The journeys: one file each, one line each in this list."""

from functools import cache

from services.notifications.journeys.abandoned_cart import ABANDONED_CART
from services.notifications.journeys.base import After, Await, Email, Journey
from services.notifications.journeys.friend_bought import FRIEND_BOUGHT
from services.notifications.journeys.friend_invited import FRIEND_INVITED
from services.notifications.journeys.points_expiring import POINTS_EXPIRING
from services.notifications.journeys.thank_you import THANK_YOU
from services.notifications.journeys.tier_upgraded import TIER_UPGRADED
from services.notifications.journeys.win_back import WIN_BACK

JOURNEYS: tuple[Journey, ...] = (
    ABANDONED_CART,
    THANK_YOU,
    WIN_BACK,
    POINTS_EXPIRING,
    TIER_UPGRADED,
    FRIEND_BOUGHT,
    FRIEND_INVITED,
)

BY_NAME: dict[str, Journey] = {journey.name: journey for journey in JOURNEYS}


@cache
def listening(kind: str) -> tuple[Journey, ...]:
    """The journeys that a fact may begin, end or teach something, by its wire name."""
    return tuple(journey for journey in JOURNEYS if any(fact.type == kind for fact in journey.listens))


__all__ = ["BY_NAME", "JOURNEYS", "After", "Await", "Email", "Journey", "listening"]
