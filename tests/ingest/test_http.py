"""What the hot routes answer, and what becomes of bad input: never a 500, never altered."""

import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from services.ingest import tables
from services.ingest.reprocessing import reprocess
from shared.events.ingest import CustomerErased, OrderPaid, OrderUpdated
from tests.conftest import IN_ONE_MODE
from tests.ingest.shop import Shop, shopify_order
from tests.world import World


async def verdicts(world: World) -> list[tuple[str, str]]:
    """(verdict, reason code) of every delivery, in order."""
    await world.settle()
    columns = (tables.delivery.c.verdict, tables.delivery.c.reason)
    rows = await world.rows("ingest", select(*columns).order_by(tables.delivery.c.seq))
    return [(verdict, reason.partition(":")[0]) for verdict, reason in rows]


async def test_a_shopify_order_is_taken_in_once_however_often_it_is_delivered(world: World, shop: Shop) -> None:
    for _ in range(3):
        assert (await shop.shopify("orders/create", shopify_order(at=world.now), delivery="d1")).status_code == 200
    assert await verdicts(world) == [("translated", "")]
    assert len(await world.facts("ingest", OrderPaid)) == 1
    assert (await world.verify()).balanced


async def test_same_action_under_two_topics_is_two_deliveries_of_one_order(world: World, shop: Shop) -> None:
    order = shopify_order(at=world.now)
    await shop.shopify("orders/create", order, delivery="d1")
    await shop.shopify("orders/paid", order, delivery="d1")
    assert await verdicts(world) == [("translated", "")] * 2
    assert len(await world.facts("ingest", OrderPaid)) == 1


@IN_ONE_MODE
@pytest.mark.parametrize(
    "alter",
    [
        lambda raw: raw + b"\n",
        lambda raw: raw.replace(b": ", b":"),
        lambda raw: b"\xef\xbb\xbf" + raw,
        lambda raw: raw.replace(b"a@b", b"\\u0061@b"),
    ],
    ids=["newline", "spaces", "bom", "escapes"],
)
async def test_the_signature_is_of_the_raw_bytes(world: World, shop: Shop, alter: Any) -> None:
    raw = json.dumps(shopify_order(at=world.now, note="a@b")).encode()
    signed = await shop.shopify("orders/create", raw)
    headers = {name: value for name, value in signed.request.headers.items() if name.startswith("x-shopify")}
    answer = await world.post(str(signed.request.url.path), content=alter(raw), headers=headers)
    assert answer.status_code == 401
    assert answer.json()["code"] == "bad_signature"
    assert len(await verdicts(world)) == 1


async def test_a_second_secret_counts_beside_the_first_until_that_is_retired(world: World, shop: Shop) -> None:
    path = f"/v1/sources/{shop.made.shopify_source}/secrets"
    keyed = {**shop.server, "idempotency-key": "1"}
    added = await world.post(path, {"secret": "second"}, headers=keyed)
    assert added.status_code == 201
    assert (await world.post(path, {"secret": "second"}, headers=keyed)).headers["idempotency-replayed"] == "true"
    for secret in ("", "second"):
        answer = await shop.shopify("orders/create", shopify_order(at=world.now), secret=secret)
        assert answer.status_code == 200
    assert (await shop.shopify("orders/create", {}, secret="wrong")).status_code == 401


BAD = {
    "nul": (b'{"id":1,"created_at":"2026-01-01T00:00:00Z","name":"\\u0000"}', "nul_character"),
    "surrogate": (b'{"id":1,"created_at":"2026-01-01T00:00:00Z","name":"\\ud800"}', "malformed_json"),
    "nan": (b'{"id":1,"created_at":"2026-01-01T00:00:00Z","total_price":NaN}', "malformed_json"),
    "nan text": (b'{"id":1,"created_at":"2026-01-01T00:00:00Z","total_price":"NaN"}', "amount_out_of_range"),
    "huge": (b'{"id":1,"created_at":"2026-01-01T00:00:00Z","total_price":1e400}', "amount_out_of_range"),
    "deep": (b'{"id":1,"created_at":' + b"[" * 3000 + b"]" * 3000 + b"}", "malformed"),
    "deeper": (b'{"id":1,"note":' + b"[" * 100_000 + b"]" * 100_000 + b"}", "too_deep"),
    "no object": (b"17", "malformed"),
    "cut short": (b'{"id":1,', "malformed_json"),
    "no id": (b'{"id":"","created_at":"2026-01-01T00:00:00Z"}', "missing_id"),
    "no time": (b'{"id":1,"created_at":"yesterday"}', "malformed_time"),
    "negative": (
        b'{"id":1,"created_at":"2026-01-01T00:00:00Z","line_items":[{"id":1,"price":"-5","quantity":1}]}',
        "malformed_line",
    ),
}


