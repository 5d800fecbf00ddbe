"""A friend comes by a link and buys, by HTTP alone: both get points, and lose them with the refund."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from tests.system.high_street import Trader, person
from tests.world import a_world

REFERRALS = {
    "rewards": [
        {"when": "signup", "friend": 20},
        {"when": "first_order", "referrer": 500, "friend": 300, "least": 2_000},
    ],
    "milestones": [{"friends": 1, "points": 50}],
    "link": "https://shop.example/?ref={code}",
    "own_codes": True,
}
WORD = {"reason": "they are sisters", "actor": "ops"}


@pytest.fixture
async def counter(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Trader]:
    """A trader with ingest and loyalty, whose programme pays for friends; Ana has bought before."""
    async with a_world([ingest, loyalty], tmp_path, **mode) as world:
        trader = await Trader(world).opened()
        await trader.sells("old")
        await world.settle()
        [found] = (await trader.asks("/v1/programs"))["data"]
        name, draft = found["id"], {key: value for key, value in found.items() if key not in {"id", "version"}}
        answer = await trader.calls(f"/v1/programs/{name}", {**draft, "referrals": REFERRALS}, verb="PUT")
        assert answer.status_code == 200, answer.text
        await trader.sells("ana")
        await world.settle()
        yield trader


async def wallet(counter: Trader, who: str) -> tuple[int, int]:
    found = await counter.asks(f"/v1/members/{counter.name_of(who)}")
    return found["pending"], found["available"]


async def test_a_friend_by_a_link_pays_both_and_the_refund_takes_all_back(counter: Trader) -> None:
    mine = await counter.asks("/v1/members/me/page", by=await counter.token_of("ana"))
    code = mine["referral"]["code"]
    assert mine["referral"]["link"] == f"https://shop.example/?ref={code}"
    visit = {"customer": {"anonymous_id": "visitor-1"}, "name": "Page", "url": f"https://shop.example/?ref={code}"}
    await counter.tells("browse", **visit)
    await counter.tells("customer", customer={**person("bea"), "anonymous_id": "visitor-1"})
    await counter.world.settle()
    assert await wallet(counter, "bea") == (20, 0)
    order = {"order_id": "b-1", "customer": person("bea"), "currency": "EUR"}
    await counter.tells("purchase", **order, lines=[{"product": "tea", "quantity": 1, "price": 2_500}])
    await counter.world.settle()
    assert (await wallet(counter, "ana"), await wallet(counter, "bea")) == ((25 + 550, 0), (25 + 320, 0))
    [referral] = (await counter.asks("/v1/referrals", status="approved"))["data"]
    assert (referral["how"], referral["score"], [step["number"] for step in referral["steps"]]) == ("link", 0, [0, 1])
    await counter.world.passes(days=15)
    page = await counter.asks("/v1/members/me/page", by=await counter.token_of("ana"))
    assert page["referral"] == {**mine["referral"], "came": 1, "bought": 1, "points": 550, "next_goal": None}
    told = {line["words"] for line in page["history"]}
    assert {"Points for bringing a friend", "Points for all the friends you have brought"} <= told
    await counter.tells("refund", order_id="b-1", refund_id="r-1", amount=600)
    await counter.world.settle()
    assert await wallet(counter, "ana") == (0, 25 + 50)
    await counter.tells("refund", order_id="b-1", refund_id="r-2", amount=1_900)
    await counter.world.settle()
    assert (await wallet(counter, "ana"), await wallet(counter, "bea")) == ((0, 25), (0, 20))
    assert (await counter.world.verify()).faults == []


async def test_what_is_doubtful_waits_for_the_shop_and_the_shopper_reads_nothing_of_it(counter: Trader) -> None:
    ana = counter.name_of("ana")
    chosen = await counter.calls(f"/v1/members/{ana}/referral-code", {"code": "ana-2026"})
    assert chosen.json() == {"code": "ana-2026", "link": "https://shop.example/?ref=ana-2026"}
    await counter.calls(f"/v1/members/{ana}/prints", {"address": "Calle Mayor 1"})
    await counter.tells("customer", customer=person("bea"))
    await counter.world.settle()
    claim = {"code": "ANA 2026", "customer": counter.name_of("bea"), "seen": {"address": "calle mayor 1"}}
    made = (await counter.calls("/v1/referrals", claim)).json()["referral"]
    assert (made["status"], made["reasons"], made["score"]) == ("held", ["same_address"], 50)
    told = await counter.calls("/v1/referrals", {"code": "nobodys"}, by=await counter.token_of("bea"))
    assert told.json()["message"] == (await counter.calls("/v1/referrals", claim)).json()["message"]
    await counter.sells("bea")
    await counter.world.settle()
    assert await wallet(counter, "bea") == (25, 0)
    decided = await counter.calls(f"/v1/referrals/{made['id']}/approve", WORD)
    assert (decided.json()["status"], decided.json()["decided_by"]) == ("approved", "ops")
    await counter.world.settle()
    assert (await wallet(counter, "ana"), await wallet(counter, "bea")) == ((25 + 550, 0), (25 + 320, 0))
    again = await counter.calls(f"/v1/referrals/{made['id']}/approve", WORD)
    assert (again.status_code, again.json()["code"]) == (409, "already_approved")
    await counter.calls(f"/v1/referrals/{made['id']}/decline", {**WORD, "reason": "one and the same"})
    await counter.world.settle()
    assert (await wallet(counter, "ana"), await wallet(counter, "bea")) == ((25, 0), (25, 0))
    actions = [line["action"] for line in (await counter.asks("/v1/audit-events"))["data"]]
    assert actions[:2] == ["decline_referral", "approve_referral"]
    assert (await counter.world.verify()).faults == []


async def test_codes_are_one_members_only_and_members_decide_nothing(counter: Trader) -> None:
    token = await counter.token_of("ana")
    taken = await counter.calls("/v1/members/me/referral-code", {"code": "team"}, by=token)
    assert taken.status_code == 200
    other = await counter.calls(f"/v1/members/{counter.name_of('old')}/referral-code", {"code": "TEAM"})
    assert (other.status_code, other.json()["code"]) == (409, "code_taken")
    short = await counter.calls("/v1/members/me/referral-code", {"code": "a!"}, by=token)
    assert (short.status_code, short.json()["code"]) == (422, "unusable_code")
    seen = await counter.calls("/v1/referrals", {"code": "team", "seen": {"ip": "1"}}, by=token)
    assert (seen.status_code, seen.json()["code"]) == (403, "forbidden")
    queue = await counter.world.get("/v1/referrals", headers={"authorization": f"Bearer {token}"})
    assert queue.status_code == 403
    missing = await counter.calls("/v1/referrals/ref_none/approve", WORD)
    assert missing.status_code == 404
