"""A world that a whole trade was told to, every channel of it, and some time after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from services.__main__ import load
from tests.faults.trade import OPENING, Story, Trade
from tests.faults.undisturbed import opened, told
from tests.world import World, a_world


class Shop(NamedTuple):
    """A world that a trade was told to, and how to tell it more."""

    world: World
    trade: Trade
    keys: dict[str, str]

    async def hears(self, story: Story) -> None:
        """Post what happened; nothing is taken in yet."""
        await told(self.world, story, self.keys, {})


@asynccontextmanager
async def traded(folder: Path, mode: dict[str, Any], *, days: int) -> AsyncIterator[Shop]:
    """Orders, refunds, merges and repeats of twelve customers, so many days ago."""
    async with a_world(load([]), folder, **mode) as world:
        found = Shop(world, Trade(12, customers=12), await opened(world))
        for story in found.trade.stories:
            await found.hears(story)
        await world.settle()
        world.clock.move_to(OPENING + timedelta(days=days))
        await world.settle()
        yield found
