"""Deliveries taken in again by source, kind and time, by command and over HTTP; the second time changes nothing."""

from typing import Any

import pytest
from sqlalchemy import select

from services.ingest import tables
from services.ingest.reprocessing import reprocess, take_again
from shared.errors import Refused
from tests.ingest.shop import Shop, open_shop, shopify_order
from tests.world import World


async def waits(world: World) -> list[str]:
    """The kinds of the deliveries that wait to be taken in, after which they are."""
    chosen = select(tables.delivery.c.head).where(tables.delivery.c.verdict == "").order_by(tables.delivery.c.seq)
    found = [head.kind for (head,) in await world.rows("ingest", chosen)]
    await world.settle()
    return found


async def told_by_all(world: World, shop: Shop) -> None:
    """One delivery of each kind."""
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await shop.segment({"type": "identify", "userId": "7"})
    await shop.native("customer", {"customer": {"id": "8"}})
    await world.settle()


async def test_a_choice_of_deliveries_is_taken_in_again(world: World, shop: Shop) -> None:
    begun = world.now
    await told_by_all(world, shop)
    await world.passes(hours=1)
    noon = world.now
    await told_by_all(world, shop)
    before = await world.rows("ingest", select(tables.kernel.archive.c.id))
    choices: tuple[tuple[dict[str, Any], list[str]], ...] = (
        ({"kind": "segment"}, ["segment", "segment"]),
        ({"source": shop.made.shopify_source}, ["shopify", "shopify"]),
        ({"since": noon, "kind": "native"}, ["native"]),
        ({"until": noon, "source": shop.made.shopify_source}, ["shopify"]),
        ({"since": begun, "until": begun}, []),
    )
    for choice, kinds in choices:
        assert await reprocess(world.settings, "translated", **choice) == len(kinds)
        assert await waits(world) == kinds, choice
    assert await world.rows("ingest", select(tables.kernel.archive.c.id)) == before
    assert (await world.verify()).balanced


async def test_two_calls_that_chose_the_same_deliveries_take_them_in_again_once(world: World, shop: Shop) -> None:
    await shop.native("customer", {"customer": {"id": "8"}})
    await world.settle()
    one = world.of("ingest")
    async with one.db.read() as reader:
        chosen = [tables.Delivery(*row) for row in await reader.fetch(select(*tables.delivery.columns))]
    for expected in (1, 0):
        async with one.db.write() as tx:
            assert await take_again(tx, one.writer, chosen) == expected
    await world.settle()
    assert (await world.verify()).balanced


async def test_an_account_takes_only_its_own_in_again_over_http(world: World, shop: Shop) -> None:
    other = await open_shop(world)
    await told_by_all(world, shop)
    await told_by_all(world, other)
    path, keyed = "/v1/deliveries/reprocess", {**shop.server, "idempotency-key": "1"}
    answer = await world.post(path, {"verdict": "translated", "kind": "native"}, headers=keyed)
    assert (answer.status_code, answer.json()) == (200, {"deliveries": 1, "next": None})
    assert await waits(world) == ["native"]
    foreign = {"verdict": "translated", "source": other.made.shopify_source}
    answer = await world.post(path, foreign, headers={**keyed, "idempotency-key": "2"})
    assert answer.json() == {"deliveries": 0, "next": None}
    wrong = await world.post(path, {"verdict": "waiting"}, headers={**keyed, "idempotency-key": "3"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "malformed")
    with pytest.raises(Refused):
        await reprocess(world.settings, "waiting")
