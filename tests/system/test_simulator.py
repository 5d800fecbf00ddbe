"""Thousands of short histories against an independent model of the books: `SIMULATOR_SEED=n` replays a failing one."""

import asyncio
import os
import random
import tempfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
import uvloop

pytest.register_assert_rewrite("tests.system.simulator.block", "tests.system.simulator.history")

from tests.system.simulator.block import live  # noqa: E402

MEMORY = Path("/dev/shm")  # noqa: S108 - a folder of its own is made there
TOGETHER, FEW = 40, 25
REPLAYED = "SIMULATOR_SEED"


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory, where there is one."""
    with tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as made:
        yield Path(made)


def lived(seeds: list[int], folder: Path, histories: int = TOGETHER) -> Counter[str]:
    """Live through a block of histories for each seed; gives how often anything died where."""
    died: Counter[str] = Counter()
    what = "short" if histories == FEW else "thousands"
    for seed in seeds:
        try:
            with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
                died += runner.run(live(seed, histories, folder / str(seed))).died_at
        except BaseException as failure:
            failure.add_note(f"to replay: {REPLAYED}={seed} .venv/bin/pytest {__file__} -m '' -k {what}")
            raise
    return died


def test_short_histories_come_to_what_the_model_says(folder: Path) -> None:
    died = lived([int(os.environ.get(REPLAYED, "1"))], folder, FEW)
    assert len(died) > 10, died


@pytest.mark.faults
def test_thousands_of_histories_come_to_what_the_model_says(folder: Path) -> None:
    begun = int(os.environ.get(REPLAYED, "0")) or random.SystemRandom().getrandbits(31)
    lived([begun + number for number in range(1 if REPLAYED in os.environ else 50)], folder)
