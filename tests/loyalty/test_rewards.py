"""Rewards over HTTP: claimed for points, used, given back; stock, limits, tiers, pools; two racing for the last one."""

import asyncio
from datetime import timedelta
from typing import Any

import pytest

from services.loyalty import catalogue
from services.loyalty.catalogue import Reward
from shared.events.ingest import CustomerMerged, OrderRefunded
from shared.events.loyalty import PointsReturned, RewardClaimed, RewardLow, RewardReturned, RewardUsed
from tests.builders import an_event
from tests.loyalty.till import NOON, STORE, Till, bought

TEN_OFF: dict[str, Any] = {"name": "Ten off", "kind": "fixed_coupon", "price": 100, "value": 1_000, "currency": "EUR"}


async def offered(till: Till, **given: Any) -> str:
    answer = await till.calls("/v1/rewards", {**TEN_OFF, **given})
    assert answer.status_code == 201, answer.text
    return str(answer.json()["id"])


async def claims(till: Till, reward: str, customer: str = "cus_ana", **how: Any) -> Any:
    return await till.calls(f"/v1/rewards/{reward}/claims", {"customer": customer}, **how)


async def test_a_reward_is_claimed_used_once_and_can_be_given_back_unused(till: Till) -> None:
    await till.gives(250)
    reward = await offered(till, stock=5)
    first, second = [(await claims(till, reward)).json() for _ in range(2)]
    assert (first["balance"], second["balance"], first["status"]) == (150, 50, "issued")
    used = await till.calls(f"/v1/vouchers/{first['code'].lower()}/use", {"store": STORE, "order": "77"})
    assert (used.status_code, used.json()["status"]) == (200, "used")
    again = await till.calls(f"/v1/vouchers/{first['id']}/use")
    assert (again.status_code, again.json()["code"]) == (409, "voucher_used")
    back = await till.calls(f"/v1/vouchers/{second['code']}/return", by=till.token("cus_ana"))
    assert (back.status_code, back.json()["balance"]) == (200, 150)
    assert (await till.calls(f"/v1/vouchers/{first['id']}/return")).json()["code"] == "voucher_used"
    assert (await till.calls(f"/v1/vouchers/{second['id']}/use")).json()["code"] == "voucher_returned"
    [told] = (await till.asks("/v1/rewards"))["data"]
    assert told["remaining"] == 4
    shown = await till.asks("/v1/members/me/vouchers", by=till.token("cus_ana"))
    assert sorted(row["status"] for row in shown["data"]) == ["returned", "used"]
    assert await till.books() == []
    facts = [len(await till.world.facts("loyalty", kind)) for kind in (RewardClaimed, RewardUsed, RewardReturned)]
    assert facts == [2, 1, 1]


async def test_two_who_race_for_the_last_one(till: Till) -> None:
    for name in ("cus_ana", "cus_bea", "cus_eva"):
        await till.gives(100, name)
    reward = await offered(till, stock=2, alert_at=1)
    answers = await asyncio.gather(*(claims(till, reward, name) for name in ("cus_ana", "cus_bea", "cus_eva")))
    assert sorted(answer.status_code for answer in answers) == [201, 201, 409]
    refused = next(answer.json() for answer in answers if answer.status_code == 409)
    assert refused["code"] == "out_of_stock"
    left = [(await till.member(name))["available"] for name in ("cus_ana", "cus_bea", "cus_eva")]
    assert sorted(left) == [0, 0, 100]
    assert await till.books() == []
    [low] = await till.world.facts("loyalty", RewardLow)
    assert isinstance(low, RewardLow)
    assert (low.reward, low.remaining) == (reward, 1)
    more = await till.calls(f"/v1/rewards/{reward}/stock", {"change": 3})
    assert more.json()["remaining"] == 3


async def test_the_same_claim_twice_at_once_is_one_claim(till: Till) -> None:
    await till.gives(300)
    reward = await offered(till, per_member=1)
    one, two = await asyncio.gather(*(claims(till, reward, key="same") for _ in range(2)))
    assert one.status_code == two.status_code == 201
    assert one.json() == two.json()
    other = await claims(till, reward)
    assert (other.status_code, other.json()["code"]) == (409, "limit_reached")
    assert (await till.member())["available"] == 200


async def test_codes_of_a_pool_are_given_out_once_each(till: Till) -> None:
    names = [f"cus_{n}" for n in range(4)]
    for name in names:
        await till.gives(100, name)
    reward = await offered(till, codes="pool")
    empty = await claims(till, reward, names[0])
    assert (empty.json()["code"], (await till.member(names[0]))["available"]) == ("out_of_stock", 100)
    filled = await till.calls(f"/v1/rewards/{reward}/codes", {"codes": ["AAA-1", "bbb 2", "CCC3"]})
    assert filled.json()["remaining"] == 3
    taken = await till.calls(f"/v1/rewards/{reward}/codes", {"codes": ["new", "aaa1"]})
    assert (taken.status_code, taken.json()["code"]) == (422, "code_taken")
    answers = await asyncio.gather(*(claims(till, reward, name) for name in names))
    codes = sorted(answer.json()["code"] for answer in answers if answer.status_code == 201)
    assert codes == ["AAA-1", "CCC3", "bbb 2"]
    assert (await till.asks("/v1/vouchers/BBB2"))["code"] == "bbb 2"
    assert await till.books() == []


