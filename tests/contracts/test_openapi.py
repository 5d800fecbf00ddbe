"""What OpenAPI says is enough to write a client: each operation says what it is, takes, answers, and how it fails."""

from collections.abc import Iterator
from typing import Any

import msgspec
import pytest
from fastapi import FastAPI

from services.ingest.service import ingest
from services.loyalty.service import loyalty
from services.notifications.service import notifications
from services.scoring.service import scoring
from shared.openapi import JSON, PROBLEM, Answer, Problem, Router, describe
from shared.runtime import Runtime
from shared.settings import Settings
from shared.web import answer
from tests.contracts.described import VERBS, resolved

PAGES = {"/u/{token}", "/p/{token}"}
FILES = {"/v1/exports/vouchers": {"text/csv"}, "/v1/programs/{program}": {JSON, "application/yaml"}}
OPEN = {"/webhooks/{platform}/{source}", *PAGES}


@pytest.fixture(scope="module")
def openapi(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What the four services in one process say."""
    settings = Settings(data_dir=tmp_path_factory.mktemp("data"))
    return Runtime([ingest, loyalty, scoring, notifications], settings).app.openapi()


def operations(openapi: dict[str, Any]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """(verb, path, operation)."""
    for path, verbs in openapi["paths"].items():
        for verb in verbs.keys() & set(VERBS):
            yield verb, path, verbs[verb]


def test_every_operation_says_what_it_is(openapi: dict[str, Any]) -> None:
    found = list(operations(openapi))
    assert len(found) > 100
    for verb, path, said in found:
        assert said["summary"], (verb, path)
        assert said["description"], (verb, path)
        assert said["tags"], (verb, path)
    names = [said["operationId"] for _, _, said in found]
    assert len(set(names)) == len(names)


def test_every_operation_says_what_it_answers(openapi: dict[str, Any]) -> None:
    for verb, path, said in operations(openapi):
        good = [answered for status, answered in said["responses"].items() if status.startswith("2")]
        assert len(good) == 1, (verb, path)
        content = good[0]["content"]
        wanted = {"text/html"} if path in PAGES else FILES.get(path, {JSON}) if verb == "get" else {JSON}
        assert set(content) == wanted, (verb, path)
        if JSON in wanted:
            schema = resolved(openapi, content[JSON]["schema"])
            assert schema["properties"], (verb, path)
            assert schema["description"], (verb, path)


def test_every_failure_is_a_problem(openapi: dict[str, Any]) -> None:
    for verb, path, said in operations(openapi):
        failures = {status: each for status, each in said["responses"].items() if not status.startswith("2")}
        assert {"400", "503", "default"} <= set(failures), (verb, path)
        for failure in failures.values():
            schema = resolved(openapi, failure)["content"][PROBLEM]["schema"]
            assert set(resolved(openapi, schema)["required"]) == set(Problem.__struct_fields__), (verb, path)


def test_every_operation_says_whose_key_it_takes(openapi: dict[str, Any]) -> None:
    known = openapi["components"]["securitySchemes"]
    for verb, path, said in operations(openapi):
        named = {name for one in said.get("security", ()) for name in one}
        assert named <= set(known), (verb, path)
        assert named or path in OPEN or "401" in said["responses"], (verb, path)
    member = openapi["paths"]["/v1/members/{customer}"]["get"]["security"]
    assert member == [{"server_key": []}, {"customer_token": []}]
    assert openapi["paths"]["/v1/accounts"]["post"]["security"] == [{"operator_key": []}]


def test_whatever_is_pointed_at_is_there_under_a_name_for_a_client(openapi: dict[str, Any]) -> None:
    waiting: list[Any] = [openapi]
    while waiting:
        one = waiting.pop()
        if isinstance(one, dict):
            if isinstance(one.get("$ref"), str):
                resolved(openapi, one)
            waiting += one.values()
        elif isinstance(one, list):
            waiting += one
    assert [name for name in openapi["components"]["schemas"] if not name.replace("_", "").isalnum()] == []
    assert [name for name in openapi["components"]["schemas"] if "__" in name.rstrip("_")] == []


class Tea(msgspec.Struct):
    """A tea."""

    name: str
    cups: int = 1


async def a_tea() -> Answer[Tea]:
    """The tea of the day."""
    return answer(Tea("assam"))


def test_a_field_with_a_default_is_always_in_an_answer() -> None:
    app, router = FastAPI(), Router()
    router.get("/tea")(a_tea)
    app.include_router(router)
    describe(app, [router], [])
    assert app.openapi()["components"]["schemas"]["Tea"]["required"] == ["name", "cups"]


def test_two_things_of_one_name_are_no_riddle_for_a_client() -> None:
    app, router = FastAPI(), Router()
    router.get("/tea")(a_tea)
    app.include_router(router)
    describe(app, [router], [{"paths": {}, "components": {"schemas": {"Tea": {"type": "string"}}}, "answers": {}}])
    with pytest.raises(RuntimeError, match="two schemas are called Tea"):
        app.openapi()
