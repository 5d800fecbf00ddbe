"""At each start the limits are kept as they are set now; the key of hashes and links stays the same for ever."""

from datetime import time, timedelta
from pathlib import Path

from msgspec.structs import replace
from sqlalchemy import update

from services.notifications import tables
from services.notifications.desk import HOUSE
from services.notifications.service import notifications
from services.notifications.settings import MessageSettings
from tests.world import World, a_world


async def house(world: World) -> tuple[bytes, object]:
    """Key and limits as they are kept."""
    async with world.of("notifications").db.read() as reader:
        row = await reader.fetch_one(HOUSE)
    assert row is not None
    return row[0], row[1]


async def test_a_restart_takes_the_limits_that_are_set_and_keeps_the_key(tmp_path: Path) -> None:
    async with a_world([notifications], tmp_path) as world:
        key, limits = await house(world)
        older = replace(MessageSettings().limits(), cap=99)
        async with world.of("notifications").db.write() as tx:
            await tx.execute(update(tables.house).values(limits=older))
    async with a_world([notifications], tmp_path) as world:
        assert await house(world) == (key, limits)
    assert len(key) == 32


def test_the_limits_are_those_an_operator_set() -> None:
    limits = MessageSettings(quiet_from=time(21), quiet_to=time(9), message_cap=2, cap_days=3).limits()
    assert (limits.cap, limits.window, limits.quiet.start, limits.quiet.end) == (
        2,
        timedelta(days=3),
        time(21),
        time(9),
    )
