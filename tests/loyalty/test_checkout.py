"""Vouchers at an open checkout: which go together, held for a time, used or let go; the shop told when few are left."""

import asyncio
from typing import Any

import pytest

from services.loyalty.catalogue import Reward, clashes
from shared.events.loyalty import RewardLow, RewardUsed
from tests.loyalty.test_rewards import claims, offered
from tests.loyalty.till import STORE, Till, bought

TEN = Reward(name="ten", kind="percent_coupon", price=1, value=10)
FIVE = Reward(name="five", kind="fixed_coupon", price=1, value=500, combines=frozenset({"free_shipping"}))
SHIPPED = Reward(name="shipped", kind="free_shipping", price=1)
ALONE = Reward(name="alone", kind="gift_card", price=1, value=5, combines=frozenset(), priority=5)


@pytest.mark.parametrize(
    ("wanted", "out"),
    [
        ([], {}),
        ([TEN, SHIPPED], {}),
        ([FIVE, SHIPPED], {}),
        ([FIVE, TEN], {"ten": "five"}),
        ([TEN, FIVE], {"five": "ten"}),
        ([TEN, SHIPPED, ALONE], {"ten": "alone", "shipped": "alone"}),
    ],
)
def test_rewards_go_together_where_both_allow_it_and_else_the_more_important_counts(
    wanted: list[Reward], out: dict[str, str]
) -> None:
    assert clashes([(reward.name, reward) for reward in wanted]) == out


async def a_code(till: Till, **given: Any) -> str:
    return str((await claims(till, await offered(till, **given))).json()["code"])


async def test_a_checkout_holds_points_and_vouchers_until_it_is_paid(till: Till) -> None:
    await till.gives(500)
    code = await a_code(till)
    held = await till.calls(
        "/v1/holds", {"points": 100, "vouchers": [code.lower()], "seconds": 600}, by=till.token("cus_ana")
    )
    assert (held.status_code, held.json()["balance"], len(held.json()["vouchers"])) == (201, 300, 1)
    assert (await till.asks(f"/v1/vouchers/{code}"))["status"] == "held"
    again = await till.calls(f"/v1/vouchers/{code}/use")
    assert (again.status_code, again.json()["code"]) == (409, "voucher_held")
    path = f"/v1/holds/{held.json()['id']}/capture"
    done = await till.calls(path, {"store": STORE, "order": "9"})
    assert (done.status_code, done.json()["status"]) == (200, "captured")
    shown = await till.asks(f"/v1/vouchers/{code}")
    assert (shown["status"], shown["order_ref"]) == ("used", f"{STORE}/9")
    await till.world.settle()
    assert len(await till.world.facts("loyalty", RewardUsed)) == 1
    assert await till.books() == []


async def test_a_checkout_that_is_left_frees_its_vouchers_when_its_time_is_over_or_at_once(till: Till) -> None:
    await till.gives(300)
    code = await a_code(till)
    for let_go in ("released", "late"):
        held = (await till.calls("/v1/holds", {"customer": "cus_ana", "vouchers": [code], "seconds": 60})).json()
        if let_go == "released":
            assert (await till.calls(f"/v1/holds/{held['id']}/release")).json()["status"] == "released"
        else:
            await till.world.passes(minutes=2)
        assert (await till.asks(f"/v1/vouchers/{code}"))["status"] == "issued"
    assert (await till.member())["available"] == 200
    assert await till.books() == []


async def test_of_fifty_checkouts_at_once_one_has_the_voucher(till: Till) -> None:
    await till.gives(300)
    code = await a_code(till)
    body = {"customer": "cus_ana", "vouchers": [code]}
    answers = await asyncio.gather(*(till.calls("/v1/holds", body) for _ in range(50)))
    assert sorted(answer.status_code for answer in answers)[:2] == [201, 409]
    assert {answer.json()["code"] for answer in answers if answer.status_code == 409} == {"voucher_held"}


async def test_an_order_that_names_a_held_code_uses_it_and_the_hold_is_captured_all_the_same(till: Till) -> None:
    await till.gives(300)
    code = await a_code(till)
    held = (await till.calls("/v1/holds", {"customer": "cus_ana", "points": 50, "vouchers": [code]})).json()
    await till.hears(bought(2_000, coupons=(code,)))
    assert (await till.asks(f"/v1/vouchers/{code}"))["status"] == "used"
    done = await till.calls(f"/v1/holds/{held['id']}/capture", {"store": STORE, "order": "1"})
    assert done.status_code == 200
    await till.world.settle()
    assert len(await till.world.facts("loyalty", RewardUsed)) == 1


async def test_vouchers_that_do_not_go_together_are_refused_and_the_check_says_which(till: Till) -> None:
    await till.gives(1_000)
    one = await a_code(till, combines=["free_shipping"])
    two = await a_code(till, kind="percent_coupon", value=10)
    three = await a_code(till, kind="free_shipping")
    refused = await till.calls("/v1/holds", {"customer": "cus_ana", "vouchers": [one, two]})
    assert (refused.status_code, refused.json()["code"]) == (422, "not_combinable")
    other = await till.calls("/v1/holds", {"customer": "cus_eva", "vouchers": [one]})
    assert (other.status_code, other.json()["code"]) == (404, "not_found")
    nothing = await till.calls("/v1/holds", {"customer": "cus_ana"})
    assert (nothing.status_code, nothing.json()["code"]) == (422, "nothing_to_hold")
    told = (await till.calls("/v1/vouchers/check", {"codes": [one, two, three, "nobodys"]})).json()["data"]
    assert [(row["usable"], row["why"], row["clashes_with"]) for row in told] == [
        (True, "", ""),
        (False, "not_combinable", one),
        (True, "", ""),
        (False, "unknown", ""),
    ]
    both = await till.calls("/v1/holds", {"customer": "cus_ana", "vouchers": [one, three]})
    assert both.status_code == 201


async def test_the_shop_is_told_each_time_that_stock_comes_down_to_the_threshold(till: Till) -> None:
    await till.gives(500)
    reward = await offered(till, stock=5, alert_at=2)
    await till.calls(f"/v1/rewards/{reward}/stock", {"change": -3})
    await claims(till, reward)
    await till.calls(f"/v1/rewards/{reward}/stock", {"change": 2})
    await claims(till, reward)
    await till.world.settle()
    assert [getattr(fact, "remaining", None) for fact in await till.world.facts("loyalty", RewardLow)] == [2, 2]


async def test_vouchers_are_listed_by_their_date_page_by_page(till: Till) -> None:
    await till.gives(1_000)
    reward, codes = await offered(till), list[str]()
    for _ in range(5):
        codes.append((await claims(till, reward)).json()["code"])
        await till.world.passes(minutes=1)
    shown, cursor = list[str](), ""
    while True:
        page = await till.asks("/v1/members/cus_ana/vouchers", limit=2, cursor=cursor)
        shown += [row["code"] for row in page["data"]]
        if not page["has_more"]:
            break
        cursor = page["next_cursor"]
    assert shown == codes[::-1]
