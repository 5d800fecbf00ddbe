"""A world that a whole trade was told to, every channel of it, and some time after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, NamedTuple

from msgspec.structs import replace

from services.__main__ import load
from services.loyalty import tables
from services.loyalty.programmes import Wallet
from services.loyalty.rules.spend import Spend
from services.loyalty.versions import version_row, versions_of
from tests.faults.trade import OPENING, Story, Trade
from tests.faults.undisturbed import opened, told
from tests.world import World, a_world


class Shop(NamedTuple):
    """A world that a trade was told to, and how to tell it more."""

    world: World
    trade: Trade
    keys: dict[str, str]

    async def gives_stamps(self) -> None:
        """The programme has had a second wallet from its first day on: a stamp for each full 5.00."""
        bare = {"customer": "cus_nobody", "points": 1, "reason": "so that there is a programme", "actor": "ops"}
        headers = {"authorization": f"Bearer {self.keys['server_key']}", "idempotency-key": "programme"}
        answer = await self.world.http.post("/v1/transactions", json=bare, headers=headers)
        assert answer.status_code == 201, answer.text
        account = self.keys["account"]
        async with self.world.of("loyalty").db.write() as tx:
            versions = (await versions_of(tx, [account]))[account]
            plain = versions.bodies[0]
            stamp = Spend(name="stamp", per=500, wallet="stamps")
            stamps = Wallet(name="stamps", pending_days=3)
            changed = replace(plain, version=2, wallets=(stamps,), rules=(*plain.rules, stamp))
            await tx.insert_many(tables.program, [version_row(account, changed, versions.effective[0], tx.now)])

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
