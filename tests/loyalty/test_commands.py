"""`python -m services programme …`: out to a file, back in, and tried on orders that were really taken in."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path

import pytest

from services.ingest.service import ingest
from services.loyalty import commands
from services.loyalty.service import loyalty
from shared.errors import Invalid, Refused
from shared.events.loyalty import PointsEarned
from tests.ingest.shop import Shop, open_shop
from tests.world import a_world


@pytest.fixture
async def shop(tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop with ingest and loyalty, and two orders of one customer."""
    async with a_world([ingest, loyalty], tmp_path) as world:
        opened = await open_shop(world)
        for number in (1, 2):
            lines = [{"product": "tea", "quantity": 1, "price": 5_000}]
            await opened.native("purchase", {"order_id": str(number), "customer": {"id": "7"}, "lines": lines})
        await world.settle()
        yield opened


async def test_a_programme_goes_out_to_a_file_and_comes_back_as_the_next_version(shop: Shop) -> None:
    settings, account = shop.world.settings, shop.made.account
    text = await commands.export(settings, account)
    changed = text.replace("pending_days: 14", "pending_days: 3")
    assert await commands.differ(settings, account, text) == []
    [change] = await commands.differ(settings, account, changed)
    assert (change.path, change.before, change.after) == ("/pending_days", 14, 3)
    assert (await commands.put(settings, account, changed)).version == 2
    assert "pending_days: 3" in await commands.export(settings, account)
    assert await commands.export(settings, account, 1) == text
    with pytest.raises(Refused, match="no version"):
        await commands.export(settings, account, 9)
    with pytest.raises(Invalid):
        await commands.put(settings, account, "rules: 5")


async def test_a_file_is_tried_on_the_orders_of_the_archive(shop: Shop) -> None:
    settings, account = shop.world.settings, shop.made.account
    text = await commands.export(settings, account)
    twice = text.replace("award: 1", "award: 2")
    now, year = shop.world.now, timedelta(days=365)
    [cost] = await commands.try_out(settings, account, twice, now - year, now + year)
    assert (cost.orders, cost.booked, cost.points, cost.by_rule) == (2, 100, 200, {"spend": 200})
    assert (
        await commands.try_out(settings, account, twice, now.replace(year=now.year + 1), now.replace(year=now.year + 2))
        == []
    )
    assert (await commands.export(settings, account)) == text


async def test_an_activity_that_the_stores_server_reports_is_paid_for_once_and_a_browsers_is_not(shop: Shop) -> None:
    settings, account = shop.world.settings, shop.made.account
    text = await commands.export(settings, account)
    rule = "- rule: event\n  name: tasting\n  event: Tasting\n  points: 75\n"
    await commands.put(settings, account, text.replace("rules:\n", f"rules:\n{rule}"))
    done = {"name": "tasting", "reference": "t1", "customer": {"id": "7"}}
    first = await shop.native("activity", done)
    assert first.status_code == 200, first.text
    await shop.native("activity", done)
    await shop.native("activity", {**done, "reference": "t2"}, key=shop.made.browser_key)
    await shop.world.settle()
    [told] = await shop.world.facts("loyalty", PointsEarned)
    assert isinstance(told, PointsEarned)
    assert (told.rule, told.points) == ("tasting", 75)
    verdict = await shop.world.verify()
    assert verdict.balanced, verdict.faults
