"""SIGKILL at random moments under load: nothing lost, nothing doubled, the books balance."""

import random

import pytest

from tests.faults.house import House
from tests.faults.trade import Load, Trade, settled


def killed_under_load(house: House, trade: Trade, *, seed: int, kills: int) -> None:
    """Post a trade while processes die and come back, then check what came of it."""
    dice, load = random.Random(seed), Load(house, trade)
    events = sum(len(story) for story in trade.stories.values())
    load.begin()
    for at in sorted(dice.randrange(1, events) for _ in range(kills)):
        load.reach(at)
        head = dice.choice(house.heads)
        house.kill(head)
        house.start(head)
    load.finish()
    settled(house, trade)


@pytest.mark.parametrize("seed", [1])
def test_killed_at_random_nothing_is_lost_or_doubled(house: House, seed: int) -> None:
    killed_under_load(house, Trade(seed, customers=12, orders=40), seed=seed, kills=3)


@pytest.mark.faults
@pytest.mark.parametrize("seed", range(2, 6))
def test_killed_thirty_times_nothing_is_lost_or_doubled(house: House, seed: int) -> None:
    killed_under_load(house, Trade(seed, customers=60, orders=600), seed=seed, kills=30)
