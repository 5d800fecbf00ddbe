"""Points bought by HTTP, through ingest and loyalty: they are spent once, expire, and the tier falls with time."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from shared.events.loyalty import PointsExpired, TierDowngraded
from tests.system.high_street import Trader
from tests.world import a_world


@pytest.fixture
async def counter(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Trader]:
    """A trader with ingest and loyalty alone, so that years pass quickly."""
    async with a_world([ingest, loyalty], tmp_path, **mode) as world:
        yield await Trader(world).opened()


async def test_points_expire_and_the_tier_falls_by_their_timers(counter: Trader) -> None:
    mine = f"/v1/members/{counter.name_of('ana')}"
    await counter.sells("ana", price=60_000)
    await counter.world.settle()
    member = await counter.asks(mine)
    assert (member["pending"], member["available"], member["tier"]) == (600, 0, "silver")
    await counter.world.passes(days=15)
    member = await counter.asks(mine)
    assert (member["pending"], member["available"], member["tier"]) == (0, 600, "silver")
    await counter.world.passes(days=379)
    member = await counter.asks(mine)
    assert (member["available"], member["tier"]) == (0, "silver")
    await counter.world.passes(days=2)
    assert (await counter.asks(mine))["tier"] == "bronze"
    assert len(await counter.world.facts("loyalty", PointsExpired)) == 1
    assert len(await counter.world.facts("loyalty", TierDowngraded)) == 1
    assert (await counter.world.verify()).faults == []


async def test_points_that_are_there_once_are_spent_once_by_the_member_herself(counter: Trader) -> None:
    await counter.sells("ana", price=10_000)
    await counter.world.passes(days=15)
    token = await counter.token_of("ana")
    body = {"points": 80}
    answers = await asyncio.gather(*(counter.calls("/v1/redemptions", body, by=token) for _ in range(2)))
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    [refused] = [answer.json() for answer in answers if answer.status_code == 409]
    assert refused["code"] == "insufficient_points"
    member = await counter.asks("/v1/members/me", by=token)
    assert (member["available"], member["redeemed"]) == (20, 80)
    assert (await counter.world.verify()).faults == []
