"""What may come in: sizes, compression, content types, where the key is carried, how much at once."""

import base64
import gzip
import json
import resource
import zlib
from typing import Any
from uuid import uuid4

import pytest
from prometheus_client import REGISTRY
from sqlalchemy import func, select

from services.ingest.limits import Limit
from services.ingest.tables import delivery
from shared.errors import TooMany
from tests.conftest import IN_ONE_MODE
from tests.ingest.shop import Shop, open_shop, shopify_order
from tests.world import World

SMALL = {"type": "track", "event": "Signed Up", "userId": "7"}


def batch(*messages: dict[str, Any], key: str = "") -> bytes:
    """The body of a batch call."""
    told = [{"messageId": uuid4().hex, **message} for message in messages]
    return json.dumps({"batch": told, **({"writeKey": key} if key else {})}).encode()


def sized(size: int) -> dict[str, Any]:
    """A message of about so many bytes."""
    return {**SMALL, "properties": {"text": "x" * size}}


def basic(key: str) -> dict[str, str]:
    """As the SDKs carry their key."""
    return {"authorization": "Basic " + base64.b64encode(f"{key}:".encode()).decode()}


async def stored(world: World) -> int:
    """How many deliveries there are."""
    ((number,),) = await world.rows("ingest", select(func.count()).select_from(delivery))
    return int(number)


@IN_ONE_MODE
@pytest.mark.parametrize(
    ("body", "headers", "status"),
    [
        (gzip.compress, {}, 200),
        (gzip.compress, {"content-encoding": "gzip"}, 200),
        (lambda raw: raw, {"content-encoding": "gzip"}, 400),
        (lambda raw: gzip.compress(raw)[:-5], {"content-encoding": "gzip"}, 400),
        (lambda raw: gzip.compress(raw) + b"more", {}, 400),
        (lambda raw: gzip.compress(raw) + gzip.compress(raw), {}, 400),
        (lambda raw: gzip.compress(gzip.compress(raw)), {}, 400),
        (lambda raw: b"\x1f\x8b" + raw, {}, 400),
        (lambda raw: raw, {"content-type": "text/plain"}, 200),
        (lambda raw: raw, {"content-type": "application/x-www-form-urlencoded"}, 200),
    ],
    ids=["no header", "gzip", "no gzip", "cut", "trailing", "two members", "nested", "broken", "plain", "form"],
)
async def test_compression_and_content_types(
    world: World, shop: Shop, body: Any, headers: dict[str, str], status: int
) -> None:
    keyed = {**basic(shop.made.server_key), **headers}
    answer = await world.post("/v1/batch", content=body(batch(SMALL)), headers=keyed)
    assert answer.status_code == status, answer.text
    assert await stored(world) == (1 if status == 200 else 0)


@IN_ONE_MODE
async def test_a_bomb_of_zeros_is_refused_without_being_unpacked(world: World, shop: Shop) -> None:
    packing = zlib.compressobj(wbits=31)
    bomb = b"".join(packing.compress(bytes(1 << 20)) for _ in range(100)) + packing.flush()
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = await world.post("/v1/batch", content=bomb, headers=basic(shop.made.server_key))
    assert (answer.status_code, answer.json()["code"]) == (413, "too_large")
    assert answer.json()["message"]
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 16 * 1024


async def test_the_size_of_events_and_batches(world: World, shop: Shop) -> None:
    keyed = basic(shop.made.server_key)
    for call, body, status, number in (
        ("batch", batch(SMALL, sized(1_100_000), SMALL), 200, 2),
        ("track", json.dumps({**sized(1_000_000), "messageId": "m"}).encode(), 200, 3),
        ("batch", batch(*[sized(990_000)] * 4), 200, 7),
        ("batch", batch(*[sized(990_000)] * 5), 413, 7),
        ("batch", batch(*[SMALL] * 2_501), 200, 2_508),
        ("batch", b'{"batch":[]}', 400, 2_508),
    ):
        answer = await world.post(f"/v1/{call}", content=body, headers=keyed)
        assert answer.status_code == status, answer.text
        assert status == 200 or (answer.json()["code"] and answer.json()["message"])
        assert await stored(world) == number
    assert (await world.verify()).balanced


