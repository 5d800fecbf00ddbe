"""Whatever characters, numbers or depths a caller sends: every route answers, with a problem and never a 5xx."""

import base64
import json
import re
from collections.abc import AsyncIterator, Iterator, Mapping
from copy import deepcopy
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx
import pytest

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from tests.ingest.shop import Shop, open_shop
from tests.world import a_world

MODES = ["sqlite", pytest.param("postgres", marks=[pytest.mark.postgres])]
BESIDE_JSON = frozenset({"text/csv"})
PAGES = ("/u/", "/p/")
HOT = ("/v1/events", "/v1/alias", "/v1/group", "/v1/identify", "/v1/page", "/v1/screen", "/v1/track", "/v1/batch")
IN_PATHS = ("%00", "a%00b", "cus_%00", "%ED%A0%80", "9" * 30)
IN_QUERIES = (*IN_PATHS, "NaN", "-1", "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-14:00")
UNKEPT = ("a\0b", "\ud800")
DEEP = b"[" * 3000 + b"]" * 3000
RAW_BODIES = (DEEP, b'{"a":' + DEEP + b"}", b'{"a":NaN}', b"NaN", b"[1", b"\xff", b"\0", b'"\\ud800"', b"9" * 30)
ODD_NUMBERS = (10**30, -(10**30), float("nan"), float("inf"), 2**63)
CURSORS = (
    ["a\0b"],
    ["2026-01-01T00:00:00Z", "a\0b"],
    [10**30],
    [2**63, "a"],
    ["a", 10**30],
    [["x"]],
    {"a": 1},
    json.loads(DEEP[2750:3250]),
)


@pytest.fixture(params=MODES)
async def shop(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Shop]:
    """A shop of a whole installation."""
    url = request.getfixturevalue("postgres_names") if request.param == "postgres" else ""
    async with a_world([ingest, loyalty, scoring, notifications], tmp_path, database_url=url) as world:
        yield await open_shop(world)


