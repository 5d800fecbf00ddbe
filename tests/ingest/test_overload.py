"""More than can be written: who comes on top is told so at once, and whoever waited is written."""

import asyncio
from pathlib import Path
from uuid import UUID, uuid4

from sqlalchemy import func, select

from services.ingest.accept import MOST_ROWS, MOST_WAITING, Accept, Parcel
from services.ingest.service import ingest
from services.ingest.tables import Head, delivery
from shared.events import Lane
from tests.ingest.shop import open_shop
from tests.world import a_world

SEEN = {"customer": {"id": "7"}, "product": "tea"}


async def hand_in(accept: Accept, number: int) -> set[UUID]:
    """Hand in so many deliveries; gives those that were new."""
    ids = [uuid4() for _ in range(number)]
    done: asyncio.Future[set[UUID]] = asyncio.get_running_loop().create_future()
    head = Head("native", "verified", "", {})
    return await accept.put(Parcel("acc_1", "src_1", "", Lane.LIVE, head, ids, [b"{}"] * number, 0, done))


async def test_a_full_queue_is_503_at_once_and_goes_on_afterwards(tmp_path: Path) -> None:
    async with a_world([ingest], tmp_path) as world:
        shop = await open_shop(world)
        accept: Accept = world.of("ingest").state["accept"]
        assert (await shop.native("browse", SEEN)).status_code == 200
        async with world.of("ingest").db.write():  # of SQLite's writers there is one: nothing else is written now
            waiting = [asyncio.create_task(hand_in(accept, MOST_ROWS)) for _ in range(MOST_WAITING // MOST_ROWS)]
            await asyncio.sleep(0)
            refused = await shop.native("browse", SEEN)
            assert not any(task.done() for task in waiting), "the answer did not wait for the database"
        assert refused.status_code == 503
        assert refused.json()["message"] == "too much is waiting to be written"
        assert int(refused.headers["retry-after"]) >= 1
        assert sum(len(new) for new in await asyncio.gather(*waiting)) == MOST_WAITING
        assert (await shop.native("browse", SEEN)).status_code == 200
        rows = await world.rows("ingest", select(func.count()).select_from(delivery))
        assert rows == [(MOST_WAITING + 2,)]
