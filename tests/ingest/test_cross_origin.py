"""Front ends on other origins: preflights, and browser keys that hold for some origins only."""

from typing import Any

from sqlalchemy import func, select

from services.ingest.access import make_key
from services.ingest.tables import delivery
from tests.conftest import IN_ONE_MODE
from tests.ingest.shop import Shop
from tests.world import World

PAGE = "https://shop.example"


@IN_ONE_MODE
async def test_a_preflight_allows_what_the_browser_client_sends(world: World) -> None:
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization,x-retry-count",
    }
    answer = await world.http.options("/v1/batch", headers=asked)
    assert answer.status_code == 200
    assert answer.headers["access-control-max-age"] == "86400"
    allowed = answer.headers["access-control-allow-headers"].lower()
    assert "authorization" in allowed
    assert "x-retry-count" in allowed


@IN_ONE_MODE
async def test_an_answer_may_be_read_by_the_page_that_asked(world: World, shop: Shop) -> None:
    headers = {"origin": PAGE, "authorization": f"Bearer {shop.made.browser_key}"}
    answer = await world.post("/v1/track", {"userId": "u", "messageId": "1", "event": "Page Seen"}, headers=headers)
    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == "*"


@IN_ONE_MODE
async def test_a_key_for_one_origin_is_refused_from_another(world: World, shop: Shop) -> None:
    async with world.of("ingest").db.write() as tx:
        _, key = await make_key(tx, shop.made.account, "browser", shop.made.store, origins=(PAGE,))
    message = {"userId": "u", "messageId": "1", "event": "Page Seen"}
    refused = await world.post(
        "/v1/track", message, headers={"origin": "https://evil.example", "authorization": f"Bearer {key}"}
    )
    assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
    assert refused.headers["content-type"] == "application/problem+json"
    assert await world.rows("ingest", select(func.count()).select_from(delivery)) == [(0,)]
    taken = await world.post("/v1/track", message, headers={"origin": PAGE, "authorization": f"Bearer {key}"})
    assert taken.status_code == 200


async def test_a_browser_cannot_use_up_the_id_of_a_servers_event(world: World, shop: Shop) -> None:
    event: dict[str, Any] = {
        "specversion": "1.0",
        "id": "1",
        "source": "s",
        "type": "browse",
        "time": world.now.isoformat(),
    }
    event["data"] = {"customer": {"anonymous_id": "a"}, "product": "tea"}
    by_browser = await world.post("/v1/events", event, headers={"authorization": f"Bearer {shop.made.browser_key}"})
    by_server = await world.post("/v1/events", event, headers={"authorization": f"Bearer {shop.made.server_key}"})
    verdicts = [answer.json()["verdicts"][0]["verdict"] for answer in (by_browser, by_server)]
    assert verdicts == ["accepted", "accepted"]
