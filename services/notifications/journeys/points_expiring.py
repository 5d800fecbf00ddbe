"""Points expiring: one mail when a member's points are about to expire, none once they have used some."""

from datetime import timedelta

from services.notifications.journeys.base import (
    EVERY_RUN,
    After,
    Email,
    End,
    Journey,
    Start,
    told_late,
    unnumbered,
)
from services.notifications.records import Content, Purpose
from shared.events import Event
from shared.events.loyalty import MAIN_WALLET, PointsExpired, PointsExpiring, PointsRedeemed


def _key(event: Event[PointsExpiring]) -> str:
    return f"{event.customer}:{event.fact.program}:{event.time:%Y%m%dT%H%M%S}"


def _of_the_main_wallet(event: Event[PointsExpiring | PointsRedeemed | PointsExpired]) -> bool:
    return event.fact.wallet == MAIN_WALLET


def _content(event: Event[PointsExpiring], _: Content) -> Content:
    return Content(points=event.fact.points, expires_at=event.fact.expires_at)


POINTS_EXPIRING = Journey(
    name="points_expiring",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(days=2),
    cooldown=timedelta(days=7),
    rank=lambda _: 20,
    starts=Start(
        on=(PointsExpiring,),
        when=lambda event: event.fact.points > 0 and _of_the_main_wallet(event),
        key=_key,
        revision=unnumbered,
        clock=lambda event: event.time,
        content=_content,
        barred=told_late,
    ),
    ends=(
        End(
            on=(PointsRedeemed,),
            when=_of_the_main_wallet,
            key=lambda _: EVERY_RUN,
            at=lambda event: event.time,
            reason="points_spent",
        ),
        End(
            on=(PointsExpired,),
            when=_of_the_main_wallet,
            key=lambda _: EVERY_RUN,
            at=lambda event: event.time,
            reason="points_expired",
        ),
    ),
    steps=(After(timedelta(), Email("points_expiring")),),
)
