"""What cannot be worked off now is worked off later: nothing is passed over, and only what must wait waits."""

import asyncio
import dataclasses
from collections.abc import AsyncIterator, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from shared.db import Tx
from shared.events.ingest import CustomerErased
from shared.inbox import Inbox
from shared.partition import partition_of
from shared.workset import Work
from tests.builders import A_MOMENT, an_event, paid
from tests.contracts.test_road import parked, totals
from tests.contracts.till import Till, TillDesk, create_tables, load, member
from tests.world import World, a_world


def strangers(number: int) -> list[str]:
    """Customers of which no two share a partition."""
    found: dict[int, str] = {}
    for at in range(500):
        found.setdefault(partition_of("ingest", f"acc_1/cus_{at}"), f"cus_{at}")
    return list(found.values())[:number]


async def test_only_the_partition_that_has_to_wait_waits(world: World, till: Till) -> None:
    waiting, other = strangers(2)
    till.waits_on = {"1"}
    await world.publish(paid(customer=waiting, number="1", total=1), paid(customer=waiting, number="2", total=2))
    await world.publish(paid(customer=other, number="3", total=4))
    await _until(world, {other: 4})
    assert await totals(world) == {other: 4}
    assert "1 has to wait" in world.of("loyalty").inbox.waiting_for
    till.waits_on = set()
    await world.settle()
    assert await totals(world) == {other: 4, waiting: 3}
    assert world.of("loyalty").inbox.waiting_for == ""
    assert await parked(world) == []


@pytest.mark.kafka
@pytest.mark.postgres
@pytest.mark.xdist_group("real")
@pytest.mark.parametrize("mode", ["distributed"], indirect=True)
async def test_what_waits_in_a_partition_that_moved_is_told_of_by_its_new_owner_only(world: World, till: Till) -> None:
    till.waits_on = {"1"}
    await world.publish(*(paid(customer=customer, number="1") for customer in strangers(24)))
    one = world.of("loyalty")
    first, second = one.inbox, Inbox(one.service, one.db, world.runtime.bus, "another")
    while len(first.waiting) < 24:
        await first.step(0.1)
    await second.join()
    while len(second.waiting) < 12 or len(first.waiting) > 12:
        await asyncio.gather(first.step(0.1), second.step(0.1))
    assert not set(first.waiting) & set(second.waiting)
    assert len({*first.waiting, *second.waiting}) == 24
    await second.leave()


async def _until(world: World, wanted: dict[str, int]) -> None:
    for _ in range(60):
        await world.of("loyalty").inbox.step(0.1)
        if await totals(world) == wanted:
            return


async def test_only_the_timer_that_has_to_wait_waits(world: World, till: Till) -> None:
    held = paid(customer="cus_held", number="1")
    till.timers_wait = {held.fact.order.id}
    await world.publish(held, paid(customer="cus_free", number="2"))
    await world.settle()
    world.clock.move_to(A_MOMENT + timedelta(hours=2))
    await world.settle()
    fired = select(member.c.customer, member.c.fired).order_by(member.c.customer)
    assert await world.rows("loyalty", fired) == [("cus_free", 1), ("cus_held", 0)]
    till.timers_wait = set()
    for _ in range(60):
        await world.of("loyalty").inbox.step(0.1)
        if await world.of("loyalty").timers.step():
            break
    assert await world.rows("loyalty", fired) == [("cus_free", 1), ("cus_held", 1)]


class Flaky:
    """Loads like the till, but fails the first times as our own bug would."""

    def __init__(self, failures: int) -> None:
        self.failures = failures

    async def __call__(self, tx: Tx, work: Sequence[Work]) -> TillDesk:
        self.failures -= 1
        if self.failures >= 0:
            raise LookupError("a bug in load")
        return await load(tx, work)


@pytest.fixture
async def flaky_world(till: Till, mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[World]:
    """A world whose till cannot load at first."""
    service = dataclasses.replace(till.service(), load=Flaky(2))
    async with a_world([service], tmp_path, prepare=create_tables, **mode) as made:
        made.clock.move_to(A_MOMENT)
        yield made


async def test_a_failure_of_any_kind_passes_nothing_over(flaky_world: World) -> None:
    await flaky_world.publish(*(paid(number=str(number), total=1) for number in range(5)))
    inbox = flaky_world.of("loyalty").inbox
    failures = 0
    for _ in range(40):
        try:
            await inbox.step(0.2)
        except LookupError:
            failures += 1
        if await totals(flaky_world):
            break
    await flaky_world.publish(paid(number="5", total=1))
    await flaky_world.settle()
    assert failures == 2
    seen = await flaky_world.rows("loyalty", select(member.c.seen))
    assert seen == [("0 1 2 3 4 5",)]


async def test_an_erasure_takes_along_what_its_own_batch_was_about_to_park(world: World, till: Till) -> None:
    till.fails_on = {"1"}
    await world.publish(paid(number="1"), paid(number="2"), an_event(CustomerErased(at=A_MOMENT)))
    await world.settle()
    assert await parked(world) == []
    assert await totals(world) == {"cus_ana": -1}
    counters = (await world.verify()).books["loyalty"]["counters"]
    assert counters["erased:ingest:order.paid"] + counters.get("effected:ingest:order.paid", 0) == 2


async def test_two_redrives_at_once_run_parked_work_once(world: World, till: Till) -> None:
    till.fails_on = {"1", "2"}
    await world.publish(paid(number="1", total=1), paid(customer="cus_bea", number="2", total=2))
    await world.settle()
    till.fails_on = set()
    loyalty = world.of("loyalty")
    done = await asyncio.gather(*(loyalty.redrive() for _ in range(3)))
    while (await loyalty.redrive())["stay"]:
        pass
    assert len(done) == 3
    assert await totals(world) == {"cus_ana": 1, "cus_bea": 2}


async def test_later_facts_of_a_customer_wait_while_its_line_is_redriven(world: World, till: Till) -> None:
    till.fails_on = {"0"}
    await world.publish(*(paid(number=str(number), total=1) for number in range(4)))
    await world.settle()
    till.fails_on = set()
    await world.publish(*(paid(number=str(number), total=1) for number in range(4, 8)))
    await asyncio.gather(world.of("loyalty").redrive(), world.of("loyalty").inbox.step(0.5))
    await world.settle()
    while (await world.of("loyalty").redrive())["stay"]:
        pass
    assert await world.rows("loyalty", select(member.c.seen)) == [("0 1 2 3 4 5 6 7",)]


async def test_facts_of_later_batches_wait_behind_a_parked_one(world: World, till: Till) -> None:
    till.fails_on = {"0"}
    await world.publish(paid(number="0", total=1))
    await world.settle()
    till.fails_on = set()
    await world.publish(paid(number="1", total=1), paid(customer="cus_bea", number="2", total=2))
    await world.settle()
    assert [reason for _, reason in await parked(world)] == ["ValueError: cannot add 0", "behind an earlier one"]
    assert await world.of("loyalty").redrive() == {"ran": 2, "stay": 0}
    assert set(await world.rows("loyalty", select(member.c.seen))) == {("0 1",), ("2",)}
