"""How much one source or address may send: a bucket each, filled at a rate, emptied by what comes in."""

import math

from services.ingest.settings import IngestSettings
from shared.clock import machine_seconds
from shared.errors import TooMany

BURST_SECONDS = 10.0
MOST_KEPT = 10_000


class Limit:
    """A limit of so many a second for each name, with ten seconds' worth at once; a rate of 0 limits nobody."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._full = max(1.0, rate * BURST_SECONDS)
        self._left: dict[str, tuple[float, float]] = {}

    def take(self, name: str, number: int = 1) -> None:
        """Let `number` in as long as there is room for one; raises TooMany (429) with the seconds until there is."""
        if not self._rate:
            return
        now = machine_seconds()
        left, at = self._left.get(name, (self._full, now))
        left = min(self._full, left + (now - at) * self._rate)
        if left < 1:
            wait = max(1, math.ceil((1 - left) / self._rate))
            raise TooMany("rate_limited", "too much at once: come again later", retry_after=wait)
        if len(self._left) >= MOST_KEPT:
            self._left.clear()
        self._left[name] = (left - number, now)


class Limits:
    """What limits the routes for events and webhooks: events by source, requests by address."""

    def __init__(self, settings: IngestSettings) -> None:
        self.source = Limit(settings.source_events)
        self.address = Limit(settings.address_requests)
