"""Quiet hours in the recipient's own zone; pure.

An instant is quiet if the wall clock of the zone then shows a time in the quiet hours, whichever pass of a repeated
hour it is. Quiet hours end when the wall clock shows their end for the last time that day: in a repeated hour at the
second pass, in a skipped hour at the first instant after the skip. Nobody is woken because a clock was put back.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, time, timedelta
from functools import lru_cache
from zoneinfo import ZoneInfo

import msgspec


class QuietHours(msgspec.Struct, frozen=True):
    """From `start` to `end` local time, over midnight if `start` is later; equal means never quiet."""

    start: time
    end: time

    def covers(self, instant: datetime, zone: str) -> bool:
        """Whether it is quiet at `instant` in `zone`."""
        wall = instant.astimezone(_zone(zone)).time()
        if self.start <= self.end:
            return self.start <= wall < self.end
        return wall >= self.start or wall < self.end

    def next_open(self, instant: datetime, zone: str) -> datetime:
        """The first moment, not before `instant`, at which quiet hours are over (UTC)."""
        if not self.covers(instant, zone):
            return instant.astimezone(UTC)
        local = instant.astimezone(_zone(zone))
        ends = (_last_showing(local, self.end, days) for days in range(3))
        return next(end for end in ends if end > instant and not self.covers(end, zone))

    def after_open(self, instant: datetime, span: timedelta, zone: str) -> datetime:
        """When `span` of time that is not quiet has passed since `instant` (UTC): nights do not count."""
        opened = self.next_open(instant, zone)
        while (closes := self._next_quiet(opened, zone)) is not None and closes - opened < span:
            span -= closes - opened
            opened = self.next_open(closes, zone)
        return opened + span

    def _next_quiet(self, instant: datetime, zone: str) -> datetime | None:
        if self.start == self.end:
            return None
        local = instant.astimezone(_zone(zone))
        starts = (moment for days in range(3) for moment in _showings(local, self.start, days))
        return next(moment for moment in starts if moment > instant and self.covers(moment, zone))


def _showings(local: datetime, wall: time, days: int) -> Iterator[datetime]:
    """When the wall clock shows a time, each time it does that day; the first instant after it where it is skipped."""
    day = (local + timedelta(days=days)).date()
    naive = datetime.combine(day, wall, local.tzinfo)
    first, second = (naive.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first <= second:
        yield first
    yield _last_showing(local, wall, days)


def _last_showing(local: datetime, wall: time, days: int) -> datetime:
    day = (local + timedelta(days=days)).date()
    naive = datetime.combine(day, wall, local.tzinfo)
    first, second = (naive.replace(fold=fold).astimezone(UTC) for fold in (0, 1))
    if first > second:  # skipped: fold 1 reads before the skip, fold 0 after it
        return _transition(second, first, local)
    return second


def _transition(early: datetime, late: datetime, local: datetime) -> datetime:
    zone, before = local.tzinfo, early.astimezone(local.tzinfo).utcoffset()
    while late - early > timedelta(seconds=1):
        middle = (early + (late - early) / 2).replace(microsecond=0)
        if middle.astimezone(zone).utcoffset() == before:
            early = middle
        else:
            late = middle
    return late


@lru_cache(maxsize=1024)
def _zone(name: str) -> ZoneInfo:
    return ZoneInfo(name)