class Routes:
    """What the OpenAPI description says can be called."""

    def __init__(self, schema: Mapping[str, Any]) -> None:
        self.schema = schema
        self.all = [(m.upper(), p, op) for p, found in schema["paths"].items() for m, op in found.items()]

    def odd_paths(self) -> Iterator[tuple[str, str]]:
        """Each path parameter with each odd text, the others plain."""
        for method, path, _ in self.all:
            for name in re.findall(r"\{\w+\}", path):
                for odd in IN_PATHS:
                    yield method, _plain(path.replace(name, odd))

    def odd_queries(self) -> Iterator[tuple[str, str]]:
        """Each query parameter with each odd text, and one that no route has."""
        for method, path, operation in self.all:
            names = [each["name"] for each in operation.get("parameters", []) if each["in"] == "query"]
            for name in (*names, "other"):
                for odd in IN_QUERIES if name != "other" else ("%00",):
                    yield method, f"{_plain(path)}?{name}={odd}"
            if "cursor" in names:
                yield from ((method, f"{_plain(path)}?cursor={_cursor(odd)}") for odd in CURSORS)

    def odd_texts(self) -> Iterator[tuple[str, str, bytes, str]]:
        """Each text of each JSON body made odd, with the pointer to it."""
        for method, path, body in self.bodies():
            for where in _leaves(body, str):
                for odd in UNKEPT:
                    yield method, _plain(path), json.dumps(_with(body, where, odd)).encode(), _pointer(where)

    def odd_numbers(self) -> Iterator[tuple[str, str, bytes]]:
        """Each number of each JSON body made odd."""
        for method, path, body in self.bodies():
            for where in _leaves(body, int):
                for odd in ODD_NUMBERS:
                    yield method, _plain(path), json.dumps(_with(body, where, odd)).encode()

    def bodies(self) -> Iterator[tuple[str, str, Any]]:
        """A body of the described shape for each route that takes JSON."""
        for method, path, operation in self.all:
            for kind, content in operation.get("requestBody", {}).get("content", {}).items():
                if kind not in BESIDE_JSON:
                    yield method, path, self.sample(content["schema"])

    def sample(self, schema: Mapping[str, Any], depth: int = 0) -> Any:
        """A value of a schema, with every field it names."""
        if "$ref" in schema:
            return self.sample(self.schema["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], depth)
        if "anyOf" in schema or "oneOf" in schema:
            return self.sample(schema.get("anyOf", schema.get("oneOf"))[0], depth)
        if schema.get("type") == "array":
            return [self.sample(schema["items"], depth + 1)] if depth < 4 else []
        if "properties" in schema:
            return {name: self.sample(each, depth + 1) for name, each in schema["properties"].items()}
        return _scalar(schema)


def _scalar(schema: Mapping[str, Any]) -> Any:
    if "enum" in schema or "const" in schema:
        return schema["const"] if "const" in schema else schema["enum"][0]
    text = "2026-01-01T00:00:00Z" if schema.get("format") == "date-time" else "cus_a"
    number = max(1, schema.get("minimum", 1))
    of_type = {"string": text, "integer": number, "number": number, "boolean": True, "null": None}
    return of_type.get(schema.get("type", ""), {"a": "x", "b": {"c": ["x"]}})


def _plain(path: str) -> str:
    return re.sub(r"\{\w+\}", "cus_a", path)


def _cursor(values: Any) -> str:
    return base64.urlsafe_b64encode(json.dumps(values).encode()).decode().rstrip("=")


def _leaves(value: Any, kind: type, where: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    if isinstance(value, dict | list):
        for name, each in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _leaves(each, kind, (*where, name))
    elif isinstance(value, kind):
        yield where


def _with(body: Any, where: tuple[Any, ...], value: Any) -> Any:
    changed = deepcopy(body)
    within = changed
    for name in where[:-1]:
        within = within[name]
    within[where[-1]] = value
    return changed


def _pointer(where: tuple[Any, ...]) -> str:
    return "".join(f"/{name}" for name in where)


async def ask(shop: Shop, method: str, path: str, raw: bytes | None = None, **headers: str) -> httpx.Response:
    """One request under the server key."""
    given = {**shop.server, "idempotency-key": uuid4().hex, "content-type": "application/json", **headers}
    return await shop.world.http.request(method, path, headers=given, content=raw)


def faults(answer: httpx.Response) -> list[str]:
    """What is wrong with an answer to odd input."""
    said, kind = f"{answer.request.method} {answer.request.url}", answer.headers.get("content-type", "")
    if answer.status_code >= 500:
        return [f"{said} {answer.request.content[:80]!r}: {answer.status_code}"]
    is_page = answer.request.url.path.startswith(PAGES)
    if answer.status_code >= 400 and kind != "application/problem+json" and not is_page:
        return [f"{said}: {answer.status_code} as {kind}"]
    return []


def refused(answer: httpx.Response, pointer: str | None = None) -> list[str]:
    """What is wrong with an answer that has to be a 400 `malformed`, with a pointer where there is a body."""
    if faults(answer):
        return faults(answer)
    problem = answer.json()
    pointers = [each["pointer"] for each in problem.get("errors", [])]
    if problem.get("code") == "malformed" and answer.status_code == 400 and (pointer is None or pointer in pointers):
        return []
    return [f"{answer.request.method} {answer.request.url} {pointer}: {answer.status_code} {answer.text[:200]}"]


async def routes_of(shop: Shop) -> Routes:
    """The routes as the installation describes them."""
    return Routes((await shop.world.get("/openapi.json")).json())


async def test_paths_and_queries_with_odd_text_are_refused_and_nul_always_as_malformed(shop: Shop) -> None:
    routes = await routes_of(shop)
    wrong: list[str] = []
    for method, path in (*routes.odd_paths(), *routes.odd_queries()):
        answer = await ask(shop, method, path, b"{}" if method in ("POST", "PUT") else None)
        wrong += refused(answer) if "%00" in path else faults(answer)
    assert "\n".join(wrong) == ""


async def test_bodies_with_text_that_cannot_be_kept_are_refused_with_a_pointer_to_it(shop: Shop) -> None:
    routes = await routes_of(shop)
    wrong: list[str] = []
    for method, path, raw, pointer in routes.odd_texts():
        answer = await ask(shop, method, path, raw)
        is_delivery = path in HOT or path.startswith("/webhooks/")
        wrong += faults(answer) if is_delivery else refused(answer, pointer)
    assert "\n".join(wrong) == ""


async def test_bodies_with_odd_numbers_or_depths_are_answered_with_a_problem(shop: Shop) -> None:
    routes = await routes_of(shop)
    wrong: list[str] = []
    for method, path, raw in routes.odd_numbers():
        wrong += faults(await ask(shop, method, path, raw))
    for method, path, _ in routes.bodies():
        for raw in RAW_BODIES:
            wrong += faults(await ask(shop, method, _plain(path), raw))
    assert "\n".join(wrong) == ""


async def test_a_table_or_token_with_text_that_cannot_be_kept_is_refused(shop: Shop) -> None:
    table = b"customer,points,reference\ncus_a,5,a\0b\n"
    assert refused(await ask(shop, "POST", "/v1/imports/balances", table, **{"content-type": "text/csv"})) == []
    for odd in UNKEPT:
        claims = [_cursor(each) for each in ({"alg": "EdDSA", "typ": "JWT"}, {"iss": odd, "sub": "x"})]
        answer = await ask(shop, "GET", "/v1/members/me", authorization=f"Bearer {'.'.join(claims)}.eA")
        assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
