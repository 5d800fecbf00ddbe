"""A store's own ids name its customers at every service's routes, through merges, splits and erasure."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from tests.ingest.shop import Shop, open_shop
from tests.world import World, a_world

MODES = [
    "embedded",
    pytest.param("distributed", marks=[pytest.mark.kafka, pytest.mark.postgres]),
]
TEA = {"product": "tea", "price": 5000}


@pytest.fixture(params=MODES)
async def house(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[World]:
    """All four services."""
    given: dict[str, Any] = {}
    if request.param == "distributed":
        given = {
            "database_url": request.getfixturevalue("postgres_names"),
            "bus_url": f"kafka://{request.getfixturevalue('kafka_address')}",
            "topic_prefix": request.getfixturevalue("topic_prefix"),
        }
    async with a_world([ingest, loyalty, scoring, notifications], tmp_path, **given) as world:
        yield world


async def buys(shop: Shop, number: str) -> str:
    """A customer of the store buys; gives the name that the store has for them."""
    who = {"id": number, "email": f"{number}@example.com"}
    await shop.native("purchase", {"order_id": number, "customer": who, "lines": [TEA]})
    await shop.world.settle()
    return f"ext:{shop.made.store}:{number}"


async def ids(shop: Shop, name: str) -> list[str]:
    """Who each service says goes by a name; its status where it knows nobody."""
    found = []
    for path in ("customers", "members", "scores", "contacts"):
        answer = await shop.world.get(f"/v1/{path}/{name}", headers=shop.server)
        body = answer.json()
        found.append(body.get("customer", body.get("id")) if answer.status_code == 200 else str(answer.status_code))
    return found


async def command(shop: Shop, customer: str, what: str, body: dict[str, Any]) -> Any:
    """A command about a customer."""
    headers = {**shop.server, "idempotency-key": f"{customer}:{what}"}
    answer = await shop.world.post(f"/v1/customers/{customer}/{what}", body, headers=headers)
    await shop.world.settle()
    assert answer.status_code == 200, answer.text
    return answer.json()


async def test_a_store_names_its_customers_everywhere_through_merge_and_split(house: World) -> None:
    shop = await open_shop(house)
    ana, bea = await buys(shop, "ana"), await buys(shop, "bea")
    (first,), (second,) = {*await ids(shop, ana)}, {*await ids(shop, bea)}
    assert first != second
    merged = await command(shop, ana, "merge", {"other": bea})
    assert {*await ids(shop, bea)} == {*await ids(shop, ana)} == {merged["id"]} == {first}
    new = (await command(shop, first, "split", {"merged": second}))["id"]
    assert ({*await ids(shop, bea)}, {*await ids(shop, ana)}) == ({new}, {first})
    assert (await house.verify()).faults == []


async def test_points_are_spent_and_taken_under_a_stores_own_name(house: World) -> None:
    shop = await open_shop(house)
    ana = await buys(shop, "ana")
    headers = {**shop.server, "idempotency-key": "1"}
    gift = {"customer": ana, "points": 70, "reason": "sorry", "actor": "eva"}
    given = await house.post("/v1/transactions", gift, headers=headers)
    assert given.status_code == 201, given.text
    assert (await house.post("/v1/redemptions", {"customer": ana, "points": 30}, headers=headers)).status_code == 201
    unknown = await house.post("/v1/redemptions", {"customer": f"{ana}x", "points": 30}, headers=headers)
    assert (unknown.status_code, unknown.json()["code"]) == (404, "not_found")
    assert (await house.get(f"/v1/members/{ana}", headers=shop.server)).json()["available"] == 40


async def test_a_name_means_nobody_after_erasure_and_then_whoever_comes_next(house: World) -> None:
    shop = await open_shop(house)
    ana = await buys(shop, "ana")
    before = {*await ids(shop, ana)}
    await command(shop, ana, "erase", {})
    assert await ids(shop, ana) == ["404"] * 4
    for one in house.running:
        assert await house.rows(one.service.name, select(one.kernel.name)) == []
    await house.passes(minutes=5)
    who = {"id": "ana", "email": "ana@example.com"}
    await shop.native("purchase", {"order_id": "2", "customer": who, "lines": [TEA]})
    await house.settle()
    after = {*await ids(shop, ana)}
    assert len(after) == 1
    assert not after & before
    assert (await house.verify()).faults == []


async def test_other_accounts_and_other_customers_learn_nothing_by_a_name(house: World) -> None:
    shop, other = await open_shop(house), await open_shop(house)
    ana, bea = await buys(shop, "ana"), await buys(shop, "bea")
    assert await ids(other, ana) == ["404"] * 4
    made = await house.post("/v1/customer-tokens", {"customer": ana}, headers=shop.server)
    token = {"authorization": f"Bearer {made.json()['token']}"}
    assert (await house.get(f"/v1/members/{ana}", headers=token)).json()["customer"] == made.json()["customer"]
    for name in (ana, "me", made.json()["customer"]):
        assert (await house.get(f"/v1/customers/{name}", headers=token)).json()["id"] == made.json()["customer"]
    for name in (bea, "ext:nowhere:ana", "cus_nobody"):
        assert (await house.get(f"/v1/members/{name}", headers=token)).status_code == 403
        assert (await house.get(f"/v1/customers/{name}", headers=token)).status_code == 403


async def test_no_service_but_ingest_keeps_the_stores_own_ids(house: World) -> None:
    shop = await open_shop(house)
    await buys(shop, "a-telling-id")
    for one in (house.of("loyalty"), house.of("scoring")):
        for table in one.service.metadata.sorted_tables:
            rows = await house.rows(one.service.name, select(*table.columns))
            assert not any("a-telling-id" in repr(row) for row in rows if table.name != "purchase"), table.name
