"""Loyalty's service as a whole: facts in by the bus, rows, facts and answers out, books balanced, in both modes."""

import asyncio
from datetime import timedelta

import pytest
from sqlalchemy import delete, select, update

from services.loyalty import tables
from services.loyalty.service import loyalty
from shared import migrate
from shared.errors import Unavailable
from shared.events import Event, Lane
from shared.events.ingest import (
    CustomerErased,
    CustomerMerged,
    CustomerSplit,
    OrderFact,
    OrderRefunded,
    OrderStatus,
    OrderUpdated,
)
from shared.events.loyalty import OrderRated, PointsActivated, PointsExpired, TierUpgraded
from shared.timers import Timers
from shared.work import Judge
from tests.builders import an_event
from tests.loyalty.till import NOON, Till, bought
from tests.world import take_facts


async def test_a_purchase_becomes_points_that_can_be_spent_later(till: Till) -> None:
    await till.hears(bought(10_050))
    member = await till.member()
    assert (member["pending"], member["available"], member["tier"]) == (100, 0, "bronze")
    [rated] = await till.world.facts("loyalty", OrderRated)
    assert isinstance(rated, OrderRated)
    assert (rated.order, rated.points, rated.balance) == ("ord_1", 100, 0)
    await till.world.passes(days=15)
    member = await till.member()
    assert (member["pending"], member["available"]) == (0, 100)
    assert len(await till.world.facts("loyalty", PointsActivated)) == 1
    assert await till.books() == []


async def test_deliveries_in_any_number_and_order_end_in_one_balance(till: Till) -> None:
    first, second = bought(10_000), bought(10_000, revision=2, refunded=2_500, kind=OrderRefunded)
    await till.hears(second, first, second, first)
    await till.hears(first)
    assert (await till.member())["pending"] == 75
    assert len(await till.world.facts("loyalty", OrderRated)) == 1
    assert await till.books() == []


async def test_a_batch_of_many_customers_and_revisions(till: Till) -> None:
    events = []
    for number in range(40):
        who = f"cus_{number % 7}"
        events.append(bought(1_000 * (number + 1), name=str(number), customer=who))
        if number % 3 == 0:
            back = 500 * (number + 1)
            events.append(bought(1_000 * (number + 1), name=str(number), revision=2, refunded=back, customer=who))
    await till.hears(*events)
    due = sum(10 * (n + 1) - (5 * (n + 1) if n % 3 == 0 else 0) for n in range(40))
    rows = await till.world.rows("loyalty", select(tables.member.c.pending))
    assert sum(pending for (pending,) in rows) >= due
    assert await till.books() == []


async def test_points_that_are_there_once_are_spent_once(till: Till) -> None:
    await till.gives(100)
    answers = await asyncio.gather(
        *(till.calls("/v1/redemptions", {"customer": "cus_ana", "points": 100}) for _ in range(2))
    )
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "insufficient_points"
    assert (await till.member())["available"] == 0
    assert await till.books() == []


async def test_many_racing_redemptions_never_overspend(till: Till) -> None:
    await till.gives(100)
    answers = await asyncio.gather(
        *(till.calls("/v1/redemptions", {"customer": "cus_ana", "points": 15}) for _ in range(16))
    )
    assert [answer.status_code for answer in answers].count(201) == 6
    assert (await till.member())["available"] == 10
    assert await till.books() == []


async def test_an_order_told_of_two_customers_at_once_is_rated_once(till: Till) -> None:
    db = till.world.of("loyalty").db

    async def judged(event: Event[OrderFact]) -> None:
        while True:
            try:
                async with db.write() as tx:
                    await Judge(loyalty, "other").judge(tx, [event])
                    return
            except Unavailable:
                continue

    async with db.write() as tx:
        await Judge(loyalty, "one").judge(tx, [bought(10_000, revision=2, customer="cus_bea")])
        racing = asyncio.create_task(judged(bought(10_000)))
        await asyncio.wait({racing}, timeout=0.5)
    await racing
    assert ((await till.member())["pending"], (await till.member("cus_bea"))["pending"]) == (0, 100)
    assert await till.books() == []


