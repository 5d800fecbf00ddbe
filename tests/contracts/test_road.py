"""The road of a fact, on both buses and both databases: once, in order, parked by key, timers behind facts."""

from collections.abc import Awaitable, Callable
from datetime import timedelta

from msgspec.structs import replace
from sqlalchemy import func, select, update

from shared.events import Lane
from shared.events.ingest import CustomerErased, CustomerMerged
from shared.events.loyalty import OrderRated
from shared.relay import MOST, Relay, Turns
from shared.running import Running
from shared.tables import TimerRow
from shared.timers import Timers
from shared.tx import emit
from tests.builders import A_MOMENT, an_event, paid
from tests.contracts.till import Till, kernel, member
from tests.world import World, take_facts, tried


async def totals(world: World) -> dict[str, int]:
    """What every customer paid."""
    rows = await world.rows("loyalty", select(member.c.customer, member.c.total))
    return {str(row[0]): int(row[1]) for row in rows}


async def parked(world: World) -> list[tuple[str, str]]:
    """(customer, reason) of what is parked, oldest first."""
    table = kernel.parked
    return [
        (c, r) for c, r in await world.rows("loyalty", select(table.c.customer, table.c.reason).order_by(table.c.seq))
    ]


async def test_a_fact_delivered_again_has_one_effect(world: World) -> None:
    event = paid(total=700)
    await world.publish(event, event)
    await world.settle()
    await world.publish(event)
    await world.settle()
    assert await totals(world) == {"cus_ana": 700}
    assert len(await world.facts("loyalty", OrderRated)) == 1


async def test_facts_of_a_customer_keep_their_order(world: World) -> None:
    await world.publish(*(paid(number=str(number)) for number in range(120)))
    await world.settle()
    (seen,) = (await world.rows("loyalty", select(member.c.seen)))[0]
    assert seen.split() == [str(number) for number in range(120)]


async def test_a_bug_parks_its_customer_and_nobody_else_until_redriven(world: World, till: Till) -> None:
    till.fails_on = {"2"}
    await world.publish(*(paid(number=str(number), total=1) for number in (1, 2, 3)), paid(customer="cus_bea", total=5))
    await world.settle()
    assert await totals(world) == {"cus_ana": 1, "cus_bea": 5}
    assert [reason for _, reason in await parked(world)] == ["ValueError: cannot add 2", "behind an earlier one"]
    assert await world.of("loyalty").redrive() == {"ran": 0, "stay": 2}
    till.fails_on = set()
    assert await world.of("loyalty").redrive() == {"ran": 2, "stay": 0}
    assert (await world.rows("loyalty", select(member.c.seen).where(member.c.customer == "cus_ana")))[0] == ("1 2 3",)


async def test_a_fact_that_cannot_be_read_is_parked_with_its_customer(world: World) -> None:
    await world.publish(paid(number="1", total=1))
    await world.publish_broken(paid(number="2", total=2))
    await world.publish(paid(number="3", total=3), paid(customer="cus_bea", total=5))
    await world.settle()
    assert await totals(world) == {"cus_ana": 1, "cus_bea": 5}
    (_, reason), (_, behind) = await parked(world)
    assert reason.startswith("UnreadableFact: DecodeError")
    assert behind == "behind an earlier one"
    assert await world.of("loyalty").redrive() == {"ran": 0, "stay": 2}


async def test_what_the_store_refuses_is_found_by_halving(world: World, till: Till) -> None:
    till.spoils = {"13"}
    await world.publish(*(paid(customer=f"cus_{n}", number=str(n), total=1) for n in range(20)))
    await world.settle()
    assert sum((await totals(world)).values()) == 19
    assert [customer for customer, _ in await parked(world)] == ["cus_13"]


async def test_many_customers_failing_in_a_row_stop_the_line(world: World, till: Till) -> None:
    till.fails_on = {str(n) for n in range(60)}
    await world.publish(*(paid(customer=f"cus_{n}", number=str(n)) for n in range(60)))
    await world.beat()
    inbox = world.of("loyalty").inbox
    for _ in range(30):
        await _step(world)
    assert "in a row failed" in inbox.waiting_for
    assert len(await parked(world)) < 20
    till.fails_on = set()
    await world.settle()
    assert len(await totals(world)) == 60


