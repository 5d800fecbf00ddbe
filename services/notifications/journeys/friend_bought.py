"""Friend bought: a mail to the member who brought a friend, once its order has earned points, none if they go again."""

from datetime import timedelta

from services.notifications.journeys.base import After, Email, End, Journey, Start, always, told_late, unnumbered
from services.notifications.records import Content, Purpose
from shared.events import Event
from shared.events.loyalty import PointsEarned, PointsReversed

PAID_BY = frozenset({"referral:first_order", "referral:every_order"})


def _key(event: Event[PointsEarned | PointsReversed]) -> str:
    return event.fact.award


FRIEND_BOUGHT = Journey(
    name="friend_bought",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(days=2),
    rank=lambda _: 18,
    starts=Start(
        on=(PointsEarned,),
        when=lambda event: event.fact.rule in PAID_BY,
        key=_key,
        revision=unnumbered,
        clock=lambda event: event.time,
        content=lambda event, _: Content(points=event.fact.points),
        barred=told_late,
    ),
    ends=(End(on=(PointsReversed,), when=always, key=_key, at=lambda event: event.time, reason="points_taken_back"),),
    steps=(After(timedelta(minutes=30), Email("friend_bought")),),
)
