"""The set-up: accounts, stores, sources, keys and tokens; all of it told to the other services."""

from pathlib import Path
from typing import Any

import jwt
import pytest
from sqlalchemy import select

from services.ingest import tables
from services.ingest.service import ingest
from services.ingest.setup import Wanted, create_account, first_store
from shared import migrate
from shared.events.config import AccountConfigured, KeyConfigured, SigningKeyConfigured, StoreConfigured
from shared.settings import Settings
from shared.vault import vault_of
from tests.conftest import IN_ONE_MODE
from tests.ingest.shop import Shop, shopify_order
from tests.world import World, migrated

A_STORE = {"name": "Tea", "currency": "jpy", "zone": "Asia/Tokyo", "locale": "en"}


async def call(world: World, method: str, path: str, body: Any, headers: dict[str, str], *, key: str = "k") -> Any:
    """An API call under an Idempotency-Key."""
    return await world.http.request(method, path, json=body, headers={**headers, "idempotency-key": key})


async def test_models_and_migrations_are_equal(mode: dict[str, Any], tmp_path: Path) -> None:
    url = Settings(data_dir=tmp_path, _env_file=None, **mode).database_of("ingest")
    await migrated(ingest, url)
    assert await migrate.differences(ingest, url) == []


async def test_a_first_store_is_made_once_in_an_empty_folder(tmp_path: Path) -> None:
    settings = Settings(data_dir=tmp_path, _env_file=None)
    await migrate.upgrade(ingest, settings.database_of("ingest"))
    text = "\n".join(await first_store(settings))
    assert "qs_" in text
    assert "qb_" in text
    assert await first_store(settings) == []
    assert (tmp_path / "master.key").stat().st_mode & 0o777 == 0o600
    made = await create_account(settings, Wanted(currency="usd"))
    assert made.account not in text


async def test_the_operator_makes_accounts_and_the_account_its_stores_sources_and_keys(
    world: World, shop: Shop
) -> None:
    operator = {"authorization": f"Bearer {vault_of(world.settings).operator_key()}"}
    body = {"name": "Second Ltd", "store": A_STORE}
    made = await call(world, "POST", "/v1/accounts", body, operator)
    again = await call(world, "POST", "/v1/accounts", body, operator)
    assert made.status_code == 201
    assert (again.json(), again.headers["idempotency-replayed"]) == (made.json(), "true")
    assert (await call(world, "POST", "/v1/accounts", body, shop.server, key="z")).status_code == 401
    server = {"authorization": f"Bearer {made.json()['server_key']}"}
    (store,) = (await world.get("/v1/stores", headers=server)).json()["data"]
    assert (store["currency"], store["exponent"]) == ("JPY", 0)
    await world.settle()
    told = await world.facts("ingest.config")
    kinds = {type(fact) for fact in told}
    assert kinds == {AccountConfigured, StoreConfigured, KeyConfigured, SigningKeyConfigured}
    assert (await world.verify()).balanced


async def test_no_secret_is_stored_in_the_open(world: World, shop: Shop) -> None:
    made = await call(world, "POST", "/v1/keys", {"kind": "server"}, shop.server)
    secrets = (shop.made.server_key, shop.made.shopify_secret, made.json()["key"])
    for table in tables.metadata.sorted_tables:
        for row in await world.rows("ingest", select(*table.columns)):
            assert not any(secret in repr(row) for secret in secrets), table.name


async def test_a_revoked_key_and_a_closed_source_are_refused(world: World, shop: Shop) -> None:
    made = (await call(world, "POST", "/v1/keys", {"kind": "server"}, shop.server)).json()
    fresh = {"authorization": f"Bearer {made['key']}"}
    await call(world, "DELETE", f"/v1/keys/{made['id']}", None, shop.server, key="d")
    assert (await world.get("/v1/stores", headers=fresh)).status_code == 401
    source = (await call(world, "POST", "/v1/sources", {
        "store": shop.made.store, "platform": "shopify", "secret": "s"
    }, shop.server, key="s")).json()  # fmt: skip
    await call(world, "DELETE", f"/v1/sources/{source['id']}", None, shop.server, key="x")
    shop.made = type(shop.made)(**{**_fields(shop), "shopify_source": source["id"], "shopify_secret": "s"})
    assert (await shop.shopify("orders/create", shopify_order(at=world.now))).status_code == 404


