"""When a rule holds: dates, weekdays and hours on the store's own clock."""

from datetime import date, datetime
from functools import lru_cache
from typing import Annotated, Literal
from zoneinfo import ZoneInfo

import msgspec

Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
WEEKDAYS: tuple[Weekday, ...] = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
Hour = Annotated[int, msgspec.Meta(ge=0, le=24)]


class Window(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """From the local day `since` through `until`, on these weekdays (all when empty), from `hour` to before `to_hour`.

    Hours that run past midnight (22 to 2) belong to the weekday on which they begin.
    """

    since: date | None = None
    until: date | None = None
    weekdays: frozenset[Weekday] = frozenset()
    hour: Hour = 0
    to_hour: Hour = 24

    def holds(self, zone: str, moment: datetime) -> bool:
        """Whether a moment lies in the window, by the clocks of an IANA zone."""
        day, hour = _local(zone, moment)
        if self.hour <= self.to_hour:
            return self.hour <= hour < self.to_hour and self._on(day)
        if hour < self.to_hour:
            return self._on(date.fromordinal(day.toordinal() - 1))
        return hour >= self.hour and self._on(day)

    def _on(self, day: date) -> bool:
        if (self.since and day < self.since) or (self.until and day > self.until):
            return False
        return not self.weekdays or WEEKDAYS[day.weekday()] in self.weekdays


@lru_cache(maxsize=1024)
def _local(zone: str, moment: datetime) -> tuple[date, int]:
    """Local day and hour; the windows of one programme ask for the same moment."""
    local = moment.astimezone(ZoneInfo(zone))
    return local.date(), local.hour
