"""Holds every answer that comes by against what OpenAPI says of its route."""

import re
from copy import deepcopy
from functools import cache
from typing import Any

import httpx
from jsonschema import Draft202012Validator

VERBS = ("get", "post", "put", "delete", "patch")


class Described:
    """What OpenAPI says; nothing may be in an answer of which it says nothing.

    `good` are the operations that have answered 2xx, `faults` what was answered otherwise than described.
    """

    def __init__(self, openapi: dict[str, Any]) -> None:
        self._openapi = closed(openapi)
        self._paths = [
            (re.compile(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(path))), path)
            for path in sorted(openapi["paths"], key=lambda path: path.count("{"))
        ]
        self.good: set[tuple[str, str]] = set()
        self.faults: list[str] = []

    async def hears(self, response: httpx.Response) -> None:
        """An event hook of a client: judge an answer."""
        await response.aread()
        verb, asked = response.request.method.lower(), response.request.url.path
        path = next((path for pattern, path in self._paths if pattern.fullmatch(asked)), None)
        if path is None or verb not in self._openapi["paths"][path]:
            return
        if response.is_success:
            self.good.add((verb, path))
        if fault := self._fault(verb, path, response):
            self.faults.append(f"{verb} {path}: {fault}")

    def _fault(self, verb: str, path: str, response: httpx.Response) -> str:
        said = self._openapi["paths"][path][verb]["responses"]
        found = said.get(str(response.status_code)) or (None if response.is_success else said["default"])
        if found is None:
            return f"{response.status_code} is not described"
        content = resolved(self._openapi, found).get("content", {})
        media = response.headers.get("content-type", "").partition(";")[0]
        if media not in content:
            return f"{response.status_code} came as {media!r}, described as {sorted(content)}"
        if "json" not in media:
            return ""
        wrong = next(self._validator(verb, path, response.status_code, media).iter_errors(response.json()), None)
        return "" if wrong is None else f"{response.status_code} {wrong.json_path}: {wrong.message[:300]}"

    @cache  # noqa: B019 - one for a test
    def _validator(self, verb: str, path: str, status: int, media: str) -> Any:
        said = self._openapi["paths"][path][verb]["responses"]
        found = resolved(self._openapi, said.get(str(status)) or said["default"])
        schema = found["content"][media]["schema"]
        return Draft202012Validator({**schema, "components": self._openapi["components"]})


def resolved(openapi: dict[str, Any], said: dict[str, Any]) -> dict[str, Any]:
    """What is said, or what it points at; raises KeyError where that is nowhere."""
    if "$ref" not in said:
        return said
    found: Any = openapi
    for part in said["$ref"].removeprefix("#/").split("/"):
        found = found[part]
    return dict(found)


def closed(openapi: dict[str, Any]) -> dict[str, Any]:
    """The same, where an object holds nothing but what is said of it."""
    made = deepcopy(openapi)
    for schema in made["components"]["schemas"].values():
        if "properties" in schema:
            schema.setdefault("additionalProperties", False)
    return made
