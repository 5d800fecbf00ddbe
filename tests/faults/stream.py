"""A steady stream of purchases: so many a second, in batches, each batch by a single try."""

import time
from datetime import datetime, timedelta
from threading import Event

import httpx
import msgspec

from tests.faults.house import House
from tests.faults.trade import native

TICKS_PER_SECOND = 10
RETURN_SECONDS = 5  # so often each customer buys again


class Answer(msgspec.Struct, frozen=True):
    """What a batch was answered, and how long that took (seconds)."""

    status: int
    retry_after: str
    took: float


class Stream:
    """Purchases of 9.00 each, of customers that take turns."""

    def __init__(self, house: House, at: datetime, per_second: int) -> None:
        self._house = house
        self._at = at
        self._batch = max(1, per_second // TICKS_PER_SECOND)
        self._customers = RETURN_SECONDS * per_second
        self.sold = 0

    def flows(self, seconds: float) -> list[Answer]:
        """Post for so long; gives all answers, those of batches that could not be posted at all left out."""
        answers: list[Answer] = []
        until = time.monotonic() + seconds
        while time.monotonic() < until:
            batch = [self._purchase(self.sold + n) for n in range(self._batch)]
            answer = self._house.once("POST", "/v1/events", json=batch, timeout=30)
            answers.append(_answered(answer))
            if answer.status_code == 200:
                self.sold += self._batch
            Event().wait(max(0.0, 1 / TICKS_PER_SECOND - answers[-1].took))
        return answers

    def _purchase(self, number: int) -> object:
        who = {"id": f"stream{number % self._customers}"}
        data = {"order_id": f"s{number}", "customer": who, "lines": [{"product": "tea", "price": 900}]}
        return native(f"s{number}", "purchase", self._at + timedelta(milliseconds=number), data).body


def _answered(answer: httpx.Response) -> Answer:
    return Answer(answer.status_code, answer.headers.get("retry-after", ""), answer.elapsed.total_seconds())
