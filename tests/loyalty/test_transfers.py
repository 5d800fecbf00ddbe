"""Points that members give each other: they keep their age and expiry, and both wallets' books balance."""

import asyncio
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.loyalty import transfers
from services.loyalty.programmes import Transfer
from services.loyalty.records import Note
from shared.errors import Refused
from shared.events.ingest import OrderStatus
from shared.events.loyalty import PointsTransferred
from tests.loyalty.shop import Shop, line, order, programme
from tests.loyalty.test_programme import adopted
from tests.loyalty.till import Till

GIVING = programme(pending_days=0, transfer=Transfer(least=5, most=120, per="month"))
WHY = Note("a present", "ana")


def gives(shop: Shop, points: int, to: str = "eva", by: str = "ana") -> Any:
    shop.member(to)
    return shop.ask(lambda command, desk: transfers.transfer(command, desk, points, WHY), by, other=to)


def test_points_given_away_keep_their_expiry_and_are_taken_from_what_expires_first() -> None:
    shop = Shop(GIVING)
    shop.tell(order("1", line(5_000)))
    shop.passes(40)
    shop.tell(order("2", line(9_000), paid=shop.now))
    first, second = sorted(lot.expires_at for lot in shop.lots() if lot.expires_at)
    done = gives(shop, 80)
    assert (done.points, done.balance) == (80, 60)
    assert sorted((lot.remaining, lot.expires_at) for lot in shop.lots("eva")) == [(30, second), (50, first)]
    assert [(fact.to, fact.points) for fact in shop.facts(PointsTransferred)] == [("cus_eva", 80)]
    assert (shop.member("eva").moves, shop.member("eva").earned) == ((), 0)
    shop.passes(400)
    assert (shop.member("ana").available, shop.member("eva").available) == (0, 0)


def test_what_is_received_pays_debt_first_and_counts_for_no_tier() -> None:
    shop = Shop(GIVING)
    shop.tell(order("1", line(10_000)))
    shop.tell(order("2", line(5_000)), "eva")
    shop.redeem(50, "eva")
    shop.tell(order("2", line(5_000, refunded=5_000), revision=2, status=OrderStatus.REFUNDED), "eva")
    gives(shop, 70)
    assert (shop.member("eva").available, shop.member("eva").debt) == (20, 0)


@pytest.mark.parametrize(
    ("points", "to", "code"),
    [(4, "eva", "below_minimum"), (121, "eva", "limit_reached"), (10, "ana", "same_member")],
)
def test_what_a_programme_does_not_allow_is_refused(points: int, to: str, code: str) -> None:
    shop = Shop(GIVING)
    shop.grant(500)
    with pytest.raises(Refused) as refused:
        gives(shop, points, to)
    assert refused.value.code == code


def test_the_limit_is_for_a_month_and_nobody_gives_what_she_has_not() -> None:
    shop = Shop(GIVING)
    shop.grant(130)
    gives(shop, 100)
    with pytest.raises(Refused, match="20 points may still"):
        gives(shop, 30)
    shop.passes(31)
    with pytest.raises(Refused) as refused:
        gives(shop, 31)
    assert refused.value.code == "insufficient_points"
    gives(shop, 30)
    assert (shop.member().available, shop.member("eva").available) == (0, 130)
    with pytest.raises(Refused, match="cannot give"):
        gives(Shop(programme()), 10)


@given(st.lists(st.tuples(st.booleans(), st.integers(5, 60)), max_size=12))
def test_points_that_go_to_and_fro_are_neither_made_nor_lost(steps: list[tuple[bool, int]]) -> None:
    shop = Shop(programme(pending_days=0, transfer=Transfer()))
    for name in ("ana", "eva"):
        shop.grant(100, name)
    for there, points in steps:
        one, other = ("ana", "eva") if there else ("eva", "ana")
        if shop.member(one).available >= points:
            gives(shop, points, other, one)
        shop.passes(1)
    assert shop.member("ana").available + shop.member("eva").available == 200


async def test_two_members_give_each_other_points_at_once(till: Till) -> None:
    await adopted(till, transfer={})
    for name in ("cus_ana", "cus_bea"):
        await till.gives(100, name)
    pairs = [("cus_ana", "cus_bea"), ("cus_bea", "cus_ana")] * 4
    answers = await asyncio.gather(
        *(till.calls("/v1/transfers", {"customer": one, "to": other, "points": 30}) for one, other in pairs)
    )
    done = [answer.status_code for answer in answers]
    assert set(done) <= {201, 409, 503}
    left = [(await till.member(name))["available"] for name in ("cus_ana", "cus_bea")]
    assert sum(left) == 200
    assert await till.books() == []
    told = await till.asks("/v1/audit-events")
    assert sum(row["action"] == "transfer" for row in told["data"]) == done.count(201) > 0
    refused = await till.calls("/v1/transfers", {"customer": "cus_ana", "to": "cus_ana", "points": 5})
    assert (refused.status_code, refused.json()["code"]) == (422, "same_member")


async def test_the_impact_of_a_draft_on_tiers_is_seen_before_it_is_in_force(till: Till) -> None:
    await till.gives(1, "cus_first")
    [found] = (await till.asks("/v1/programs"))["data"]
    body = {name: value for name, value in found.items() if name not in {"id", "version"}}
    await till.calls(
        "/v1/transactions",
        {"customer": "cus_ana", "points": 600, "reason": "gift", "actor": "ops", "qualifies": True},
    )
    ladder = {"tiers": [{"name": "bronze"}, {"name": "silver", "threshold": 700}]}
    told = (await till.calls("/v1/programs/prg_1/impact", {**body, "ladder": ladder})).json()
    assert (told["members"], told["rise"], told["fall"]) == (2, 0, 1)
    assert {"segment": "none", "before": "silver", "after": "bronze", "members": 1} in told["moves"]
    assert (await till.member())["tier"] == "silver"
