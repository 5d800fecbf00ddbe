"""Nothing of an account is seen or changed under the key of another, at any route; nor by a browser or a member."""

import json
import re
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.contracts.clerk import Call, Clerk, a_company, everything_open
from tests.contracts.sight import Sight, changed
from tests.contracts.unsafe_calls import CALLS
from tests.ingest.shop import open_shop
from tests.real.smtp import SmtpServer
from tests.world import World

OPEN_TO_ALL = ("/u/", "/p/", "/webhooks/")  # their tokens and signatures say whose they are
OPERATORS = {("post", "/v1/accounts")}
SDK = tuple(f"/v1/{name}" for name in ("events", "track", "identify", "page", "screen", "group", "alias", "batch"))
HOUSE_WIDE = {"/v1/segments/{name}/members"}  # the names of segments are everybody's


@pytest.fixture
async def world(tmp_path: Path, smtp_server: SmtpServer) -> AsyncIterator[World]:
    """All four services."""
    async with a_company(tmp_path, smtp_server) as made:
        yield made


@pytest.fixture
async def owner(world: World) -> Clerk:
    """A shop where everything can be called."""
    return await everything_open(world)


@pytest.fixture
async def stranger(world: World, owner: Clerk) -> Clerk:
    """The shop of another company."""
    return Clerk(await open_shop(world), 0)


def under(call: Call, key: str) -> Call:
    """The same call under another key, whichever way it is told."""
    body = json.loads(call.content) if call.content[:1] == b"{" else None
    content = json.dumps({**body, "writeKey": key}).encode() if body and "writeKey" in body else call.content
    return msgspec.structs.replace(call, content=content, headers={**call.headers, "authorization": f"Bearer {key}"})


def is_guarded(path: str) -> bool:
    """Whether a route goes by the key that is sent along."""
    return not path.startswith(OPEN_TO_ALL)


async def test_the_key_of_another_company_changes_nothing_at_any_route(
    owner: Clerk, stranger: Clerk, tmp_path: Path
) -> None:
    """Each call is made with its true key first, so that its Idempotency-Key has an answer that must not be told."""
    mine = owner.shop.made.account
    sight, faults = Sight(owner.world.running, tmp_path, account=mine), []
    for route in [route for route in CALLS if is_guarded(route[1]) and route not in OPERATORS]:
        call = await CALLS[route](owner)
        done = await owner.sends(call, "shared")
        assert done.status_code in {200, 201}, (route, done.text)
        another = await CALLS[route](owner)
        before = sight.now()
        for tried, key in ((call, "shared"), (another, "other")):
            answer = await owner.sends(under(tried, stranger.shop.made.server_key), key)
            told = answer.headers.get("idempotency-replayed") or mine in answer.text or answer.status_code >= 500
            if told or changed(before, sight.now()):
                faults.append((route, answer.status_code, answer.text[:200], changed(before, sight.now())))
    sight.close()
    assert faults == []
    assert (await owner.world.verify()).balanced


async def test_the_key_of_another_company_sees_nothing_at_any_route(owner: Clerk, stranger: Clerk) -> None:
    own = {**owner.shop.server}
    found, secrets = await _things(owner)
    assert len(secrets) > 100
    assert {"customer", "order", "cart", "delivery", "transaction", "program"} <= set(found)
    seen = set()
    for path, names in _readable(owner.world):
        for asked, named in _asked(path, names, found):
            mine = await owner.world.get(asked, headers=own)
            if mine.status_code == 200:
                seen.add(path)
            theirs = await owner.world.get(asked, headers=stranger.shop.server)
            told = secrets.intersection(_texts(theirs)) - set(asked.replace("=", "/").replace("?", "/").split("/"))
            assert (theirs.status_code < 500, told) == (True, set()), asked
            if theirs.status_code == 200 and named and path not in HOUSE_WIDE:
                unheard = f"{named[:-6]}fedcba"
                made_up = await owner.world.get(asked.replace(named, unheard), headers=stranger.shop.server)
                assert _untimed(theirs.text, named) == _untimed(made_up.text, unheard), asked
    assert {path for path, _ in _readable(owner.world)} - seen == set(), "each route has something to tell its owner"