async def test_a_bug_in_one_kind_of_work_stops_the_line_though_other_kinds_go_well(world: World, till: Till) -> None:
    till.fails_on = {str(n) for n in range(60)}
    for number in range(60):
        await world.publish(paid(customer=f"cus_{number}", number=str(number)))
        await world.publish(an_event(CustomerErased(at=A_MOMENT), customer=f"gone_{number}"))
    for _ in range(60):
        await _step(world)
    assert "in a row failed" in world.of("loyalty").inbox.waiting_for
    assert len(await parked(world)) < 20


async def _step(world: World) -> None:
    await tried(lambda: take_facts(world.of("loyalty")))


async def test_erasure_overtakes_and_empties_the_queue(world: World, till: Till) -> None:
    till.fails_on = {"1"}
    await world.publish(paid(number="1"), paid(number="2"))
    await world.settle()
    await world.publish(an_event(CustomerErased(at=A_MOMENT)))
    await world.settle()
    assert await parked(world) == []
    assert await totals(world) == {"cus_ana": -1}


async def test_a_merge_stands_in_one_queue_with_both(world: World, till: Till) -> None:
    till.fails_on = {"1"}
    await world.publish(paid(customer="cus_old", number="1", total=3))
    await world.settle()
    await world.publish(an_event(CustomerMerged(loser="cus_old"), customer="cus_new"))
    await world.settle()
    await world.publish(paid(customer="cus_new", number="2", total=4), paid(customer="cus_old", number="3", total=5))
    await world.settle()
    assert {customer for customer, _ in await parked(world)} == {"cus_new"}
    till.fails_on = set()
    assert (await world.of("loyalty").redrive())["stay"] == 0
    assert (await totals(world))["cus_new"] == 12


async def test_facts_under_a_merged_name_reach_the_survivor(world: World) -> None:
    await world.publish(paid(customer="cus_old", total=3))
    await world.settle()
    await world.publish(an_event(CustomerMerged(loser="cus_old"), customer="cus_new"))
    await world.settle()
    await world.publish(paid(customer="cus_old", total=4))
    await world.settle()
    assert await totals(world) == {"cus_old": 0, "cus_new": 7}


async def test_a_timer_waits_for_the_heartbeats_and_fires_once(world: World) -> None:
    await world.publish(paid(at=A_MOMENT))
    for _ in range(20):
        await _step(world)
    world.clock.move_to(A_MOMENT + timedelta(hours=2))
    assert await world.of("loyalty").timers.step() == 0, "no heartbeat has passed the due time yet"
    await world.settle()
    await world.settle()
    assert await world.rows("loyalty", select(member.c.fired)) == [(1,)]
    assert await world.rows("loyalty", select(func.count()).select_from(kernel.timer)) == [(0,)]


async def test_an_account_with_much_to_tell_holds_up_no_other(world: World) -> None:
    loud = [
        an_event(OrderRated(program="p", order=str(n), revision=1, points=1, change=1, balance=n))
        for n in range(3 * MOST)
    ]
    calm = an_event(OrderRated(program="p", order="1", revision=1, points=1, change=1, balance=0), account="acc_calm")
    one = world.of("loyalty")
    async with one.db.write() as tx:
        await emit(tx, one.kernel, "loyalty", [*loud, calm])
    for _ in range(3):
        await one.publish()
    left = await world.rows("loyalty", select(kernel.outbox.c.account, func.count()).group_by(kernel.outbox.c.account))
    assert left == [("acc_1", MOST)], "two batches of the loud one, and the calm one's before its third"
    await world.settle()
    told = [fact.balance for fact in await world.facts("loyalty", OrderRated) if isinstance(fact, OrderRated)]
    assert [balance for balance in told if balance] == list(range(1, 3 * MOST))


