"""Tier upgraded: one mail a day at most about the newest tier that a member has reached, none if it is lost again."""

from datetime import timedelta

from services.notifications.journeys.base import EVERY_RUN, After, Email, End, Journey, Start, always, told_late
from services.notifications.records import Content, Purpose
from shared.events import Event
from shared.events.loyalty import TierDowngraded, TierUpgraded


def _key(event: Event[TierUpgraded]) -> str:
    return f"{event.customer}:{event.fact.program}:{event.time:%Y%m%d}"


def _revision(event: Event[TierUpgraded]) -> int:
    """Milliseconds of the day: the day's last word on the tier counts."""
    time = event.time
    return ((time.hour * 60 + time.minute) * 60 + time.second) * 1000 + time.microsecond // 1000


TIER_UPGRADED = Journey(
    name="tier_upgraded",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(days=2),
    cooldown=timedelta(days=1),
    rank=lambda _: 15,
    restarts=True,
    starts=Start(
        on=(TierUpgraded,),
        when=always,
        key=_key,
        revision=_revision,
        clock=lambda event: event.time,
        content=lambda event, _: Content(tier=event.fact.tier),
        barred=told_late,
    ),
    ends=(
        End(
            on=(TierDowngraded,),
            when=always,
            key=lambda _: EVERY_RUN,
            at=lambda event: event.time,
            reason="tier_lost",
        ),
    ),
    steps=(After(timedelta(minutes=10), Email("tier_upgraded")),),
)