async def test_the_same_call_twice_at_once_is_one_call(till: Till) -> None:
    await till.gives(100)
    body = {"customer": "cus_ana", "points": 30}
    first, second = await asyncio.gather(*(till.calls("/v1/redemptions", body, key="one") for _ in range(2)))
    assert first.status_code == second.status_code == 201
    assert first.json() == second.json()
    other = await till.calls("/v1/redemptions", {**body, "points": 31}, key="one")
    assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
    assert (await till.member())["available"] == 70
    assert await till.books() == []


async def test_a_redemption_is_given_back_once(till: Till) -> None:
    await till.gives(100)
    redemption = (await till.calls("/v1/redemptions", {"customer": "cus_ana", "points": 100})).json()
    path = f"/v1/redemptions/{redemption['id']}/reverse"
    back = await till.calls(path)
    assert (back.status_code, back.json()["balance"], back.json()["lots"]) == (200, 100, redemption["lots"])
    again = await till.calls(path)
    assert (again.status_code, again.json()["code"]) == (409, "already_reversed")
    assert await till.books() == []


async def test_a_hold_sets_points_aside_until_it_is_paid_or_its_time_is_over(till: Till) -> None:
    await till.gives(100)
    body = {"customer": "cus_ana", "points": 60, "seconds": 600}
    kept, lost = [(await till.calls("/v1/holds", {**body, "points": points})).json() for points in (60, 30)]
    assert (await till.member())["available"] == 10
    paid = await till.calls(f"/v1/holds/{kept['id']}/capture")
    assert (paid.status_code, paid.json()["status"]) == (200, "captured")
    await till.world.passes(hours=1)
    member = await till.member()
    assert (member["available"], member["held"], member["redeemed"]) == (40, 0, 60)
    late = await till.calls(f"/v1/holds/{lost['id']}/capture")
    assert (late.status_code, late.json()["code"]) == (409, "hold_closed")
    back = await till.calls(f"/v1/redemptions/{paid.json()['redemption']}/reverse")
    assert back.json()["balance"] == 100
    assert await till.books() == []


async def test_merged_customers_are_one_wallet_and_can_be_told_apart_again(till: Till) -> None:
    await till.hears(bought(10_000, name="a"), bought(20_000, name="b", customer="cus_bea"))
    await till.gives(50, "cus_bea")
    redemption = (await till.calls("/v1/redemptions", {"customer": "cus_bea", "points": 20})).json()
    merged = an_event(CustomerMerged(loser="cus_bea"), at=NOON)
    await till.hears(merged, bought(5_000, name="c", customer="cus_bea"))
    member = await till.member()
    assert (member["pending"], member["available"]) == (350, 30)
    assert await till.member("cus_bea") == member
    back = await till.calls(f"/v1/redemptions/{redemption['id']}/reverse")
    assert (back.json()["customer"], back.json()["balance"]) == ("cus_ana", 50)
    assert await till.books() == []
    split = an_event(CustomerSplit(to="cus_new", orders=("ord_b",)), at=NOON)
    await till.hears(split, bought(20_000, name="b", revision=2, customer="cus_new", kind=OrderUpdated))
    assert (await till.member())["pending"] == 150
    assert (await till.member("cus_new"))["pending"] == 200
    assert await till.books() == []


async def test_history_and_unpaid_orders_bring_nothing(till: Till) -> None:
    await till.hears(
        bought(10_000, name="old", lane=Lane.HISTORY),
        bought(10_000, name="due", paid_at=None, status=OrderStatus.PAYMENT_PENDING, kind=OrderUpdated),
    )
    assert (await till.member())["pending"] == 0
    facts = await till.world.facts("loyalty", OrderRated)
    assert sorted(fact.points for fact in facts if isinstance(fact, OrderRated)) == [0, 0]


