"""Scoring as a service: facts in, facts, rows and answers out."""

import random
from datetime import timedelta
from itertools import permutations

import msgspec
import pytest
from sqlalchemy import select

from services.scoring import tables
from services.scoring.records import OrderRow
from shared.errors import Unavailable
from shared.events import Event, Lane
from shared.events.ingest import (
    CustomerErased,
    CustomerMerged,
    CustomerSplit,
    OrderFact,
    OrderPlaced,
    OrderRefunded,
    OrderUpdated,
)
from shared.events.scoring import SegmentEntered
from tests.builders import an_event
from tests.scoring.shop import NOON, Shop, bought, order, returned, told


async def test_a_purchase_is_scored_and_told(shop: Shop) -> None:
    unpaid = order(-1, paid_at=None)
    await shop.hears(told(unpaid, kind=OrderPlaced))
    assert await shop.moves() == []
    await shop.hears(told(order(-1, revision=2)))
    assert await shop.moves() == ["segment.entered new live"]
    answer = await shop.asks("/v1/scores/cus_ana")
    assert answer["segment"] == "new"
    assert answer["history"] == {"orders": 1, "purchase_days": 1, "first": "2026-03-01", "last": "2026-03-01"}
    assert answer["scores"]["status"] == "prior"
    assert answer["scores"]["churn_risk"]["value"] == answer["scores"]["p_no_purchase"]["90"]
    assert answer["scores"]["reasons"][0]["numbers"]["days"] == 1
    assert answer["scores"]["order_value"]["currency"] == "EUR"
    assert await shop.is_sound()


async def test_silence_leads_to_risk_and_to_lapse_and_a_purchase_back(shop: Shop) -> None:
    await shop.hears(*bought(-120, -100, -80, -61), *bought(-181, -161, -141, -122, customer="cus_bea"))
    before = {name: member.segment for name, member in (await shop.members()).items()}
    assert before == {"cus_ana": "loyal", "cus_bea": "at_risk"}
    await shop.world.passes(hours=20)
    after = {name: member.segment for name, member in (await shop.members()).items()}
    assert after == {"cus_ana": "at_risk", "cus_bea": "lapsed"}
    assert (await shop.moves())[-2:] == ["segment.left loyal live", "segment.entered at_risk live"]
    assert (await shop.moves("cus_bea"))[-2:] == ["segment.left at_risk live", "segment.entered lapsed live"]
    await shop.hears(*bought(1, customer="cus_bea"))
    assert (await shop.moves("cus_bea"))[-2:] == ["segment.left lapsed live", "segment.entered loyal live"]
    assert await shop.is_sound()


async def test_what_time_moves_is_told_live_and_what_history_moves_as_history(corner_shop: Shop) -> None:
    await corner_shop.hears(told(order(-53), lane=Lane.HISTORY))
    await corner_shop.world.passes(days=3)
    assert await corner_shop.moves() == [
        "segment.entered active history",
        "segment.left active live",
        "segment.entered at_risk live",
    ]


STORY = [
    told(order(-30, name="a")),
    told(order(-30, name="b", total=900)),
    told(returned(order(-12, name="c")), kind=OrderRefunded),
    told(order(-12, name="c")),
    told(order(-3, name="d", revision=2, total=100), kind=OrderUpdated),
    told(order(-3, name="d", total=1200)),
]


@pytest.mark.parametrize("seed", range(6))
async def test_any_order_of_deliveries_ends_the_same(corner_shop: Shop, seed: int) -> None:
    shuffled = list(permutations(STORY))[seed * 131]
    await corner_shop.hears(*STORY)
    straight = (await corner_shop.members())["cus_ana"]
    for event in (*shuffled, *shuffled[::2]):
        await corner_shop.hears(_as_told_of("cus_bea", event))
    crooked = (await corner_shop.members())["cus_bea"]
    assert msgspec.structs.replace(crooked, customer="cus_ana", last_order=straight.last_order) == straight
    assert (straight.occasions, straight.orders, straight.purses[0].total) == (2, 3, 4500)


def _as_told_of(customer: str, event: Event[OrderFact]) -> Event[OrderFact]:
    body = event.fact.order
    return told(msgspec.structs.replace(body, id=f"{body.id}-{customer}"), customer, type(event.fact))


@pytest.mark.parametrize("seed", range(4))
async def test_any_interleaving_of_two_streams_and_their_merge_equals_one_customer(
    corner_shop: Shop, seed: int
) -> None:
    dice = random.Random(seed)
    merge = an_event(CustomerMerged(loser="cus_old"), customer="cus_new", at=NOON)
    told_of_two = [*bought(-50, -20, -9, customer="cus_old"), *bought(-35, -20, -5, customer="cus_new"), merge]
    dice.shuffle(told_of_two)
    for event in told_of_two:
        await corner_shop.hears(event)
    await corner_shop.hears(*bought(-50, -35, -20, -20.1, -9, -5, customer="cus_one"))
    members = await corner_shop.members()
    assert set(members) == {"cus_new", "cus_one"}
    merged = msgspec.structs.replace(members["cus_new"], customer="cus_one", last_order=members["cus_one"].last_order)
    assert merged == members["cus_one"]
    assert await corner_shop.is_sound()


