"""A friend comes by a link and buys, by HTTP alone: both get points, and lose them with the refund."""

from collections.abc import AsyncIterator
from email import message_from_bytes
from email.policy import default
from pathlib import Path
from typing import Any

import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
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
    "invitations_per_day": 2,
}
WORD = {"reason": "they are sisters", "actor": "ops"}


@pytest.fixture
async def counter(mode: dict[str, Any], tmp_path: Path) -> AsyncIterator[Trader]:
    """A trader with ingest, loyalty and notifications, whose programme pays for friends; Ana has bought before."""
    async with a_world([ingest, loyalty, notifications], tmp_path, **mode) as world:
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


def mails(counter: Trader) -> list[tuple[str, str]]:
    """To whom mails went that thank for no order, and what they are about, in the order in which they were sent."""
    folder = counter.world.settings.data_dir / "maildir" / "new"
    letters = sorted(folder.iterdir(), key=lambda path: path.stat().st_mtime_ns) if folder.exists() else []
    read = [message_from_bytes(letter.read_bytes(), policy=default) for letter in letters]
    told = [(str(mail["To"]), str(mail["Subject"])) for mail in read]
    return [(to, subject) for to, subject in told if not subject.startswith("Thank you for your order")]


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
    assert await counter.world.runtime.verify_deep() == []


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


async def test_a_friend_is_invited_once_and_its_order_is_told_to_whoever_brought_it(counter: Trader) -> None:
    await counter.asked_consent("ana")
    token, path = await counter.token_of("ana"), "/v1/members/me/invitations"
    asked = {"email": "bea@example.com", "giver": "Ana", "friend_agrees": True}
    for _ in range(2):
        answer = await counter.calls(path, asked, by=token)
        assert (answer.status_code, answer.json()) == (201, {"status": "noted"})
    third = await counter.calls(path, {**asked, "email": "cleo@example.com"}, by=token)
    assert (third.status_code, third.json()["code"]) == (409, "too_many_invitations")
    await counter.world.passes(hours=1)
    assert mails(counter) == [("bea@example.com", "Ana invites you to Casa Querencia")]
    await counter.world.passes(days=1)
    other = {"email": "ana+x@example.com", "giver": "www.example.com", "friend_agrees": True}
    for wrong, code in (
        ({}, "unusable_name"),
        ({"email": "ana@", "giver": "Ana"}, "unusable_address"),
        ({"friend_agrees": False}, "malformed"),
    ):
        refused = await counter.calls(path, {**other, **wrong}, by=token)
        assert refused.json()["code"] == code
    for address in ("Ana+x@example.com", "old@example.com"):
        known = await counter.calls(path, {**asked, "email": address}, by=token)
        assert known.json() == {"status": "noted"}
    await counter.world.passes(days=1)
    assert len(mails(counter)) == 1
    code = (await counter.asks("/v1/members/me/referral", by=token))["code"]
    await counter.tells("browse", customer=person("bea"), name="referral_clicked", properties={"code": code})
    await counter.sells("bea")
    await counter.world.passes(hours=2)
    subjects = ["You have reached silver at Casa Querencia", "500 points for bringing a friend to Casa Querencia"]
    assert mails(counter)[1:] == [("ana@example.com", subject) for subject in subjects]
    assert (await counter.world.verify()).faults == []


async def test_merges_and_erasure_of_either_side_find_what_belongs_to_whom(counter: Trader) -> None:
    async def id_of(who: str) -> str:
        return str((await counter.asks(f"/v1/customers/{counter.name_of(who)}"))["id"])

    code = (await counter.asks("/v1/members/me/referral", by=await counter.token_of("ana")))["code"]
    for friend in ("bea", "cleo"):
        await counter.tells("browse", customer=person(friend), name="referral_clicked", properties={"code": code})
        await counter.sells(friend)
    await counter.world.settle()
    assert await wallet(counter, "ana") == (25 + 1_050, 0)
    merged = await counter.calls(f"/v1/customers/{await id_of('old')}/merge", {"other": await id_of("ana")})
    assert merged.status_code == 200, merged.text
    await counter.world.settle()
    assert await wallet(counter, "ana") == (50 + 1_050, 0)
    standing = await counter.asks(f"/v1/members/{counter.name_of('old')}/referral")
    assert (standing["came"], standing["bought"], standing["points"]) == (2, 2, 1_050)
    await counter.tells("refund", order_id="3", refund_id="r-3")
    await counter.world.passes(days=15)
    same = await counter.calls(f"/v1/customers/{await id_of('cleo')}/merge", {"other": await id_of("ana")})
    assert same.status_code == 200, same.text
    await counter.world.settle()
    [rejected] = (await counter.asks("/v1/referrals", status="rejected"))["data"]
    assert rejected["reasons"] == ["same_customer"]
    await counter.calls(f"/v1/customers/{await id_of('ana')}/erase", None)
    await counter.world.settle()
    await counter.tells("browse", customer=person("dora"), name="referral_clicked", properties={"code": code})
    await counter.sells("dora")
    await counter.world.settle()
    assert await wallet(counter, "dora") == (25, 0)
    assert (await counter.world.verify()).faults == []
    assert await counter.world.runtime.verify_deep() == []