async def test_an_order_that_names_the_code_uses_it_whoever_it_comes_from(till: Till) -> None:
    await till.gives(100)
    voucher = (await claims(till, await offered(till))).json()
    await till.hears(bought(5_000, name="9", coupons=(voucher["code"].lower(), "SUMMER"), customer="cus_guest"))
    told = await till.asks(f"/v1/vouchers/{voucher['id']}")
    assert (told["status"], told["order_ref"].startswith(f"{STORE}/")) == ("used", True)


async def test_points_that_paid_a_part_come_back_with_the_refund_also_after_a_merge(till: Till) -> None:
    await till.gives(1_000, "cus_bea")
    [found] = (await till.asks("/v1/programs"))["data"]
    draft = {name: value for name, value in found.items() if name not in {"id", "version"}}
    await till.calls("/v1/programs/prg_1", {**draft, "payment": {"points": 1, "worth": 1, "step": 10}}, verb="PUT")
    basket = {"amount": 5_000, "currency": "EUR"}
    wrong = await till.calls("/v1/redemptions", {"customer": "cus_bea", "points": 15, "basket": basket})
    assert (wrong.status_code, wrong.json()["code"]) == (422, "not_a_step")
    held = await till.calls("/v1/holds", {"customer": "cus_bea", "points": 1_000, "basket": basket})
    assert held.json()["worth"] == 1_000
    order = bought(5_000, name="9", customer="cus_bea").fact.order.external_id
    paid = await till.calls(f"/v1/holds/{held.json()['id']}/capture", {"store": STORE, "order": order})
    assert paid.json()["status"] == "captured"
    await till.hears(bought(5_000, name="9", customer="cus_bea"))
    await till.hears(an_event(CustomerMerged(loser="cus_bea"), at=NOON))
    await till.hears(bought(5_000, name="9", revision=2, refunded=2_500, kind=OrderRefunded))
    assert (await till.member())["available"] == 500
    [told] = await till.world.facts("loyalty", PointsReturned)
    assert isinstance(told, PointsReturned)
    assert told.points == 500
    assert await till.books() == []


async def test_what_a_tier_pays_and_who_may_claim(corner_till: Till) -> None:
    till = corner_till
    await till.gives(300)
    cheap = await offered(till, prices={"bronze": 40})
    assert (await claims(till, cheap)).json()["balance"] == 260
    gold = await offered(till, tiers=["gold"])
    refused = await claims(till, gold)
    assert (refused.status_code, refused.json()["code"]) == (403, "other_tier")
    gone = await offered(till, active=False)
    assert (await claims(till, gone)).status_code == 404
    assert len((await till.asks("/v1/rewards", by=till.token("cus_ana")))["data"]) == 2
    poor = await claims(till, cheap, "cus_poor")
    assert poor.json()["code"] == "insufficient_points"


async def test_a_voucher_past_its_time_is_worth_nothing(corner_till: Till) -> None:
    till = corner_till
    await till.gives(100)
    voucher = (await claims(till, await offered(till, valid_days=30))).json()
    till.world.clock.move_to(till.world.now + timedelta(days=31))
    assert (await till.asks(f"/v1/vouchers/{voucher['code']}"))["status"] == "expired"
    assert (await till.calls(f"/v1/vouchers/{voucher['id']}/use")).json()["code"] == "voucher_expired"
    other = await till.calls(f"/v1/vouchers/{voucher['id']}/return", by=till.token("cus_bea"))
    assert other.status_code == 404


@pytest.mark.parametrize(
    ("change", "pointer"),
    [
        ({"price": 0}, "/price"),
        ({"kind": "magic"}, "/kind"),
        ({"value": 0}, ""),
        ({"pattern": "TEA-####"}, ""),
        ({"stock": -1}, "/stock"),
        ({"kind": "percent_coupon", "value": 101}, ""),
    ],
)
async def test_a_faulty_reward_is_refused(corner_till: Till, change: dict[str, Any], pointer: str) -> None:
    answer = await corner_till.calls("/v1/rewards", {**TEN_OFF, **change})
    assert (answer.status_code, answer.json()["errors"][0]["pointer"]) == (400, pointer)


async def test_a_changed_reward_is_changed_for_later_claims_only(corner_till: Till) -> None:
    till = corner_till
    await till.gives(500)
    reward = await offered(till)
    await claims(till, reward)
    changed = await till.calls(f"/v1/rewards/{reward}", {**TEN_OFF, "price": 300}, verb="PUT")
    assert changed.json()["revision"] == 2
    assert (await claims(till, reward)).json()["balance"] == 100
    assert (await till.calls("/v1/rewards/rwd_none", TEN_OFF, verb="PUT")).status_code == 404
    assert (await till.calls(f"/v1/rewards/{reward}/stock", {"change": 1})).json()["code"] == "unlimited"
    assert (await till.calls(f"/v1/rewards/{reward}/codes", {"codes": ["x"]})).json()["code"] == "not_a_pool"


def test_codes_are_made_after_their_pattern_without_letters_that_look_alike() -> None:
    codes = {catalogue.new_code("TEA-########") for _ in range(200)}
    assert len(codes) == 200
    assert all(code.startswith("TEA-") and not set(code[4:]) & set("01OIL") for code in codes)
    assert catalogue.key_of(" te-a 12") == "TEA12"
    assert Reward(name="n", kind="free_shipping", price=1).price_for("gold") == 1