async def test_a_merge_is_as_if_there_had_been_one_customer(shop: Shop) -> None:
    await shop.hears(*bought(-50, -20, customer="cus_old"), *bought(-35, -20, -5, customer="cus_ana"))
    await shop.hears(an_event(CustomerMerged(loser="cus_old"), customer="cus_ana", at=NOON))
    merged = await shop.members()
    assert set(merged) == {"cus_ana"}
    assert (merged["cus_ana"].occasions, merged["cus_ana"].orders) == (4, 5)
    assert (await shop.asks("/v1/scores/cus_old"))["customer"] == "cus_ana"
    await shop.hears(*bought(-1, customer="cus_old"))
    assert (await shop.members())["cus_ana"].occasions == 5
    assert await shop.is_sound()


async def test_a_split_gives_the_orders_back(shop: Shop) -> None:
    mine, hers = order(-50, name="mine"), order(-20, name="hers")
    await shop.hears(told(mine), told(hers))
    before = (await shop.members())["cus_ana"]
    moved = msgspec.structs.replace(hers, revision=2)
    await shop.hears(
        an_event(CustomerSplit(to="cus_new", orders=(hers.id,)), at=NOON),
        told(moved, "cus_new", OrderUpdated),
    )
    after = await shop.members()
    assert (after["cus_ana"].orders, after["cus_ana"].last_order) == (1, mine.id)
    assert (after["cus_new"].orders, after["cus_new"].last_order) == (1, hers.id)
    await shop.hears(told(msgspec.structs.replace(hers, revision=3), kind=OrderUpdated))
    assert (await shop.members()) == {"cus_ana": before}
    assert await shop.is_sound()


async def test_a_returned_only_order_makes_a_prospect_again(corner_shop: Shop) -> None:
    await corner_shop.hears(told(order(-5)))
    await corner_shop.hears(told(returned(order(-5)), kind=OrderRefunded))
    assert await corner_shop.moves() == ["segment.entered new live", "segment.left new live"]
    answer = await corner_shop.asks("/v1/scores/cus_ana")
    assert (answer["segment"], answer["scores"]) == ("prospect", None)


async def test_who_is_forgotten_leaves_nothing(shop: Shop) -> None:
    await shop.hears(*bought(-50, -20), *bought(-3, customer="cus_bea"))
    await shop.hears(an_event(CustomerErased(at=NOON), at=NOON))
    await shop.world.passes(days=3)
    assert set(await shop.members()) == {"cus_bea"}
    assert {row.customer for row in (await shop.orders()).values()} == {"cus_bea"}
    await shop.asks("/v1/scores/cus_ana", 404)
    assert await shop.is_sound()


async def test_an_order_of_a_store_not_yet_known_waits(corner_shop: Shop) -> None:
    world = corner_shop.world
    await world.publish(an_event(told(order(-1)).fact, at=NOON, store="sto_2"))
    with pytest.raises(Unavailable, match="sto_2 is not known"):
        await world.of("scoring").inbox.step(1.0)
    assert await corner_shop.members() == {}


async def test_churn_risk_travels_with_the_fact(corner_shop: Shop) -> None:
    await corner_shop.hears(*bought(-1))
    (entered,) = await corner_shop.world.facts("scoring", SegmentEntered)
    assert isinstance(entered, SegmentEntered)
    answer = await corner_shop.asks("/v1/scores/cus_ana")
    assert entered.churn_risk == round(answer["scores"]["churn_risk"]["value"] * 1_000_000)


async def test_the_rescan_goes_on_every_day_in_the_shops_own_morning(corner_shop: Shop) -> None:
    await corner_shop.hears(*bought(-1))
    due = select(tables.kernel.timer.c.due).where(tables.kernel.timer.c.kind == "segments.rescan")
    assert await corner_shop.world.rows("scoring", due) == [(NOON + timedelta(hours=15),)]
    corner_shop.world.clock.move_to(NOON + timedelta(days=26))
    await corner_shop.world.passes(days=2)
    ((following,),) = await corner_shop.world.rows("scoring", due)
    assert following == NOON + timedelta(days=28, hours=14)


async def test_the_books_find_a_habit_that_its_orders_do_not_bear_out(corner_shop: Shop) -> None:
    await corner_shop.hears(*bought(-50, -20), *bought(-3, customer="cus_bea"))
    assert (await corner_shop.books()).figures == {"customers": 2, "orders": 3}
    lost = OrderRow("acc_1", "ord_x", "cus_cleo", 1, "sto_1", "UTC", 5, "EUR", 1, counts=True)
    async with corner_shop.world.of("scoring").db.write() as tx:
        await tx.delete_by_keys(tables.purchase, [("acc_1", "ord_cus_bea-3")])
        await tx.insert_many(tables.purchase, [lost])
    assert (await corner_shop.books()).faults == [
        "1 customers whose habit is not what their orders come to",
        "1 customers with orders of whom nothing is kept",
    ]
