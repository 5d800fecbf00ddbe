"""What OpenAPI says of answers: the return annotations of routes, which mypy holds against what the routes return."""

from collections.abc import Callable, Iterable, Mapping
from functools import cache
from typing import Annotated, Any, Generic, TypeVar, get_args, get_origin, get_type_hints

import msgspec
from fastapi import APIRouter, FastAPI, Response

Body = TypeVar("Body")
Place = tuple[str, str]
REF = "#/components/schemas/{name}"
JSON, PROBLEM = "application/json", "application/problem+json"
KEYS = {
    "server_key": "A server key: all of an account's data",
    "customer_token": "A customer token: one customer's own data",
    "operator_key": "The operator's key: makes accounts",
}
CALLERS = {"server_key": ("server_key",), "member_or_server": ("server_key", "customer_token")}


class Answer(Response, Generic[Body]):
    """A JSON answer; what its body holds is said by the type alone and costs nothing when it is made."""


class Fault(msgspec.Struct, frozen=True):
    """What is wrong with a request, and where in it (RFC 6901)."""

    pointer: str
    message: str


class Problem(msgspec.Struct, frozen=True):
    """A failure after RFC 9457; `code` is what a program should look at."""

    type: str
    title: str
    status: int
    code: str
    message: str
    errors: list[Fault]
    request_id: str


class Router(APIRouter):
    """Routes that say what they answer: `-> Answer[View]`; those that answer no JSON by their `response_class`."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self.endpoints: dict[Place, Callable[..., Any]] = {}

    def add_api_route(self, path: str, endpoint: Callable[..., Any], **given: Any) -> None:
        """Add a route; FastAPI is not to check its answers again."""
        super().add_api_route(path, endpoint, **given | {"response_model": None})
        self.endpoints.update({(path, verb.lower()): endpoint for verb in given["methods"] or ()})

    def include_router(self, router: APIRouter, **given: Any) -> None:
        """Add another router's routes."""
        super().include_router(router, **given)
        if isinstance(router, Router):
            self.endpoints |= router.endpoints


def describe(app: FastAPI, routers: Iterable[Router], documents: Iterable[Mapping[str, Any]]) -> None:
    """Have an app's OpenAPI say what its routes answer, and what plain ASGI routes say of themselves.

    Such a document holds `paths`, `components` and `answers`: the type of a JSON body by (path, verb).
    """
    own = app.openapi

    @cache
    def openapi() -> dict[str, Any]:
        found = own()
        schemas: dict[str, Any] = found.setdefault("components", {}).setdefault("schemas", {})
        bodies: dict[Place, Any] = {}
        for more in documents:
            found["paths"].update(more["paths"])
            _add(schemas, more["components"]["schemas"])
            bodies |= more["answers"]
        endpoints = {place: each for one in routers for place, each in one.endpoints.items()}
        bodies |= {place: body for place, each in endpoints.items() if (body := _body(each)) is not None}
        told, made = msgspec.json.schema_components([Problem, *bodies.values()], ref_template=REF)
        _add(schemas, {name: _always_there(schema) for name, schema in made.items()})
        _failures(found, told[0], endpoints)
        for (path, verb), schema in zip(bodies, told[1:], strict=True):
            _good(found["paths"][path][verb])[JSON] = {"schema": schema}
        for name in ("HTTPValidationError", "ValidationError"):
            schemas.pop(name, None)
        return found

    app.openapi = openapi  # type: ignore[method-assign]


def _add(schemas: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, schema in more.items():
        known = schemas.setdefault(name, schema)
        if known != schema and sorted(known.get("enum", ("",))) != sorted(schema.get("enum", ())):
            raise RuntimeError(f"two schemas are called {name}")


def _body(endpoint: Callable[..., Any]) -> Any:
    """The type of the JSON that an endpoint answers; None when it answers none."""
    said = get_type_hints(endpoint)["return"]
    for one in (said, *get_args(said)):
        if get_origin(one) is Answer:
            return get_args(one)[0]
    return None


def _good(operation: Mapping[str, Any]) -> dict[str, Any]:
    """The content of an operation's 2xx answer."""
    status = next(status for status in operation["responses"] if status.startswith("2"))
    content: dict[str, Any] = operation["responses"][status].setdefault("content", {})
    return content


def _always_there(schema: dict[str, Any]) -> dict[str, Any]:
    """A struct's schema as an answer has it: fields with a default are written too."""
    fields = schema.get("properties")
    if fields:
        needed = schema.get("required", ())
        schema["required"] = [name for name, field in fields.items() if name in needed or "default" in field]
    return schema


def _failures(found: dict[str, Any], problem: dict[str, Any], endpoints: Mapping[Place, Callable[..., Any]]) -> None:
    """Who may call each operation, and that every failure is a problem."""
    said = {"description": Problem.__doc__, "content": {PROBLEM: {"schema": problem}}}
    found["components"]["responses"] = {"Problem": said}
    found["components"]["securitySchemes"] = {
        name: {"type": "http", "scheme": "bearer", "description": text} for name, text in KEYS.items()
    }
    for path, verbs in found["paths"].items():
        for verb, operation in verbs.items():
            keys = _keys(endpoints.get((path, verb)))
            if keys:
                operation["security"] = [{name: []} for name in keys]
            operation["responses"].pop("422", None)  # FastAPI's own word on what we answer with 400
            for status in _failing(path, operation):
                operation["responses"][status] = {"$ref": "#/components/responses/Problem"}


def _keys(endpoint: Callable[..., Any] | None) -> tuple[str, ...]:
    """The kinds of keys an endpoint takes, by the dependency that gives it its caller."""
    said = get_type_hints(endpoint, include_extras=True).get("caller") if endpoint else None
    return CALLERS[get_args(said)[1].dependency.__name__] if get_origin(said) is Annotated else ()


def _failing(path: str, operation: Mapping[str, Any]) -> list[str]:
    found = ["400", "503", "default"]
    if "security" in operation:
        found += ["401", "403"]
    if "{" in path:
        found.append("404")
    if operation.get("x-idempotency") == "key":
        found += ["409", "422"]
    return sorted(found)
