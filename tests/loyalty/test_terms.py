"""Days and expiries in a programme's zone."""

from datetime import UTC, date, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from services.loyalty import terms

NEW_YORK = "America/New_York"


def test_a_night_in_utc_belongs_to_the_local_day_before() -> None:
    moment = datetime(2026, 3, 1, 3, 30, tzinfo=UTC)
    assert terms.local_day(NEW_YORK, moment) == date(2026, 2, 28).toordinal()


def test_points_are_good_through_their_last_local_day() -> None:
    earned = datetime(2026, 3, 1, 3, 30, tzinfo=UTC)
    assert terms.expires_at(NEW_YORK, earned, 12) == datetime(2027, 3, 1, 5, 0, tzinfo=UTC)
    assert terms.expires_at(NEW_YORK, earned, None) is None


def test_the_last_of_february_stays_the_last_of_a_shorter_month() -> None:
    assert terms.months_after(date(2028, 2, 29).toordinal(), 12) == date(2029, 2, 28).toordinal()
    assert terms.months_after(date(2026, 1, 31).toordinal(), 1) == date(2026, 2, 28).toordinal()
    assert terms.months_after(date(2026, 12, 31).toordinal(), 2) == date(2027, 2, 28).toordinal()


@given(st.integers(date(2024, 1, 1).toordinal(), date(2030, 12, 30).toordinal()))
def test_every_local_day_has_one_first_instant_whatever_the_clocks_do(day: int) -> None:
    for zone in (NEW_YORK, "Europe/Madrid", "America/Sao_Paulo", "Africa/Cairo", "Australia/Lord_Howe"):
        first, following = terms.midnight(zone, day), terms.midnight(zone, day + 1)
        assert terms.local_day(zone, first) == day
        assert terms.local_day(zone, following - timedelta(microseconds=1)) == day
        assert timedelta(hours=23) <= following - first <= timedelta(hours=25)