async def test_an_order_of_nobody_brings_nothing_and_holds_up_nobody(corner_till: Till) -> None:
    await corner_till.hears(bought(10_000, name="1", customer=""), bought(10_000, name="2"))
    assert await corner_till.world.rows("loyalty", select(tables.member.c.customer)) == [("cus_ana",)]
    parked = corner_till.world.of("loyalty").kernel.parked
    assert await corner_till.world.rows("loyalty", select(parked.c.reason)) == []
    assert await corner_till.books() == []


async def test_a_tier_falls_by_its_timer_when_nothing_more_is_bought(till: Till) -> None:
    await till.hears(bought(60_000))
    assert (await till.member())["tier"] == "silver"
    assert len(await till.world.facts("loyalty", TierUpgraded)) == 1
    await till.world.passes(days=394)
    assert (await till.member())["tier"] == "silver"
    await till.world.passes(days=2)
    member = await till.member()
    assert (member["tier"], member["available"], member["qualifying"]) == ("bronze", 0, 0)
    assert await till.books() == []


async def test_two_workers_who_expire_the_same_points_expire_them_once(till: Till) -> None:
    await till.hears(*(bought(1_000, name=str(number), customer=f"cus_{number}") for number in range(5)))
    await till.world.passes(days=15)
    running = till.world.of("loyalty")
    other = Timers(loyalty, running.db, "another", 100)
    till.world.clock.move_to(till.world.now + timedelta(days=400))
    await till.world.beat()
    await take_facts(running, 1)
    assert sum(await asyncio.gather(running.timers.step(), other.step()))
    while sum(await asyncio.gather(running.timers.step(), other.step())):
        pass
    await till.world.settle()
    expired = await till.world.facts("loyalty", PointsExpired)
    assert [fact.points for fact in expired if isinstance(fact, PointsExpired)] == [10] * 5
    assert await till.books() == []


async def test_an_erased_member_keeps_the_books_whole_and_loses_the_words(till: Till) -> None:
    await till.gives(70)
    await till.hears(an_event(CustomerErased(at=NOON), at=NOON))
    words = await till.world.rows("loyalty", select(tables.journal.c.note))
    assert words == [(None,)]
    assert (await till.member())["available"] == 70
    assert await till.books() == []


@pytest.mark.parametrize("column", ["available", "pending", "debt"])
async def test_the_books_tell_of_a_balance_that_was_tampered_with(corner_till: Till, column: str) -> None:
    await corner_till.gives(70)
    async with corner_till.world.of("loyalty").db.write() as tx:
        await tx.execute(update(tables.member).values({column: tables.member.c[column] + 1}))
    assert "1 wallets whose balance is not the sum of their entries" in await corner_till.books()


async def test_the_books_tell_of_a_leg_that_is_missing(corner_till: Till) -> None:
    await corner_till.gives(70)
    async with corner_till.world.of("loyalty").db.write() as tx:
        await tx.execute(delete(tables.entry).where(tables.entry.c.side == "available"))
    faults = await corner_till.books()
    assert "1 transactions that do not sum to zero" in faults
    assert "1 lots that are negative or not the sum of their entries" in faults
    assert "the ledger sums to -70" in faults


async def test_the_models_are_what_the_migrations_make(till: Till) -> None:
    url = till.world.settings.database_of("loyalty")
    assert await migrate.differences(loyalty, url) == []


async def test_an_order_that_earned_nothing_stays_with_who_its_customer_became(till: Till) -> None:
    """No lot moves with it; what it counts for tiers is taken back where it was counted."""
    await till.hears(bought(50, customer="cus_eva"))
    await till.hears(an_event(CustomerMerged(loser="cus_eva")))
    await till.hears(bought(50, customer="cus_ana", revision=2, refunded=50, kind=OrderRefunded))
    members = await till.world.rows("loyalty", select(tables.member.c.customer, tables.member.c.habits))
    assert {name: habits.moves for name, habits in members} == {"cus_ana": (), "cus_eva": ()}
    assert await till.books() == []
