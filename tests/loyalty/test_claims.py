"""Claims that could be got twice or for nothing: keys of two members, pools without codes, points given back twice."""

from services.loyalty import imports
from shared.events import Lane
from shared.events.ingest import CustomerNamed
from shared.events.loyalty import RewardReturned, TierDowngraded
from shared.naming import digest_of
from tests.builders import an_event
from tests.loyalty.shop import LADDER, Shop, programme
from tests.loyalty.test_programme import adopted
from tests.loyalty.test_rewards import claims, offered
from tests.loyalty.till import NOON, STORE, Till, bought

ROW = imports.Row(customer="cus_ana", points=500, reference="r1", qualifies=True)


async def test_two_members_may_choose_the_same_idempotency_key(corner_till: Till) -> None:
    till = corner_till
    for name in ("cus_ana", "cus_bea"):
        await till.gives(100, name)
    path = f"/v1/rewards/{await offered(till)}/claims"
    ana, bea = [await till.calls(path, by=till.token(name), key="claim-1") for name in ("cus_ana", "cus_bea")]
    assert (ana.json()["customer"], bea.json()["customer"]) == ("cus_ana", "cus_bea")
    assert ana.json()["code"] != bea.json()["code"]
    again = await till.calls(path, by=till.token("cus_bea"), key="claim-1")
    assert again.json()["code"] == bea.json()["code"]
    assert [(await till.member(name))["available"] for name in ("cus_ana", "cus_bea")] == [0, 0]


async def test_a_pool_never_makes_codes_that_the_shop_does_not_know(corner_till: Till) -> None:
    till = corner_till
    await till.gives(100)
    reward = await offered(till, codes="pool")
    more = await till.calls(f"/v1/rewards/{reward}/stock", {"change": 5})
    assert (more.status_code, more.json()["code"]) == (422, "codes_needed")
    body = {"name": "Ten off", "kind": "fixed_coupon", "price": 100, "value": 1_000, "currency": "EUR"}
    switched = await till.calls(f"/v1/rewards/{reward}", body, verb="PUT")
    assert (switched.status_code, switched.json()["code"]) == (422, "codes_fixed")
    assert (await claims(till, reward)).json()["code"] == "out_of_stock"


async def test_the_points_of_a_claim_come_back_with_its_voucher_only(corner_till: Till) -> None:
    till = corner_till
    await till.gives(100)
    voucher = (await claims(till, await offered(till))).json()
    refused = await till.calls(f"/v1/redemptions/{voucher['redemption']}/reverse")
    assert (refused.status_code, refused.json()["code"]) == (409, "paid_for_reward")
    back = await till.calls(f"/v1/vouchers/{voucher['id']}/return")
    assert (back.status_code, back.json()["balance"]) == (200, 100)


def test_a_tier_that_came_with_an_import_is_history() -> None:
    shop = Shop(programme(ladder=LADDER))
    shop.member()
    [(command, row)] = imports.commands("acc_1", [("cus_ana", ROW)], shop.now)
    shop.desk.begin(command)
    assert imports.take(command, shop.desk, row)
    shop.desk.keep()
    assert [(event.fact.tier, event.lane) for event in shop.desk.facts.rows] == [("top", Lane.HISTORY)]


async def test_the_audit_log_keeps_no_store_id_of_a_customer(corner_till: Till) -> None:
    till = corner_till
    named = CustomerNamed(digest=digest_of("acc_1", STORE, "ana@shop.example").hex(), customer="cus_ana")
    await till.hears(an_event(named, customer="", at=NOON, store=STORE))
    await till.gives(5, f"ext:{STORE}:ana@shop.example")
    [row] = (await till.asks("/v1/audit-events"))["data"]
    assert (row["subject"], row["customer"]) == ("cus_ana", "cus_ana")


async def test_who_falls_loses_what_was_claimed_and_not_used_where_the_reward_says_so(till: Till) -> None:
    ladder = {"tiers": [{"name": "low"}, {"name": "top", "threshold": 100}], "window_days": 30, "grace_days": 0}
    await adopted(till, ladder=ladder, pending_days=0, wallets=[{"name": "stamps"}])
    await till.hears(bought(50_000, at=till.world.now))
    await till.calls(
        "/v1/transactions", {"customer": "cus_ana", "points": 9, "wallet": "stamps", "reason": "a", "actor": "b"}
    )
    kept = await offered(till, tiers=["top"])
    gone = await offered(till, tiers=["top"], on_fall="revoke", stock=9)
    stamped = await offered(till, tiers=["top"], on_fall="revoke", price=None, wallets={"stamps": 4})
    anybodys = await offered(till, on_fall="revoke")
    names = (kept, gone, gone, stamped, anybodys)
    made = [(await claims(till, reward)).json() for reward in names]
    await till.calls(f"/v1/vouchers/{made[1]['id']}/use")
    assert (await till.member())["available"] == 100
    await till.world.passes(days=31)
    member = await till.member()
    assert (member["tier"], member["available"], member["wallets"][0]["available"]) == ("low", 200, 9)
    shown = [(await till.asks(f"/v1/vouchers/{one['id']}"))["status"] for one in made]
    assert shown == ["issued", "used", "returned", "returned", "issued"]
    told = await till.world.facts("loyalty", RewardReturned)
    assert {(fact.points, fact.wallet) for fact in told if isinstance(fact, RewardReturned)} == {
        (100, "points"),
        (4, "stamps"),
    }
    assert len(told) == 2
    left = {one["id"]: one["remaining"] for one in (await till.asks("/v1/rewards"))["data"]}
    assert left[gone] == 8
    fall = (await till.world.facts("loyalty", TierDowngraded))[0]
    await till.hears(an_event(fall, at=till.world.now))
    assert (await till.member())["available"] == 200
    assert await till.books() == []