async def test_signed_bodies_that_cannot_be_understood_are_quarantined_as_they_came(world: World, shop: Shop) -> None:
    for raw, _ in BAD.values():
        assert (await shop.shopify("orders/create", raw)).status_code == 200
    assert await verdicts(world) == [("quarantined", code) for _, code in BAD.values()]
    kept = await world.rows("ingest", select(tables.delivery.c.raw).order_by(tables.delivery.c.seq))
    assert kept == [(raw,) for raw, _ in BAD.values()]
    assert (await world.verify()).balanced


@IN_ONE_MODE
@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({"type": "purchase", "data": {"order_id": "1", "lines": [{"price": -1}]}}, "/data/lines/0/price"),
        ({"type": "purchase", "data": {"order_id": ""}}, "/data/order_id"),
        ({"type": "purchase", "data": {"order_id": "1", "lines": [{"price": 1.5}]}}, "/data/lines/0/price"),
        ({"type": "nonsense", "data": {}}, "/type"),
        ({"type": "browse", "data": {"customer": {"id": "1"}, "properties": {"a": [1]}}}, "/data/properties/a"),
    ],
)
async def test_a_bad_native_event_is_a_400_with_a_pointer(
    world: World, shop: Shop, body: dict[str, Any], pointer: str
) -> None:
    event = {"specversion": "1.0", "id": "1", "source": "s", **body}
    answer = await world.post("/v1/events", event, headers=shop.server)
    assert answer.status_code == 400
    pointers = [fault["pointer"] for fault in answer.json()["errors"]]
    assert any(found.startswith(pointer) for found in pointers) or pointer == "/type"


async def test_good_events_of_a_batch_are_stored_whatever_their_neighbours_are(world: World, shop: Shop) -> None:
    good = {"specversion": "1.0", "id": "1", "source": "s", "type": "browse", "data": {"customer": {"id": "7"}}}
    answer = await world.post(
        "/v1/events", [good, {"type": "purchase"}, {**good, "id": "2"}, good], headers=shop.server
    )
    found = [verdict["verdict"] for verdict in answer.json()["verdicts"]]
    assert found[:3] == ["accepted", "rejected", "accepted"]
    assert await verdicts(world) == [("translated", "")] * 2
    assert (await world.verify()).balanced


async def test_thirty_digits_stay_thirty_digits(world: World, shop: Shop) -> None:
    digits = "123456789012345678901234567890"
    await shop.shopify(
        "orders/create", json.dumps(shopify_order(at=world.now)).replace("5000000001001", digits).encode()
    )
    await shop.native("purchase", {"order_id": int(digits[::-1]), "lines": [{"price": 1}]})
    await world.settle()
    orders = await world.facts("ingest", OrderPaid)
    found = {order.order.external_id for order in orders if isinstance(order, OrderPaid)}
    assert found == {digits, digits[::-1].lstrip("0")}


async def test_a_browser_key_sends_behaviour_only(world: World, shop: Shop) -> None:
    key = shop.made.browser_key
    refused = await shop.native("purchase", {"order_id": "1", "lines": [{"price": 1}]}, key=key)
    assert refused.status_code == 403
    await shop.segment(
        {"type": "track", "event": "Order Completed", "userId": "7", "properties": {"order_id": "1"}}, key=key
    )
    await world.settle()
    assert await world.facts("ingest", OrderPaid) == []
    assert (await world.post("/v1/events", {}, headers={"authorization": "Bearer qs_wrong"})).status_code == 401


async def test_one_bad_message_of_a_segment_batch_leaves_the_others(world: World, shop: Shop) -> None:
    good = {"type": "track", "event": "Signed Up", "userId": "7"}
    nobody = {"type": "track", "event": "Signed Up", "userId": None, "anonymousId": None}
    answer = await shop.segment(good, nobody, {**good, "type": "dance"}, {**good, "timestamp": "2099-01-01T00:00:00Z"})
    assert answer.status_code == 200
    assert await verdicts(world) == [
        ("translated", ""),
        ("quarantined", "missing_id"),
        ("quarantined", "unknown_type"),
        ("translated", "clock_clamped"),
    ]
    assert (await world.post("/v1/batch", {"batch": []}, headers=shop.server)).status_code == 400


DEEP = b"[" * 3000 + b"]" * 3000


