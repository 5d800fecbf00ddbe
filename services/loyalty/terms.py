"""When points mature and expire: whole local days of the programme's zone, one boundary whatever the clocks do."""

from calendar import isleap
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from typing import Literal
from zoneinfo import ZoneInfo

QUARTER = 900


@lru_cache(maxsize=8192)
def local_day(zone: str, moment: datetime) -> int:
    """The ordinal of the local calendar day in an IANA zone; a batch asks for few moments, each many times."""
    return _day_of_quarter(zone, int(moment.timestamp() // QUARTER))


@lru_cache(maxsize=65_536)
def _day_of_quarter(zone: str, quarter: int) -> int:
    """No zone's clock has stood off UTC by less than a quarter of an hour since 1972, so a quarter lies in one day."""
    return datetime.fromtimestamp(quarter * QUARTER, ZoneInfo(zone)).toordinal()


@lru_cache(maxsize=8192)
def midnight(zone: str, day: int) -> datetime:
    """The first instant (UTC) of a local day given by its ordinal."""
    return datetime.combine(date.fromordinal(day), datetime.min.time(), ZoneInfo(zone)).astimezone(UTC)


@lru_cache(maxsize=8192)
def months_after(day: int, months: int) -> int:
    """The ordinal of the same day of the month some months later, or of that month's last day."""
    start = date.fromordinal(day)
    year, month = divmod(start.year * 12 + start.month - 1 + months, 12)
    following = date(year + month // 11, (month + 1) % 12 + 1, 1)
    return min(date(year, month + 1, 1).toordinal() + start.day - 1, following.toordinal() - 1)


def matures_at(accrued_at: datetime, pending_days: int) -> datetime:
    """When points accrued at a moment can be spent."""
    return accrued_at + timedelta(days=pending_days)


def expires_at(zone: str, accrued_at: datetime, months: int | None) -> datetime | None:
    """The end (UTC) of the last local day on which points can be spent; None when they never expire."""
    if months is None:
        return None
    return midnight(zone, months_after(local_day(zone, accrued_at), months) + 1)


Period = Literal["day", "week", "month", "year", "ever"]


@lru_cache(maxsize=8192)
def period_start(day: int, per: Period) -> int:
    """The first local day (ordinal) of the period in which a day lies; 0 for the one that never ends."""
    if per == "ever":
        return 0
    whole = date.fromordinal(day)
    if per == "week":
        return day - whole.weekday()
    if per == "month":
        return whole.replace(day=1).toordinal()
    return whole.replace(month=1, day=1).toordinal() if per == "year" else day


@lru_cache(maxsize=8192)
def next_period(day: int, months: int, more: int = 0) -> int:
    """The local day on which the period of so many months (counted from January) ends in which a day lies, or later."""
    lies = date.fromordinal(day)
    begun = date(lies.year, lies.month - (lies.month - 1) % months, 1)
    return months_after(begun.toordinal(), months * (more + 1))


@lru_cache(maxsize=8192)
def month_and_day(day: int) -> str:
    """A local day as MM-DD."""
    return date.fromordinal(day).isoformat()[5:]


@lru_cache(maxsize=8192)
def next_yearly(named: str, after: int, leap: str) -> int:
    """The first local day from `after` on that is called MM-DD; 29 February is called `leap` in common years."""
    year = date.fromordinal(after).year
    return next(day for day in (_yearly(named, y, leap) for y in (year, year + 1)) if day >= after)


def _yearly(named: str, year: int, leap: str) -> int:
    name = leap if named == "02-29" and not isleap(year) else named
    return date.fromisoformat(f"{year:04}-{name}").toordinal()


def year(day: int) -> int:
    """The year of a local day."""
    return date.fromordinal(day).year
