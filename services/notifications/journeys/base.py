"""A journey as a value: what starts it, what ends it, and its steps."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import msgspec

from services.notifications.records import Contact, Content, Purpose
from shared.events import Event, Lane
from shared.events.base import Fact

EVERY_RUN = "*"
BEGINNING = datetime(1970, 1, 1, tzinfo=UTC)


class Email(msgspec.Struct, frozen=True):
    """A message by mail; `template` is also the step's name."""

    template: str
    channel: str = "email"


class After(msgspec.Struct, frozen=True):
    """A step that is due `delay` after the run's clock."""

    delay: timedelta
    message: Email


class Await(msgspec.Struct, frozen=True):
    """A step that is due as soon as `ready`, and at `timeout` after the run's clock at the latest."""

    ready: Callable[[Content], bool]
    timeout: timedelta
    message: Email


class Start(msgspec.Struct, frozen=True):
    """What begins a run; `barred` names the reason why an event that would begin one may not, or ''."""

    on: tuple[type[Fact], ...]
    when: Callable[[Event[Any]], bool]
    key: Callable[[Event[Any]], str]
    revision: Callable[[Event[Any]], int]
    clock: Callable[[Event[Any]], datetime]
    content: Callable[[Event[Any], Content], Content]
    barred: Callable[[Event[Any], datetime], str]


class End(msgspec.Struct, frozen=True):
    """What ends a run, or with key EVERY_RUN all runs of the customer whose clock is not after `at`.

    A purchase (`buys`) ends what the subject was until `at`; one with a `revision` counts if that is newer.
    """

    on: tuple[type[Fact], ...]
    key: Callable[[Event[Any]], str]
    at: Callable[[Event[Any]], datetime]
    reason: str
    when: Callable[[Event[Any]], bool]
    revision: Callable[[Event[Any]], int] | None = None
    buys: bool = False


class Learn(msgspec.Struct, frozen=True):
    """What tells a run more than it knew, before or after it began."""

    on: tuple[type[Fact], ...]
    key: Callable[[Event[Any]], str]
    content: Callable[[Event[Any], Content], Content]


class Journey(msgspec.Struct, frozen=True):
    """A whole journey; a changed one gets a new version, and who is under way stays on the old one.

    `restarts` sets the clock anew with each newer revision of the subject; `outdated_by` is the time of the newest
    order that makes runs with an earlier clock pointless; what was placed before `since` never sends; `valid_for`
    counts hours in which a step may go out, so never a night; `older` keeps the versions that still have people under
    way. The same step goes to one address only once in `cooldown`, whatever it is about; of marketing messages that
    would share the last slots of somebody's cap, those with the higher `rank` get them.
    """

    name: str
    version: int
    purpose: Purpose
    valid_for: timedelta
    starts: Start
    ends: tuple[End, ...]
    steps: tuple[After | Await, ...]
    learns: tuple[Learn, ...] = ()
    restarts: bool = False
    outdated_by: Callable[[Contact], datetime | None] = lambda _: None
    since: datetime = BEGINNING
    cooldown: timedelta = timedelta()
    rank: Callable[[Content], int] = lambda _: 0
    older: "tuple[Journey, ...]" = ()

    @property
    def listens(self) -> tuple[type[Fact], ...]:
        """The kinds of facts that mean something to it."""
        parts: tuple[Start | End | Learn, ...] = (self.starts, *self.ends, *self.learns)
        return tuple(kind for part in parts for kind in part.on)

    def edition(self, version: int) -> "Journey":
        """The journey as it was at a version; the newest where that version is no longer known."""
        return next((journey for journey in self.older if journey.version == version), self)


def always(_: Event[Any]) -> bool:
    """Every event counts."""
    return True


def told_late(event: Event[Any], since: datetime) -> str:
    """Why an event starts nothing: it is history, or from before the journey began; '' when it may."""
    if event.lane is Lane.HISTORY:
        return "history"
    return "before_start" if event.time < since else ""


def unnumbered(_: Event[Any]) -> int:
    """The subject has no revisions."""
    return 0