async def test_a_native_batch_holds_a_thousand_events(world: World, shop: Shop) -> None:
    event = {"specversion": "1.0", "source": "s", "type": "browse", "data": {"customer": {"id": "7"}}}
    many = [{**event, "id": str(number)} for number in range(1001)]
    assert (await world.post("/v1/events", many, headers=shop.server)).status_code == 400
    assert (await world.post("/v1/events", many[:-1], headers=shop.server)).status_code == 200
    assert await stored(world) == 1000


NO_NUMBERS = {
    "nan": (b"NaN", 400),
    "infinity": (b"-Infinity", 400),
    "1e400": (b"1e400", 200),
    "deep": (b"[" * 3000 + b"]" * 3000, 200),
}


@IN_ONE_MODE
@pytest.mark.parametrize("text", [text for text, _ in NO_NUMBERS.values()], ids=NO_NUMBERS)
async def test_a_native_event_with_what_is_no_json_of_ours_is_refused(world: World, shop: Shop, text: bytes) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "browse", "data": {"customer": {"id": "7"}}}
    raw = json.dumps(event).encode().replace(b'{"customer"', b'{"properties": {"n": ' + text + b'}, "customer"')
    assert (await world.post("/v1/events", content=raw, headers=shop.server)).status_code == 400
    assert await stored(world) == 0


@IN_ONE_MODE
@pytest.mark.parametrize(("text", "status"), NO_NUMBERS.values(), ids=NO_NUMBERS)
async def test_a_batch_with_what_is_no_json_of_ours(world: World, shop: Shop, text: bytes, status: int) -> None:
    raw = batch(SMALL, {**SMALL, "properties": {"n": "N"}}, SMALL).replace(b'"N"', text)
    answer = await world.post("/v1/batch", content=raw, headers=basic(shop.made.server_key))
    await world.settle()
    verdicts = [row[0] for row in await world.rows("ingest", select(delivery.c.verdict).order_by(delivery.c.seq))]
    assert answer.status_code == status
    assert verdicts == (["translated", "quarantined", "translated"] if status == 200 else [])
    assert (await world.verify()).balanced


@IN_ONE_MODE
async def test_a_key_in_a_header_goes_before_the_query_and_the_query_before_the_body(world: World, shop: Shop) -> None:
    good, wrong = shop.made.server_key, "qs_wrong"
    for path, headers, within, status in (
        ("/v1/batch", basic(good), wrong, 200),
        ("/v1/batch", {"x-write-key": good}, wrong, 200),
        ("/v1/batch/", {"authorization": f"Bearer {good}"}, "", 200),
        (f"/v1/batch?writeKey={good}", {}, wrong, 200),
        (f"/v1/batch?writeKey={wrong}", {"x-write-key": good}, "", 200),
        ("/v1/batch", {}, good, 200),
        (f"/v1/batch?writeKey={good}", {}, "kid:***", 200),
        ("/v1/batch", {}, "kid:***", 401),
        ("/v1/batch", basic(wrong), good, 401),
        ("/v1/batch", {}, "", 401),
    ):
        answer = await world.post(path, content=batch(SMALL, key=within), headers=headers)
        assert answer.status_code == status, (path, headers, within, answer.text)


@IN_ONE_MODE
@pytest.mark.parametrize("call", ["track", "identify", "page", "screen", "group", "alias", "batch"])
async def test_every_call_of_the_sdk_is_taken_with_a_slash_at_its_end(world: World, shop: Shop, call: str) -> None:
    body = batch(SMALL) if call == "batch" else json.dumps({"userId": "7", "previousId": "b", "event": "e"}).encode()
    answer = await world.post(f"/v1/{call}/", content=body, headers=basic(shop.made.server_key))
    assert (answer.status_code, answer.content) == (200, b'{"success":true}')
    assert await stored(world) == 1