async def test_an_accounts_turn_does_not_overtake_what_was_committed_since_the_line_was_made(world: World) -> None:
    one, outbox = world.of("loyalty"), kernel.outbox
    turns = Turns(outbox)

    async def tell(seq: int) -> None:
        """Commit a fact of the calm account under the number that was drawn for it."""
        rated = OrderRated(program="p", order=str(seq), revision=1, points=1, change=1, balance=0)
        event = an_event(rated, account="acc_calm")
        async with one.db.write() as tx:
            await emit(tx, kernel, "loyalty", [event])
            await tx.execute(update(outbox).where(outbox.c.id == event.id).values(seq=seq))

    async def turn() -> list[int]:
        """The numbers of the calm account in the next batch, which is then gone."""
        async with one.db.read() as reader:
            rows = await turns.next(reader)
        async with one.db.write() as tx:
            await tx.delete_by_keys(outbox, [(row[0],) for row in rows])
        return [row[0] for row in rows if row[4].startswith("acc_calm/")]

    loud = OrderRated(program="p", order="1", revision=1, points=1, change=1, balance=0)
    async with one.db.write() as tx:
        await emit(tx, kernel, "loyalty", [an_event(loud) for _ in range(2 * MOST)])
    await tell(9002)
    assert await turn() == []
    await tell(9001)
    await tell(9003)
    told = [await turn() for _ in range(4)]
    assert [numbers for numbers in told if numbers] == [[9002], [9001, 9003]]


async def test_what_is_not_taken_in_yet_shows_as_lag(world: World) -> None:
    await world.settle()
    await world.publish(*(paid(number=str(number)) for number in range(7)))
    (waiting,) = (await world.get("/health/pipeline")).json()["services"]
    assert waiting["lag"] == 7
    assert 'querencia_consumer_lag{service="loyalty"} 7.0' in (await world.get("/metrics")).text
    await world.settle()
    (done,) = (await world.get("/health/pipeline")).json()["services"]
    assert done["lag"] == 0


class Hesitant(Timers):
    """Timers that are slow to fire what they have read."""

    def __init__(self, one: Running, meanwhile: Callable[[], Awaitable[None]]) -> None:
        super().__init__(one.service, one.db, one.writer)
        self.meanwhile = meanwhile
        self.read: list[TimerRow] = []

    async def _ready(self) -> list[TimerRow]:
        self.read = await super()._ready()
        if self.read:
            await self.meanwhile()
        return self.read


async def test_a_timer_that_is_moved_when_it_is_about_to_fire_waits_for_its_new_time(world: World) -> None:
    await world.publish(paid(id="ord_1"))
    await world.settle()
    world.clock.move_to(A_MOMENT + timedelta(hours=2))
    await world.beat()
    one = world.of("loyalty")

    async def paid_again() -> None:
        await world.publish(paid(id="ord_1", at=A_MOMENT + timedelta(hours=2)))
        while not await take_facts(one):
            pass

    hesitant, fired = Hesitant(one, paid_again), 0
    while not hesitant.read:
        await take_facts(one)
        fired += await hesitant.step()
    assert fired == 0
    assert await world.rows("loyalty", select(kernel.timer.c.due)) == [(A_MOMENT + timedelta(hours=3),)]


async def test_one_relay_at_a_time_holds_the_lease(world: World) -> None:
    await world.settle()
    one, lease = world.of("loyalty"), kernel.lease
    other = Relay(one.service, one.db, world.runtime.bus, world.clock, "another")
    assert (await one.relay.hold(), await other.hold()) == (True, False)
    async with one.db.write() as tx:
        await tx.execute(update(lease).values(until=await tx.machine_now() - timedelta(seconds=1)))
    assert await other.hold(), "whoever died is succeeded"
    await one.relay.release()
    assert await world.rows("loyalty", select(lease.c.holder)) == [("another",)], "only its own can be given back"


async def test_how_long_facts_wait_to_be_published_is_told(world: World) -> None:
    one = world.of("loyalty")
    async with one.db.write() as tx:
        await emit(tx, kernel, "loyalty", [replace(paid(), recorded=world.now - timedelta(seconds=90))])
        await emit(tx, kernel, "loyalty", [replace(paid(), recorded=world.now - timedelta(days=9), lane=Lane.HISTORY)])
    (told,) = (await world.get("/health/pipeline")).json()["services"]
    assert 90 <= told["outbox_age_seconds"] < 600
    assert 'querencia_outbox_age_seconds{service="loyalty"}' in (await world.get("/metrics")).text
    await world.settle()
    (told,) = (await world.get("/health/pipeline")).json()["services"]
    assert told["outbox_age_seconds"] == 0
