"""Properties proven by Hypothesis over one installation that stays up: few examples always, many at depth."""

import asyncio
import os
import random
from collections.abc import Callable, Coroutine
from itertools import count
from typing import Any

from hypothesis import HealthCheck, Phase, given, seed, settings
from hypothesis import strategies as st

from tests.system.properties.town import Town

REPLAYED = "PROPERTY_SEED"
AT_DEPTH = os.environ.get("HYPOTHESIS_PROFILE") == "faults"
TOGETHER = 5


class Prover:
    """Runs properties in one town; a failing one tells its smallest example and the seed that replays it."""

    def __init__(self, runner: asyncio.Runner, town: Town, name: str, rounds: float) -> None:
        self._runner = runner
        self._town = town
        self._name = name
        self._rounds = rounds

    def __call__(
        self,
        holds: Callable[..., Coroutine[Any, Any, None]],
        each: st.SearchStrategy[Any],
        *common: st.SearchStrategy[Any],
        rounds: int = 2,
    ) -> None:
        """Hold a property: each round lets several stories happen side by side, and what is `common` to them once.

        A failing round is made smaller at depth and when its seed is replayed, which takes its time.
        """
        begun = int(os.environ.get(REPLAYED) or (random.SystemRandom().getrandbits(32) if AT_DEPTH else 1))
        phases = [Phase.generate, *([Phase.shrink] if AT_DEPTH or REPLAYED in os.environ else [])]
        drawings = count()
        together = st.lists(each, min_size=TOGETHER, max_size=TOGETHER)

        @seed(begun)
        @settings(
            max_examples=1 + max(1, round(rounds * self._rounds)),
            deadline=None,
            database=None,
            derandomize=False,
            phases=phases,
            suppress_health_check=list(HealthCheck),
        )
        @given(st.tuples(together, *common))
        def example(drawn: Any) -> None:
            if next(drawings):  # the first is the simplest there is
                self._runner.run(holds(self._town, *drawn))

        try:
            example()
        except BaseException as failure:
            failure.add_note(
                f"to replay and to make it smaller: {REPLAYED}={begun} .venv/bin/pytest -m '' '{self._name}'"
            )
            raise
