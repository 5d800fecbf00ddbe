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

    async def gives_stamps(self) -> None:
        """From now on the programme has a second wallet: a stamp for each full 5.00."""
        bare = {"customer": "cus_nobody", "points": 1, "reason": "so that there is a programme", "actor": "ops"}
        await self._asks("POST", "/v1/transactions", bare)
        (programme,) = (await self._asks("GET", "/v1/programs", None))["data"]
        kept = {name: value for name, value in programme.items() if name not in {"id", "version"}}
        stamp = {"rule": "spend", "name": "stamp", "per": 500, "wallet": "stamps"}
        changed = {**kept, "wallets": [{"name": "stamps", "pending_days": 3}], "rules": [*kept["rules"], stamp]}
        await self._asks("PUT", f"/v1/programs/{programme['id']}", changed)

    async def _asks(self, verb: str, path: str, body: Any) -> Any:
        headers = {"authorization": f"Bearer {self.keys['server']}", "idempotency-key": f"{verb} {path}"}
        answer = await self.world.http.request(verb, path, json=body, headers=headers)
        assert answer.status_code < 300, answer.text
        return answer.json()

    async def hears(self, story: Story) -> None:
        """Post what happened; nothing is taken in yet."""
        await told(self.world, story, self.keys, {})


@asynccontextmanager
async def traded(folder: Path, mode: dict[str, Any], *, days: int) -> AsyncIterator[Shop]:
    """Orders, refunds, merges and repeats of twelve customers, so many days ago."""
    async with a_world(load([]), folder, **mode) as world:
        found = Shop(world, Trade(12, customers=12), await opened(world))
        await found.gives_stamps()
        for story in found.trade.stories:
            await found.hears(story)
        await world.settle()
        world.clock.move_to(OPENING + timedelta(days=days))
        await world.settle()
        yield found
