"""When points expire: so long after they came, at the end of a period, on fixed days, or after a time without activity.

Ends are whole local days of the programme's zone: points can be spent through the last one.
"""

from datetime import date, datetime
from typing import Annotated, Literal

import msgspec

from services.loyalty import terms

Activity = Literal["order", "award", "redeem", "transfer"]
Months = Annotated[int, msgspec.Meta(ge=1, le=1_200)]
MonthAndDay = Annotated[str, msgspec.Meta(pattern=r"^(0[1-9]|1[0-2])-(0[1-9]|[12]\d|3[01])$")]
MONTHS = {"month": 1, "quarter": 3, "half_year": 6, "year": 12}


class Expiry(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How points expire.

    `rolling`: `months` after they came. `period_end`: with the `per` in which they came, or so many `periods` later.
    `fixed_dates`: with the first of these `dates` (MM-DD) that is at least `least_days` away. `inactivity`: all of a
    member's points together, `months` after the last of these `activities`. `starts` says from when on it counts:
    when points came (accrual), or when they could first be spent (activation).
    """

    mode: Literal["rolling", "period_end", "fixed_dates", "inactivity"] = "rolling"
    months: Months = 12
    per: Literal["month", "quarter", "half_year", "year"] = "year"
    periods: Annotated[int, msgspec.Meta(ge=0, le=100)] = 0
    dates: tuple[MonthAndDay, ...] = ()
    least_days: Annotated[int, msgspec.Meta(ge=0, le=366)] = 0
    activities: frozenset[Activity] = frozenset({"order", "award", "redeem"})
    starts: Literal["accrual", "activation"] = "accrual"

    def __post_init__(self) -> None:
        """Raises ValueError for days that no year has, and where the mode lacks what it goes by."""
        for day in self.dates:
            date.fromisoformat(f"2000-{day}")
        if self.mode == "fixed_dates" and not self.dates:
            raise ValueError("fixed_dates needs dates (MM-DD)")
        if self.mode == "inactivity" and not self.activities:
            raise ValueError("inactivity needs activities")

    @property
    def slides(self) -> bool:
        """Whether a member's activity lengthens the life of all her points."""
        return self.mode == "inactivity"

    def ends(self, zone: str, accrued_at: datetime, matures_at: datetime) -> datetime:
        """The first instant (UTC) at which points can no longer be spent."""
        begun = max(accrued_at, matures_at) if self.starts == "activation" else accrued_at
        return terms.midnight(zone, self._last_day(terms.local_day(zone, begun)) + 1)

    def _last_day(self, day: int) -> int:
        if self.mode == "period_end":
            return terms.next_period(day, MONTHS[self.per], self.periods) - 1
        if self.mode == "fixed_dates":
            return min(terms.next_yearly(named, day + self.least_days, "02-28") for named in self.dates)
        return terms.months_after(day, self.months)