@pytest.mark.parametrize("by", ["browser", "nobody"])
async def test_a_browser_key_opens_only_what_a_browser_needs(owner: Clerk, tmp_path: Path, by: str) -> None:
    key = owner.shop.made.browser_key if by == "browser" else "nobody"
    sight = Sight(owner.world.running, tmp_path)
    for route in [route for route in CALLS if is_guarded(route[1]) and not route[1].startswith(SDK)]:
        call = under(await CALLS[route](owner), key)
        before = sight.now()
        answer = await owner.sends(call, f"{by}-{route[1]}")
        assert answer.status_code in {401, 403}, (route, answer.text)
        assert changed(before, sight.now()) == [], route
    sight.close()
    found, _ = await _things(owner)
    for path, names in _readable(owner.world):
        for asked, _ in _asked(path, names, found):
            answer = await owner.world.get(asked, headers={"authorization": f"Bearer {key}"})
            assert answer.status_code in {401, 403}, (asked, answer.text)


async def test_a_members_token_opens_nobody_elses_wallet(owner: Clerk) -> None:
    one, other = await owner.somebody(), await owner.somebody()
    token = (await owner.does("POST", "/v1/customer-tokens", {"customer": one}))["token"]
    mine = {"authorization": f"Bearer {token}"}
    found, _ = await _things(owner)
    found["customer"] = [other]
    own = (await owner.world.get("/v1/members/me", headers=mine)).json()
    assert own["available"] == 100
    for path, names in _readable(owner.world):
        for asked, _ in _asked(path, names, found):
            answer = await owner.world.get(asked, headers=mine)
            assert other not in answer.text.replace(asked, ""), asked
            if "{customer}" in path:
                assert answer.status_code in {401, 403, 404}, (asked, answer.text)


def _readable(world: World) -> Iterator[tuple[str, list[str]]]:
    """Every route that only tells, and what it can be asked by in its query."""
    for path, verbs in world.runtime.app.openapi()["paths"].items():
        if "get" in verbs and is_guarded(path):
            told = [each["name"] for each in verbs["get"].get("parameters", []) if each["in"] == "query"]
            yield path, told


def _asked(path: str, names: list[str], found: dict[str, list[str]]) -> Iterator[tuple[str, str]]:
    """A route about each of some things that are there, and the thing; or about a made-up one."""
    name = path[path.find("{") + 1 : path.find("}")] if "{" in path else ""
    for value in (found.get(name) or ["unknown"]) if name else [""]:
        filled = path.replace(f"{{{name}}}", value)
        wanted = [f"{query}={found[query][0]}" for query in ("customer", "source", "store") if query in names]
        yield f"{filled}?{'&'.join(wanted)}" if wanted else filled, value if found.get(name) else ""


async def _things(owner: Clerk) -> tuple[dict[str, list[str]], set[str]]:
    """Some ids of an account by what they are of, and all that nobody else may read."""
    lists = {
        "customer": "/v1/customers",
        "order": "/v1/orders",
        "delivery": "/v1/deliveries",
        "store": "/v1/stores",
        "source": "/v1/sources",
        "program": "/v1/programs",
        "message": "/v1/messages",
    }
    found = {name: [_id(row, name) for row in await owner.lists(path)] for name, path in lists.items()}
    carts = [await owner.lists(f"/v1/carts?customer={one}") for one in found["customer"]]
    found["cart"] = [_id(row, "cart") for rows in carts for row in rows]
    who = await owner.somebody()
    history = await owner.lists(f"/v1/members/{who}/transactions")
    found["transaction"] = [row["id"] for row in history]
    found["code"] = [await owner.voucher()]
    found["redemption"], found["referral"] = [await owner.redemption()], [await owner.referral()]
    found["product"] = [str(row["product"]["id"]) for row in await owner.lists("/v1/products")]
    day = (await owner.does("PUT", "/v1/exchange-rates/2024-02-29", {"base": "EUR", "rates": {"USD": 2}}))["date"]
    found["day"] = [day]
    secrets = {text for of in found.values() for text in of} | {owner.shop.made.account, owner.shop.made.server_key}
    found = {name: of[:2] for name, of in found.items()}
    found["name"] = ["new"]
    return found, secrets


def _id(row: dict[str, Any], name: str) -> str:
    """The id of a row, or of the thing in it."""
    thing = row if "id" in row else row[name]
    return str(thing["id"] if isinstance(thing, dict) else thing)


def _texts(answer: Any) -> set[str]:
    """Every text in an answer."""
    if "json" not in answer.headers.get("content-type", ""):
        return set(answer.text.split())
    waiting, found = [answer.json()], set()
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            waiting += [*one.values(), *one]
        elif isinstance(one, list):
            waiting += one
        elif isinstance(one, str):
            found.add(one)
    return found


def _untimed(text: str, name: str) -> str:
    """An answer without the moment it was given at and the name it was asked by."""
    return re.sub(r"\d{4}-\d\d-\d\dT[^\"]+", "", text.replace(name, ""))