async def test_an_event_that_is_nested_too_deep_takes_no_others_along(world: World, shop: Shop) -> None:
    event = {"specversion": "1.0", "source": "s", "type": "customer", "data": {"customer": {"id": "7"}}}
    good = [json.dumps({**event, "id": f"[{number}\\]"}).encode() for number in range(2)]
    native = b"[" + b",".join([good[0], b'{"id":"deep","data":' + DEEP + b"}", good[1]]) + b"]"
    told = (await world.http.post("/v1/events", content=native, headers=shop.server)).json()["verdicts"]
    assert [each["verdict"] for each in told] == ["accepted", "rejected", "accepted"]
    track = b'{"type":"track","event":"Signed Up","userId":"7"}'
    batch = b'{"batch":[' + track + b',{"type":"track","properties":{"a":' + DEEP + b"}}]}"
    assert (await world.http.post("/v1/batch", content=batch, headers=shop.server)).status_code == 200
    assert await verdicts(world) == [("translated", "")] * 3 + [("quarantined", "too_deep")]
    raws = await world.rows("ingest", select(tables.delivery.c.raw).where(tables.delivery.c.verdict == "quarantined"))
    assert raws == [(b'{"type":"track","properties":{"a":' + DEEP + b"}}",)]
    for whole in (b'{"batch":[' + track + b',{"a":NaN}]}', b'{"batch":[' + b"[" * 60_000, b"[" * 60_000):
        assert (await world.http.post("/v1/batch", content=whole, headers=shop.server)).status_code == 400
    verdict = await world.verify()
    assert verdict.balanced, verdict.faults
    assert verdict.books["ingest"]["counters"]["deliveries:rejected"] == 1


async def answered(response: httpx.Response, status: int) -> Any:
    """The body of an answer that must have a status."""
    assert response.status_code == status, response.text
    return response.json()


async def test_a_quarantined_delivery_can_be_reprocessed_after_mending(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(at=world.now, currency="XXZ"))
    await world.settle()
    listed = await answered(await world.get("/v1/deliveries?verdict=quarantined", headers=shop.server), 200)
    (delivery,) = listed["data"]
    keyed = {**shop.server, "idempotency-key": "k"}
    await answered(await world.post(f"/v1/deliveries/{delivery['id']}/reprocess", headers=keyed), 200)
    assert await verdicts(world) == [("quarantined", "unknown_currency")]
    assert (await world.verify()).balanced


async def test_redacting_a_customer_leaves_no_trace_of_the_address(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await shop.native("consent", {"customer": {"email": "ana@example.com"}, "channel": "email", "granted": True})
    await shop.shopify("orders/create", b'{"id": 3, "email": "ana@example.com", "created_at": "never"}')
    await world.settle()
    redact = {"shop_domain": "x", "customer": {"id": 77, "email": "ana@example.com"}, "orders_to_redact": []}
    await shop.shopify("customers/redact", redact)
    await world.settle()
    assert len(await world.facts("ingest", CustomerErased)) == 1
    before = world.now
    await shop.shopify("orders/updated", shopify_order(at=before, note="again"), delivery="late")
    assert (await verdicts(world))[-1] == ("suppressed", "erased")
    for table in tables.metadata.sorted_tables:
        for row in await world.rows("ingest", select(*table.columns)):
            assert "ana@example.com" not in repr(row).lower(), table.name
    assert (await world.verify()).balanced


async def test_reprocessing_everything_twice_changes_nothing(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await shop.segment({"type": "track", "event": "Product Viewed", "userId": "77", "properties": {"product_id": "1"}})
    await shop.native("cart", {"cart_id": "c", "customer": {"id": "77"}, "lines": [{"product": "p", "price": 5}]})
    await world.settle()
    before = await world.rows("ingest", select(tables.kernel.archive.c.id))
    for _ in range(2):
        assert await reprocess(world.settings, "translated") == 3
        assert await verdicts(world) == [("translated", "")] * 3
    assert await world.rows("ingest", select(tables.kernel.archive.c.id)) == before
    assert (await world.verify()).balanced


async def test_reprocessing_corrects_an_order_that_was_misunderstood(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await world.settle()
    mended = json.dumps(shopify_order(at=world.now, total_price="49.00")).encode()
    (stamp,) = [json.loads(raw)["updated_at"] for (raw,) in await world.rows("ingest", select(tables.delivery.c.raw))]
    mended = json.dumps({**json.loads(mended), "updated_at": stamp, "created_at": stamp}).encode()
    async with world.of("ingest").db.write() as tx:
        await tx.update_many(tables.delivery, by=("seq",), columns=("raw",), rows=[(1, mended)])
    await reprocess(world.settings, "translated")
    await world.settle()
    (corrected,) = await world.facts("ingest", OrderUpdated)
    assert isinstance(corrected, OrderUpdated)
    assert (corrected.change, corrected.order.total, corrected.order.revision) == ("corrected", 4900, 3)
