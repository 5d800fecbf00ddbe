"""What OpenAPI says of the hot routes, which are plain ASGI callables and so describe themselves here."""

from typing import Any

from services.ingest.connectors.native_events import ADAPTER
from services.ingest.dialects.segment import TYPES

_NATURAL = {"x-idempotency": "natural", "tags": ["events in"]}
_PROBLEM = {
    "description": "A problem (RFC 9457)",
    "content": {"application/problem+json": {"schema": {"type": "object"}}},
}
_REFUSED: dict[str, Any] = dict.fromkeys(("400", "401", "413", "503"), _PROBLEM)
_OK = {"description": "Stored", "content": {"application/json": {"schema": {"type": "object"}}}}


def _posted(summary: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    answers = {"200": _OK, **_REFUSED}
    return {"post": {**_NATURAL, "summary": summary, "requestBody": body, "responses": answers, **more}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _native() -> tuple[dict[str, Any], dict[str, Any]]:
    """(schema of one event, the component schemas it refers to)."""
    schema = ADAPTER.json_schema(ref_template="#/components/schemas/{model}")
    return schema, schema.pop("$defs")


def documents() -> dict[str, Any]:
    """The paths and component schemas of native events, Segment's calls and store webhooks."""
    event, schemas = _native()
    one_or_many = {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": 1000}]}
    paths = {"/v1/events": _posted("Send native events, a verdict for each", one_or_many)}
    for call in (*sorted(TYPES), "batch"):
        paths[f"/v1/{call}"] = _posted(f"Segment's {call}, as its server SDKs send it", {"type": "object"})
    paths["/webhooks/{platform}/{source}"] = _posted(
        "A store platform's webhook, verified on its raw bytes",
        {"type": "object"},
        parameters=[_in_path("platform"), _in_path("source")],
    )
    return {"paths": paths, "components": {"schemas": schemas}}
