"""`rebuild scoring`: out of the archive comes what scoring had, whatever had become of it, and not a word more."""

import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, select, update

from services.notifications import tables as mail
from services.scoring import tables
from shared.bus.base import Outgoing
from shared.events.scoring import SegmentEntered, SegmentLeft
from shared.rebuild import rebuild
from shared.tables import OutboxRow
from tests.faults.days import MOMENTS
from tests.faults.drama import played
from tests.faults.house import House
from tests.faults.load import Load
from tests.faults.mailbox import Mailbox
from tests.faults.trade import Trade, purchase_of
from tests.system.traded import Shop, traded
from tests.world import World

FOLDED = (tables.member, tables.purchase, tables.kernel.alias, tables.kernel.name, tables.pulse, tables.served)


@pytest.fixture
async def shop(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Shop]:
    """A trade so long ago that many are at risk by now."""
    async with traded(tmp_path, mode, days=60) as found:
        yield found


async def rebuilds(world: World) -> int:
    """Rebuild scoring; gives the number of facts."""
    source, one = world.of("ingest"), world.of("scoring")
    return await rebuild(one.service, one.db, one.writer, source.db, source.kernel)


async def folded(world: World) -> dict[str, list[tuple[Any, ...]]]:
    """Every row of scoring's that follows from facts."""
    return {table.name: sorted(await world.rows("scoring", select(*table.columns)), key=repr) for table in FOLDED}


async def said(world: World) -> tuple[int, int]:
    """How many segments were told of, and how many mails there are."""
    segments = await world.facts("scoring", SegmentEntered, SegmentLeft)
    return len(segments), len(await world.rows("notifications", select(mail.message.c.id)))


async def test_it_equals_the_live_state_and_sends_nothing(shop: Shop) -> None:
    live, told = await folded(shop.world), await said(shop.world)
    assert len(live["purchase"]) == len(shop.trade.sales)
    assert live["customer_alias"]
    assert told[0] > 20
    assert await rebuilds(shop.world) > len(shop.trade.sales)
    assert await folded(shop.world) == live
    await shop.world.settle()
    assert (await folded(shop.world), await said(shop.world)) == (live, told)
    assert (await shop.world.verify()).faults == []


async def test_it_mends_what_was_spoilt_and_says_who_stands_elsewhere(shop: Shop) -> None:
    live, told = await folded(shop.world), await said(shop.world)
    one = shop.world.of("scoring")
    someone = next(row for row in live["member"] if row[2] not in {"prospect", "new"})
    async with one.db.write() as tx:
        await tx.execute(delete(tables.purchase))
        await tx.execute(update(tables.member).values(orders=99, last_day=1))
        await tx.execute(update(tables.member).where(tables.member.c.customer == someone[1]).values(segment="new"))
    assert (await shop.world.verify()).faults
    await rebuilds(shop.world)
    await shop.world.settle()
    healed = await folded(shop.world)
    assert healed["purchase"] == live["purchase"]
    assert [row[:3] + row[4:] for row in healed["member"]] == [row[:3] + row[4:] for row in live["member"]]
    assert (await said(shop.world))[0] == told[0] + 2
    assert (await shop.world.verify()).faults == []


async def test_what_is_still_on_its_way_is_taken_in_once(shop: Shop) -> None:
    """Two purchases are on the bus, one is in the outbox, one was accepted only."""
    loops = shop.world.loops
    for number, road in enumerate(
        (["ingest intake", "ingest relay"], ["ingest intake", "ingest relay"], ["ingest intake"], [])
    ):
        await shop.hears([purchase_of(f"last{number}", shop.world.now)])
        for name in road:
            await loops[name]()
    await rebuilds(shop.world)
    await shop.world.settle()
    orders = await shop.world.rows("scoring", select(tables.purchase.c.order_id).where(tables.purchase.c.counts))
    verdict = await shop.world.verify()
    assert verdict.faults == []
    assert verdict.books["scoring"]["counters"]["effected:ingest:order.paid"] == len(shop.trade.sales) + 4
    assert len(orders) == verdict.books["scoring"]["figures"]["orders"]


async def test_what_was_taken_in_but_is_not_archived_is_not_lost(tmp_path: Path) -> None:
    """The relay dies between publishing and archiving; its facts are scored, then everything is made anew."""
    async with traded(tmp_path, {}, days=1) as shop:
        world, one = shop.world, shop.world.of("ingest")
        await shop.hears([purchase_of("last0", world.now)])
        await world.loops["ingest intake"]()
        kernel = one.kernel
        async with one.db.read() as reader:
            waiting = [OutboxRow(*row[1:]) for row in await reader.fetch(select(*kernel.outbox.columns))]
        await world.runtime.bus.publish([Outgoing(r.topic, r.partition, r.key, r.head, r.body) for r in waiting])
        while await world.loops["scoring inbox"]():
            pass
        scored = select(tables.purchase.c.order_id)
        before = await world.rows("scoring", scored)
        assert len(before) == len(shop.trade.sales) + 1
        await rebuilds(world)
        assert set(await world.rows("scoring", scored)) == set(before)
        await world.settle()
        assert (await world.verify()).faults == []


@pytest.mark.faults
def test_the_command_does_it_while_the_services_run(mode: dict[str, Any], tmp_path: Path) -> None:
    """Three times in a trade, scoring killed once meanwhile: all ends as in a world where nothing broke."""
    house, trade = House(tmp_path, mode), Trade(13, customers=40)
    try:
        with played(house, Mailbox(tmp_path), trade) as drama:
            posting = Load(house, trade.stories).begin()
            for number in range(1, 4):
                posting.reach(number * trade.posts // 4)
                rebuilt(house)
                house.kill(*(house.heads_of("scoring") if number == 2 else ()))
                house.start(*(house.heads_of("scoring") if number == 2 else ()))
            posting.finish()
            drama.inside.rests()
            rebuilt(house)
            house.kills = 0
            drama.inside.rests()
            for moment in MOMENTS:
                drama.comes_to(moment)
            drama.redeems()
            drama.ends_well()
    finally:
        house.pull_down()


def rebuilt(house: House) -> None:
    """Run the command to its good end; where another has the database for too long it may be tried again."""
    for _ in range(5):
        code, said = house.command("rebuild", "scoring")
        if code == 0:
            assert json.loads(said.splitlines()[-1])["facts"] > 0
            return
    raise AssertionError(said)
