"""Clients that post stories side by side, each story in its order, and try again until they are answered."""

import json
import threading
from collections import deque
from collections.abc import Collection, Mapping
from typing import Any

from tests.faults.house import House
from tests.faults.posts import Post, request_of
from tests.faults.trade import Story

NO_PROGRESS_SECONDS = 150.0


class Load:
    """So many clients; every post is repeated as it was until its answer is there, whoever died meanwhile.

    Clients that are not `patient` try once, and fail when that is not answered well.
    """

    def __init__(
        self,
        house: House,
        stories: list[Story],
        *,
        clients: int = 4,
        people: Mapping[str, str] | None = None,
        refusals: Collection[int] = (),
        patient: bool = True,
    ) -> None:
        self._patient = patient
        self._house = house
        self._people = people or {}
        self._refusals = refusals
        self.answered = 0
        self.failures: list[BaseException] = []
        self._count = threading.Condition()
        self._left = deque(stories)
        self._released = len(stories)
        self._threads = [threading.Thread(target=self._post, name=f"client {n}") for n in range(clients)]

    def _next(self) -> Story | None:
        with self._count:
            self._count.wait_for(lambda: self._released or not self._left)
            if not self._left:
                return None
            self._released -= 1
            return self._left.popleft()

    def _post(self) -> None:
        try:
            while (story := self._next()) is not None:
                for post in story:
                    self._tell(post)
                    with self._count:
                        self.answered += 1
                        self._count.notify_all()
        except BaseException as failure:  # noqa: BLE001 - told by finish()
            self.failures.append(failure)

    def _tell(self, post: Post) -> None:
        asked = request_of(post, self._house.keys, self._people)
        given: dict[str, Any] = {"headers": asked.headers, "content": asked.content}
        if self._patient:
            answer = self._house.call("POST", asked.path, service=asked.service, refusals=self._refusals, **given)
        else:
            answer = self._house.once("POST", asked.path, service=asked.service, **given).raise_for_status()
        if post.kind == "native":
            verdict = json.loads(answer.content)["verdicts"][0]
            assert verdict["verdict"] in {"accepted", "duplicate"}, verdict

    def begin(self, released: int | None = None) -> "Load":
        """Start posting; only so many stories until more are released."""
        self._released = len(self._left) if released is None else released
        for thread in self._threads:
            thread.start()
        return self

    def reach(self, number: int) -> None:
        """Wait until so many posts are answered."""
        with self._count:
            while self.answered < number and not self.failures:
                assert self._count.wait(NO_PROGRESS_SECONDS), "no progress"

    def release(self, stories: int) -> bool:
        """Let so many more stories be told; False when there are none left."""
        with self._count:
            self._released += stories
            self._count.notify_all()
            return bool(self._left)

    def finish(self) -> None:
        """Let all stories be told and wait for the last answer."""
        self.release(len(self._left))
        for thread in self._threads:
            thread.join()
        assert not self.failures, self.failures
