"""The same trade in a world where nothing breaks: what every other run has to come to."""

import asyncio
import tempfile
from datetime import datetime
from functools import cache
from pathlib import Path

import uvloop

from services.__main__ import load
from services.ingest.setup import Wanted, make_store
from shared.vault import vault_of
from tests.faults.canon import Canon, canon_of, names_of
from tests.faults.days import ALL_IS_RIPE
from tests.faults.households import Neighbours
from tests.faults.posts import Post, request_of
from tests.faults.trade import OPENING, Trade
from tests.world import World, a_world


@cache
def undisturbed(seed: int, customers: int, moments: tuple[datetime, ...], households: int = 0) -> Canon:
    """What a trade comes to when everything works: at opening, at later moments, and when ripe points were spent."""
    trade = Neighbours(seed, customers, households)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner, tempfile.TemporaryDirectory() as folder:
        return runner.run(_lived(trade, moments, Path(folder)))


async def _lived(trade: Trade, moments: tuple[datetime, ...], folder: Path) -> Canon:
    async with a_world(load([]), folder) as world:
        keys = await opened(world)
        for story in trade.stories:
            await told(world, story, keys, {})
        await world.settle()
        for moment in moments:
            world.clock.move_to(moment)
            await world.settle()
        people = (await names_of(world.of("ingest").db)).by_store_id()
        for story in trade.redemptions if moments[-1:] == (ALL_IS_RIPE,) else ():
            await told(world, story, keys, people)
        await world.settle()
        for story in trade.decisions:
            await told(world, story, keys, people)
        await world.settle()
        assert (await world.verify()).faults == []
        return await canon_of({one.service.name: one.db for one in world.running})


async def opened(world: World) -> dict[str, str]:
    """It is opening time and the store of a trade is made; gives its keys."""
    world.clock.move_to(OPENING)
    wanted = Wanted(name="Tea", currency="EUR", zone="Europe/Madrid", locale="en")
    async with world.of("ingest").db.write() as tx:
        made = await make_store(tx, vault_of(world.settings), wanted)
    await world.settle()
    return {name: getattr(made, name) for name in made.__struct_fields__}


async def told(world: World, story: list[Post], keys: dict[str, str], people: dict[str, str]) -> None:
    """Post a story; every post must be answered well."""
    for post in story:
        asked = request_of(post, keys, people)
        answer = await world.http.post(asked.path, headers=asked.headers, content=asked.content)
        assert answer.status_code < 300 or (post.kind, answer.status_code) == ("redeem", 409), answer.text
