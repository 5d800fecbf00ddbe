"""Friend invited: one mail, ever, to somebody whom a member wants to bring and who is no customer yet."""

from datetime import timedelta

from services.notifications.journeys.base import After, Email, Journey, Start, always, told_late, unnumbered
from services.notifications.records import Content, Purpose
from shared.events import Event
from shared.events.loyalty import FriendInvited


def _content(event: Event[FriendInvited], _: Content) -> Content:
    return Content(friend=event.fact.giver, link=event.fact.link)


FRIEND_INVITED = Journey(
    name="friend_invited",
    version=1,
    purpose=Purpose.MARKETING,
    valid_for=timedelta(days=1),
    cooldown=timedelta(days=3_650),
    rank=lambda _: 12,
    starts=Start(
        on=(FriendInvited,),
        when=always,
        key=lambda event: event.customer,
        revision=unnumbered,
        clock=lambda event: event.time,
        content=_content,
        barred=told_late,
    ),
    ends=(),
    steps=(After(timedelta(), Email("friend_invited")),),
)