def _fields(shop: Shop) -> dict[str, str]:
    return {name: getattr(shop.made, name) for name in shop.made.__struct_fields__}


@IN_ONE_MODE
@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("/v1/stores", {**A_STORE, "currency": "XXZ"}, 422, "unknown_currency"),
        ("/v1/stores", {**A_STORE, "zone": "Mars/Base"}, 422, "unknown_zone"),
        ("/v1/stores", {**A_STORE, "zone": "../../etc/passwd"}, 422, "unknown_zone"),
        ("/v1/stores", {"name": "x"}, 400, "malformed"),
        ("/v1/sources", {"store": "sto_no", "platform": "shopify", "secret": "s"}, 404, "not_found"),
        ("/v1/keys", {"kind": "root"}, 400, "malformed"),
        ("/v1/keys", {"kind": "server", "store": "sto_no"}, 404, "not_found"),
    ],
)
async def test_what_makes_no_sense_is_refused(
    world: World, shop: Shop, path: str, body: dict[str, str], status: int, code: str
) -> None:
    answer = await call(world, "POST", path, body, shop.server)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert (await world.post(path, body, headers=shop.server)).status_code == 400


@IN_ONE_MODE
async def test_a_platform_without_a_verifier_cannot_be_a_source(world: World, shop: Shop) -> None:
    body = {"store": shop.made.store, "platform": "vtex", "secret": "s"}
    answer = await call(world, "POST", "/v1/sources", body, shop.server)
    assert answer.json()["code"] == "unknown_platform"


async def test_the_last_secret_of_a_source_stays(world: World, shop: Shop) -> None:
    (source,) = (await world.get("/v1/sources", headers=shop.server)).json()["data"]
    path = f"/v1/sources/{source['id']}/secrets"
    assert (await call(world, "DELETE", f"{path}/{source['secrets'][0]}", None, shop.server)).status_code == 409
    await call(world, "POST", path, {"secret": "new"}, shop.server)
    retired = await call(world, "DELETE", f"{path}/{source['secrets'][0]}", None, shop.server, key="r")
    assert retired.status_code == 200


async def test_a_customer_token_speaks_for_one_customer_of_its_own_store(world: World, shop: Shop) -> None:
    name = f"ext:{shop.made.store}:77"
    made = await world.post("/v1/customer-tokens", {"customer": name}, headers=shop.server)
    assert made.status_code == 201, made.text
    token = {"authorization": f"Bearer {made.json()['token']}"}
    claims = jwt.decode(made.json()["token"], options={"verify_signature": False})
    assert (claims["sub"], claims["store"]) == (made.json()["customer"], shop.made.store)
    await shop.shopify("orders/create", shopify_order(at=world.now))
    await world.settle()
    own = await world.get("/v1/customers/me", headers=token)
    assert (own.status_code, own.json()["profile"]["first_name"]) == (200, "Ana")
    assert (await world.get("/v1/customers/cus_other", headers=token)).status_code == 403
    assert (await world.get("/v1/orders", headers=token)).status_code == 403
    other = {"customer": "ext:sto_other:77"}
    assert (await world.post("/v1/customer-tokens", other, headers=shop.server)).status_code == 403
    forged = {"authorization": token["authorization"][:-6] + "AAAAAA"}
    assert (await world.get("/v1/customers/me", headers=forged)).status_code == 401


@IN_ONE_MODE
async def test_every_unsafe_route_says_in_openapi_how_it_is_repeatable(world: World, shop: Shop) -> None:
    schema = (await world.get("/openapi.json")).json()
    unsafe = {
        (method, path): route.get("x-idempotency")
        for path, routes in schema["paths"].items()
        for method, route in routes.items()
        if method in {"post", "put", "patch", "delete"}
    }
    assert {unsafe[method, path] for method, path in unsafe} == {"key", "natural"}
    assert unsafe["post", "/v1/events"] == unsafe["post", "/v1/batch"] == "natural"
    assert unsafe["post", "/webhooks/{platform}/{source}"] == "natural"
    assert "NativePurchaseEvent" in schema["components"]["schemas"]
