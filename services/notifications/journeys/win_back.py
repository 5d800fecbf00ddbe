"""Win-back: one mail when a customer becomes at risk or lapses, none once they buy again."""

from datetime import timedelta

from services.notifications.journeys.base import (
    EVERY_RUN,
    After,
    Email,
    End,
    Journey,
    Start,
    always,
    told_late,
    unnumbered,
)
from services.notifications.records import Content, Purpose
from shared.events import Event
from shared.events.ingest import ORDER_FACTS
from shared.events.scoring import SegmentEntered

GONE = {"at_risk", "lapsed"}


def _key(event: Event[SegmentEntered]) -> str:
    return f"{event.customer}:{event.fact.segment}:{event.time:%Y%m%dT%H%M%S}"


WIN_BACK = Journey(
    name="win_back",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(days=2),
    outdated_by=lambda contact: contact.ordered_at,
    cooldown=timedelta(days=30),
    rank=lambda _: 10,
    starts=Start(
        on=(SegmentEntered,),
        when=lambda event: event.fact.segment in GONE,
        key=_key,
        revision=unnumbered,
        clock=lambda event: event.time,
        content=lambda event, _: Content(segment=event.fact.segment),
        barred=told_late,
    ),
    ends=(
        End(
            on=ORDER_FACTS,
            when=always,
            key=lambda _: EVERY_RUN,
            at=lambda event: event.fact.order.placed_at,
            reason="purchased",
            buys=True,
        ),
        End(
            on=(SegmentEntered,),
            when=lambda event: event.fact.segment not in GONE,
            key=lambda _: EVERY_RUN,
            at=lambda event: event.time,
            reason="came_back",
        ),
    ),
    steps=(After(timedelta(hours=1), Email("win_back")),),
)
