"""Quiet hours: the two nights of the clock change in Madrid, and every zone there is."""

from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo, available_timezones

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.notifications.quiet import QuietHours

NIGHT = QuietHours(time(22), time(8))
ZONES = sorted(available_timezones() - {"localtime", "Factory"})
FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
MADRID = ZoneInfo("Europe/Madrid")


@pytest.mark.parametrize(
    ("evening", "hours"),
    [(datetime(2026, 3, 28, 22, tzinfo=MADRID), 9), (datetime(2026, 10, 24, 22, tzinfo=MADRID), 11)],
)
def test_nights_of_the_clock_change_end_at_eight_local(evening: datetime, hours: int) -> None:
    opened = NIGHT.next_open(evening, "Europe/Madrid")
    assert opened - evening.astimezone(UTC) == timedelta(hours=hours)
    assert opened.astimezone(MADRID).time() == time(8)


def test_end_in_a_skipped_hour_is_the_first_instant_after_it() -> None:
    hours = QuietHours(time(22), time(2, 30))
    opened = hours.next_open(datetime(2026, 3, 29, 1, 30, tzinfo=MADRID), "Europe/Madrid")
    assert opened == datetime(2026, 3, 29, 1, 0, tzinfo=UTC)


def test_end_in_a_repeated_hour_is_its_second_pass() -> None:
    hours = QuietHours(time(22), time(2, 30))
    opened = hours.next_open(datetime(2026, 10, 25, 1, 30, tzinfo=MADRID), "Europe/Madrid")
    assert opened == datetime(2026, 10, 25, 1, 30, tzinfo=UTC)


def test_open_hours_wait_for_nothing() -> None:
    assert NIGHT.next_open(datetime(2026, 5, 1, 12, tzinfo=UTC), "Europe/Madrid") == datetime(
        2026, 5, 1, 12, tzinfo=UTC
    )


def test_equal_ends_are_never_quiet() -> None:
    assert not QuietHours(time(8), time(8)).covers(datetime(2026, 5, 1, 6, tzinfo=UTC), "Europe/Madrid")


@pytest.mark.parametrize(
    ("start", "hours", "end"),
    [
        (datetime(2026, 5, 1, 12, tzinfo=MADRID), 6, datetime(2026, 5, 1, 18, tzinfo=MADRID)),
        (datetime(2026, 5, 1, 20, tzinfo=MADRID), 6, datetime(2026, 5, 2, 12, tzinfo=MADRID)),
        (datetime(2026, 5, 1, 23, tzinfo=MADRID), 6, datetime(2026, 5, 2, 14, tzinfo=MADRID)),
        (datetime(2026, 3, 28, 21, tzinfo=MADRID), 15, datetime(2026, 3, 29, 22, tzinfo=MADRID)),
        (datetime(2026, 10, 24, 21, tzinfo=MADRID), 29, datetime(2026, 10, 26, 22, tzinfo=MADRID)),
    ],
)
def test_nights_do_not_count_as_time_that_passes(start: datetime, hours: int, end: datetime) -> None:
    assert NIGHT.after_open(start, timedelta(hours=hours), "Europe/Madrid") == end.astimezone(UTC)


def test_without_quiet_hours_all_time_counts() -> None:
    noon = datetime(2026, 5, 1, 12, tzinfo=UTC)
    assert QuietHours(time(8), time(8)).after_open(noon, timedelta(days=2), "UTC") == noon + timedelta(days=2)


def test_a_start_in_a_skipped_hour_is_the_first_instant_after_it() -> None:
    hours = QuietHours(time(2, 30), time(6))
    late = hours.after_open(datetime(2026, 3, 29, 0, 30, tzinfo=MADRID), timedelta(hours=2), "Europe/Madrid")
    assert late == datetime(2026, 3, 29, 6, 30, tzinfo=MADRID).astimezone(UTC)


def _holds(hours: QuietHours, instant: datetime, zone: str) -> None:
    opened = hours.next_open(instant, zone)
    assert opened >= instant
    assert not hours.covers(opened, zone)
    assert opened - instant <= timedelta(hours=27)
    assert hours.next_open(opened, zone) == opened
    if opened > instant:
        wall = opened.astimezone(ZoneInfo(zone))
        assert (
            wall.time() == hours.end
            or wall.utcoffset() != (opened - timedelta(seconds=1)).astimezone(ZoneInfo(zone)).utcoffset()
        )


def _changes(zone: ZoneInfo) -> list[datetime]:
    """A day around each change of offset in the years looked at, found by weekly and then hourly steps."""
    found, week = [], FIRST
    while week < LAST:
        following = week + timedelta(days=7)
        if week.astimezone(zone).utcoffset() != following.astimezone(zone).utcoffset():
            hour = week
            while hour.astimezone(zone).utcoffset() == (hour + timedelta(hours=1)).astimezone(zone).utcoffset():
                hour += timedelta(hours=1)
            found.append(hour)
        week = following
    return found


def test_every_zone_around_every_clock_change_2024_to_2030() -> None:
    for zone in ZONES:
        for change in _changes(ZoneInfo(zone)):
            for hours in range(-12, 13, 3):
                _holds(NIGHT, change + timedelta(hours=hours), zone)


@given(
    st.sampled_from(ZONES),
    st.datetimes(datetime(2024, 1, 1), datetime(2030, 12, 31), timezones=st.just(UTC)),  # noqa: DTZ001 - given UTC here
    st.integers(0, 95),
    st.integers(0, 95),
)
def test_any_hours_in_any_zone(zone: str, instant: datetime, start: int, end: int) -> None:
    hours = QuietHours(time(start // 4, start % 4 * 15), time(end // 4, end % 4 * 15))
    _holds(hours, instant, zone)
