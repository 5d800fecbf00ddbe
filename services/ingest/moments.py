"""When something happened: what senders write, corrected for their clocks and kept within reason."""

from datetime import UTC, datetime, timedelta

from shared.errors import Refused

FUTURE = timedelta(minutes=5)
LONG_AGO = timedelta(days=3 * 366)


def moment(text: str | float) -> datetime:
    """An RFC 3339 time or epoch (s, or ms above 10^11) as aware UTC; without a zone UTC is assumed.

    Raises Refused for anything else.
    """
    try:
        if not isinstance(text, str):
            return datetime.fromtimestamp(text / 1000 if abs(text) > 1e11 else text, UTC)
        found = datetime.fromisoformat(text)
        return found.replace(tzinfo=UTC) if found.tzinfo is None else found.astimezone(UTC)
    except (ValueError, OverflowError, OSError):
        raise Refused("malformed_time", f"{str(text)[:40]!r} is no time") from None


def maybe(text: str | float | None) -> datetime | None:
    """As `moment`, None for nothing."""
    return None if text is None or text == "" else moment(text)


def zone_flags(text: str | float) -> tuple[str, ...]:
    """What had to be assumed of a time as it was written: `zone_assumed` where it names no zone."""
    try:
        return ("zone_assumed",) if isinstance(text, str) and datetime.fromisoformat(text).tzinfo is None else ()
    except ValueError:
        return ()


def clamp(when: datetime, recorded: datetime) -> tuple[datetime, tuple[str, ...]]:
    """`when`, or the time we recorded it (with a flag) if that lies more than five minutes ahead."""
    return (recorded, ("clock_clamped",)) if when - recorded > FUTURE else (when, ())


def is_long_ago(when: datetime, recorded: datetime) -> bool:
    """Whether something is so old that it can only be history, whatever lane it came in by."""
    return recorded - when > LONG_AGO
