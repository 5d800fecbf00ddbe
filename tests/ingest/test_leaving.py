"""A store that leaves: its source counts no more, and on request whoever only it knew is forgotten everywhere."""

from datetime import timedelta
from typing import Any

from sqlalchemy import select, update

from services.ingest import tables
from services.ingest.desk import REDACTED
from services.ingest.reprocessing import reprocess
from services.ingest.store_erasure import MOST_CUSTOMERS
from shared.events.ingest import CustomerErased
from tests.ingest.shop import Shop, shopify_order
from tests.world import World


async def verdicts(world: World) -> list[tuple[str, str]]:
    """(verdict, reason) of every delivery, in order."""
    await world.settle()
    columns = (tables.delivery.c.verdict, tables.delivery.c.reason)
    return [(row[0], row[1]) for row in await world.rows("ingest", select(*columns).order_by(tables.delivery.c.seq))]


async def second_store(world: World, shop: Shop) -> str:
    """Another store of the same account."""
    body = {"name": "Second", "currency": "EUR", "zone": "Europe/Madrid", "locale": "es"}
    made = await world.post("/v1/stores", body, headers={**shop.server, "idempotency-key": "second"})
    await world.settle()
    return str(made.json()["id"])


async def test_after_the_app_is_uninstalled_only_privacy_requests_count(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await shop.shopify("app/uninstalled", {"id": 1})
    await shop.shopify("orders/create", shopify_order(1002, at=world.now, email="b@example.com", customer=None))
    await shop.shopify("customers/redact", {"customer": {"id": 77, "email": "ana@example.com"}})
    assert await verdicts(world) == [
        ("translated", ""),
        ("translated", "app_uninstalled"),
        ("dropped", "source_uninstalled"),
        ("translated", "erased"),
    ]
    (source,) = (await world.get("/v1/sources", headers=shop.server)).json()["data"]
    assert source["active"] is False
    assert source["uninstalled_at"] is not None
    assert (await shop.shopify("shop/redact", {"shop_id": 1}, secret="wrong")).status_code == 401
    assert (await world.verify()).balanced


async def test_what_happened_after_an_uninstallation_says_that_the_app_is_back(world: World, shop: Shop) -> None:
    left = world.now
    await shop.shopify("app/uninstalled", {"id": 1})
    late, new = ((left + timedelta(hours=hours)).isoformat() for hours in (-1, 1))
    orders = [shopify_order(number, at=world.now, customer=None) for number in range(4)]
    for order, triggered in zip(orders, (late, "soon", new, ""), strict=True):
        await shop.shopify("orders/create", order, triggered=triggered)
    assert (await verdicts(world))[1:] == [
        ("dropped", "source_uninstalled"),
        ("dropped", "source_uninstalled"),
        ("translated", ""),
        ("translated", ""),
    ]
    (source,) = (await world.get("/v1/sources", headers=shop.server)).json()["data"]
    assert (source["active"], source["uninstalled_at"]) == (True, None)


async def test_what_waits_to_be_taken_in_when_its_shop_is_forgotten_is_forgotten_too(world: World, shop: Shop) -> None:
    await shop.shopify("orders/create", shopify_order(1, at=world.now, email="late@example.com"))
    async with world.of("ingest").db.write() as tx:
        await tx.execute(update(tables.delivery).values(lane="history"))
    await shop.shopify("shop/redact", {"shop_id": 1})
    assert (await verdicts(world))[0] == ("suppressed", "erased")
    await world.passes(minutes=5)
    await shop.shopify("orders/create", shopify_order(2, at=world.now, email="new@example.com", customer=None))
    assert (await verdicts(world))[-1] == ("translated", "")
    assert await who_is_left(world) == {"new@example.com"}
    raws = await world.rows("ingest", select(tables.delivery.c.raw).order_by(tables.delivery.c.seq))
    assert raws[0] == (REDACTED,)
    assert (await world.verify()).balanced


async def who_is_left(world: World) -> set[str]:
    """The ids and addresses of all customers who are not forgotten."""
    rows = await world.rows("ingest", select(tables.identity_key.c.value))
    return {str(value) for (value,) in rows}


def spoken_of(store: str, who: dict[str, Any]) -> dict[str, Any]:
    """A native event in which an account's key names the store."""
    event = {"specversion": "1.0", "id": f"{store}{who}", "source": "s", "type": "customer", "store": store}
    return {**event, "data": {"customer": who}}


async def test_shop_redact_forgets_whom_only_this_store_knows(world: World, shop: Shop) -> None:
    second = await second_store(world, shop)
    made = await world.post("/v1/keys", {"kind": "server"}, headers={**shop.server, "idempotency-key": "k"})
    whole = {"authorization": f"Bearer {made.json()['key']}"}
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await shop.native("consent", {"customer": {"email": "only@example.com"}, "channel": "email", "granted": True})
    for store, who in (
        (shop.made.store, {"id": "b1", "email": "both@example.com"}),
        (second, {"id": "b2", "email": "both@example.com"}),
        (second, {"id": "c", "email": "second@example.com"}),
    ):
        assert (await world.post("/v1/events", spoken_of(store, who), headers=whole)).status_code == 200
    shared = shopify_order(1002, at=world.now, email="both@example.com", customer={"id": "b1"})
    await shop.shopify("orders/create", shared)
    await world.settle()
    await shop.shopify("shop/redact", {"shop_id": 1})
    await world.passes(minutes=5)
    told = select(tables.delivery.c.raw).where(tables.delivery.c.source == shop.made.shopify_source)
    assert {raw for (raw,) in await world.rows("ingest", told)} == {REDACTED}
    assert await who_is_left(world) == {"b1", "b2", "both@example.com", "c", "second@example.com"}
    assert len(await world.facts("ingest", CustomerErased)) == 2
    for verdict in ("translated", "dropped", "suppressed"):
        await reprocess(world.settings, verdict)
    await world.passes(hours=2)
    for table in tables.metadata.sorted_tables:
        for row in await world.rows("ingest", select(*table.columns)):
            assert "ana@example.com" not in repr(row), table.name
            assert "only@example.com" not in repr(row), table.name
    assert (await world.verify()).balanced


async def test_a_store_with_more_customers_than_one_step_takes_is_forgotten_whole(world: World, shop: Shop) -> None:
    people = [{"type": "identify", "userId": f"u{number}"} for number in range(MOST_CUSTOMERS + 5)]
    await shop.segment(*people)
    await world.settle()
    assert len(await who_is_left(world)) == MOST_CUSTOMERS + 5
    await shop.shopify("shop/redact", {"shop_id": 1})
    await world.passes(minutes=5)
    assert await who_is_left(world) == set()
    assert len(await world.facts("ingest", CustomerErased)) == MOST_CUSTOMERS + 5
