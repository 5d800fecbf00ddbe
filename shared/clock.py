"""Two clocks: business time can be moved by hand, machine time never."""

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta


def machine_now() -> datetime:
    """The machine's own time (UTC): for leases, back-off, rate limits, tokens and SMTP."""
    return datetime.now(UTC)


def machine_seconds() -> float:
    """Monotonic machine seconds, for measuring how long something took."""
    return time.monotonic()


def in_calendar(at: datetime) -> datetime:
    """A moment as asked for; raises ValueError for one so near the calendar's ends that UTC may not have it."""
    if not 1 < at.year < 9999:
        raise ValueError("a moment is of the years 2 to 9998")
    return at


class Clock:
    """Business time: machine time plus an offset, movable while running; whoever listens hears of each move."""

    def __init__(self, offset: timedelta = timedelta()) -> None:
        self.offset = offset
        self._listeners: list[Callable[[], None]] = []

    def now(self) -> datetime:
        """Business time now (UTC)."""
        return machine_now() + self.offset

    def move_to(self, moment: datetime) -> None:
        """Set business time to `moment`; it keeps running from there."""
        self.offset = moment - machine_now()
        for heard in self._listeners:
            heard()

    def on_move(self, heard: Callable[[], None]) -> None:
        """Call `heard` whenever business time has been moved by hand."""
        self._listeners.append(heard)
