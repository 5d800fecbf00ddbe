"""Coupons get to the shop that honours them: signed calls that are tried again, and a file of all codes."""

import csv
import io
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select
from standardwebhooks import Webhook

from services.loyalty import tables
from services.loyalty.calling import RETRIES, Outcome, settled
from services.loyalty.hook_records import HookCall
from tests.loyalty.receiver import Receiver
from tests.loyalty.test_rewards import claims, offered
from tests.loyalty.till import NOON, STORE, Till


@pytest.fixture
def receiver() -> Iterator[Receiver]:
    """A shop's server."""
    made = Receiver()
    yield made
    made.close()


async def hooked(till: Till, url: str, *events: str) -> Any:
    answer = await till.calls("/v1/webhooks", {"url": url, "events": list(events)})
    assert answer.status_code == 201, answer.text
    return answer.json()


async def test_a_shop_hears_of_codes_by_calls_that_it_can_verify(till: Till, receiver: Receiver) -> None:
    made = await hooked(till, receiver.url, "voucher.issued", "voucher.used", "reward.low")
    await till.gives(500)
    reward = await offered(till, stock=2, alert_at=1)
    code = (await claims(till, reward)).json()["code"]
    await till.calls(f"/v1/vouchers/{code}/use", {"store": STORE, "order": "5"})
    other = (await claims(till, reward)).json()["code"]
    await till.calls(f"/v1/vouchers/{other}/return")
    await till.world.settle()
    told = [Webhook(made["secret"]).verify(call.body, call.headers) for call in receiver.heard]
    assert sorted(one["type"] for one in told) == ["reward.low", "voucher.issued", "voucher.issued", "voucher.used"]
    [used] = [one["data"] for one in told if one["type"] == "voucher.used"]
    assert (used["code"], used["status"], used["order_ref"]) == (code, "used", f"{STORE}/5")
    assert (used["kind"], used["value"], used["currency"]) == ("fixed_coupon", 1_000, "EUR")
    assert len({call.headers["webhook-id"] for call in receiver.heard}) == 4
    listed = await till.asks(f"/v1/webhooks/{made['id']}/calls")
    assert {(row["state"], row["attempts"], row["answered"]) for row in listed["data"]} == {("sent", 1, "200")}
    assert made["secret"].encode() not in (await till.world.rows("loyalty", select(tables.hook.c.secret)))[0][0]


async def test_a_call_that_failed_is_due_again_and_can_be_made_at_once(till: Till, receiver: Receiver) -> None:
    made = await hooked(till, receiver.url, "voucher.issued")
    receiver.answers = 503
    await till.gives(500)
    await claims(till, await offered(till))
    await till.world.settle()
    [call] = (await till.asks(f"/v1/webhooks/{made['id']}/calls"))["data"]
    assert (call["state"], call["attempts"], call["answered"], len(receiver.heard)) == ("waiting", 1, "503", 1)
    receiver.answers = 204
    again = await till.calls(f"/v1/webhooks/{made['id']}/calls/{call['id']}/retry")
    assert again.status_code == 200
    await till.world.settle()
    assert [one.headers["webhook-id"] for one in receiver.heard] == [call["id"]] * 2
    [call] = (await till.asks(f"/v1/webhooks/{made['id']}/calls"))["data"]
    assert (call["state"], call["next_try"]) == ("sent", None)


async def test_a_webhook_that_was_taken_away_hears_nothing(till: Till, receiver: Receiver) -> None:
    made = await hooked(till, receiver.url, "voucher.issued")
    gone = await till.calls(f"/v1/webhooks/{made['id']}", verb="DELETE")
    assert gone.status_code == 200
    await till.gives(500)
    await claims(till, await offered(till))
    await till.world.settle()
    assert receiver.heard == []
    assert (await till.asks("/v1/webhooks"))["data"] == []
    twice = await till.calls(f"/v1/webhooks/{made['id']}", verb="DELETE")
    assert (twice.status_code, twice.json()["code"]) == (404, "not_found")
    wrong = await till.calls("/v1/webhooks", {"url": "ftp://x", "events": ["voucher.issued"]})
    assert wrong.status_code == 400


def test_a_call_is_tried_after_the_published_plan_and_then_given_up() -> None:
    call = HookCall("acc_1", "msg_1", "hook_1", "voucher.issued", b"{}", NOON, NOON)
    waits = list[timedelta]()
    for attempt in range(1, len(RETRIES) + 1):
        tried = settled(HookCall(*[*_fields(call)[:7], attempt]), Outcome(500, "500"), NOON)
        waits.append(tried.due - NOON)
        assert tried.state == "waiting"
    assert waits == list(RETRIES)
    last = HookCall(*[*_fields(call)[:7], len(RETRIES) + 1])
    assert settled(last, Outcome(0, "ConnectError"), NOON).state == "failed"
    assert settled(HookCall(*[*_fields(call)[:7], 1]), Outcome(410, "410"), NOON).state == "failed"
    assert settled(last, Outcome(204, "204"), NOON).state == "sent"


def _fields(call: HookCall) -> list[Any]:
    return [getattr(call, name) for name in call.__struct_fields__]


async def test_all_codes_are_had_as_a_file_page_by_page(till: Till) -> None:
    await till.gives(1_000)
    one, other = await offered(till), await offered(till, kind="free_shipping")
    codes = [(await claims(till, reward)).json()["code"] for reward in (one, other, one)]
    await till.calls(f"/v1/vouchers/{codes[2]}/use")
    headers = {"authorization": f"Bearer {till.key}"}
    rows, cursor = list[dict[str, str]](), ""
    while True:
        answer = await till.world.get("/v1/exports/vouchers", params={"limit": 2, "cursor": cursor}, headers=headers)
        assert answer.headers["content-type"].startswith("text/csv")
        rows += list(csv.DictReader(io.StringIO(answer.text)))
        cursor = answer.headers.get("next-cursor", "")
        if not cursor:
            break
    assert sorted(row["code"] for row in rows) == sorted(codes)
    assert {row["kind"]: row["value"] for row in rows} == {"fixed_coupon": "1000", "free_shipping": "1000"}
    used = await till.world.get("/v1/exports/vouchers", params={"status": "used"}, headers=headers)
    assert [row["code"] for row in csv.DictReader(io.StringIO(used.text))] == [codes[2]]
    none = await till.world.get("/v1/exports/vouchers", params={"since": "2027-01-01T00:00:00Z"}, headers=headers)
    assert len(none.text.splitlines()) == 1
    other_reward = await till.world.get("/v1/exports/vouchers", params={"reward": other}, headers=headers)
    assert len(other_reward.text.splitlines()) == 2