async def test_an_id_is_known_for_more_than_a_week_and_its_use_for_something_else_is_said(
    world: World, shop: Shop
) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "browse", "data": {"customer": {"id": "7"}}}
    other = {**event, "data": {"customer": {"id": "8"}}}
    found = []
    for sent in (event, event, other):
        answer = await world.post("/v1/events", sent, headers=shop.server)
        found.append(answer.json()["verdicts"][0]["verdict"])
        await world.passes(days=8)
    assert found == ["accepted", "duplicate", "collision"]
    second = await open_shop(world)
    answer = await world.post("/v1/events", other, headers=second.server)
    assert answer.json()["verdicts"][0]["verdict"] == "accepted"
    assert (await world.verify()).balanced


async def test_of_one_id_twice_in_a_request_only_the_first_is_accepted(world: World, shop: Shop) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", "type": "browse", "data": {"customer": {"id": "7"}}}
    other = {**event, "data": {"customer": {"id": "8"}}}
    sent = [event, event, {**event, "id": "2"}, {**other, "id": "2"}]
    answer = await world.post("/v1/events", sent, headers=shop.server)
    found = [verdict["verdict"] for verdict in answer.json()["verdicts"]]
    assert found == ["accepted", "duplicate", "accepted", "collision"]
    assert await stored(world) == 2
    assert (await world.verify()).balanced


async def test_the_same_message_id_from_two_sources_is_two_messages(world: World, shop: Shop) -> None:
    for key in (shop.made.server_key, shop.made.browser_key):
        body = json.dumps({"batch": [{**SMALL, "messageId": "m"}]}).encode()
        for _ in range(2):
            assert (await world.post("/v1/batch", content=body, headers=basic(key))).status_code == 200
    assert await stored(world) == 2


@IN_ONE_MODE
async def test_who_sends_too_much_is_told_when_to_come_again(world: World, shop: Shop) -> None:
    limits = world.of("ingest").state["limits"]
    limits.source = Limit(0.1)
    keyed = basic(shop.made.server_key)
    assert (await world.post("/v1/batch", content=batch(*[SMALL] * 3), headers=keyed)).status_code == 200
    refused = await world.post("/v1/batch", content=batch(SMALL), headers=keyed)
    assert (refused.status_code, refused.json()["code"]) == (429, "rate_limited")
    assert 1 <= int(refused.headers["retry-after"]) <= 30
    assert (await shop.shopify("orders/create", shopify_order(at=world.now))).status_code == 200
    limits.address = Limit(0.1)
    again = [(await shop.native("browse", {"customer": {"id": "7"}})).status_code for _ in range(2)]
    assert again == [200, 429]
    assert await stored(world) == 5


def test_a_limit_fills_up_again_and_a_rate_of_zero_limits_nobody() -> None:
    limit = Limit(1e9)
    limit.take("a", int(1e10))
    limit.take("a")  # a bucket that a thousand million a second go into has room for one at once
    slow = Limit(0.01)
    slow.take("a")
    slow.take("b")
    with pytest.raises(TooMany) as refused:
        slow.take("a")
    assert 1 <= refused.value.retry_after <= 100
    free = Limit(0)
    free.take("a", 10**12)
    free.take("a", 10**12)


@IN_ONE_MODE
async def test_an_oversized_webhook_is_refused_and_a_wrong_signature_counted(world: World, shop: Shop) -> None:
    def failures() -> float:
        return REGISTRY.get_sample_value("querencia_signature_failures_total", {"platform": "shopify"}) or 0.0

    before = failures()
    large = await shop.shopify("orders/create", b'{"note":"' + b"x" * (5 << 20) + b'"}')
    assert (large.status_code, large.json()["code"]) == (413, "too_large")
    assert (await shop.shopify("orders/create", {}, secret="wrong")).status_code == 401
    assert failures() == before + 1
    assert await stored(world) == 0
