"""What OpenAPI says of the hot routes, which are plain ASGI callables and so describe themselves here."""

from typing import Any, Literal

import msgspec

from services.ingest.connectors.native_events import ADAPTER
from services.ingest.dialects.segment import TYPES

_NATURAL = {"x-idempotency": "natural", "tags": ["events in"]}
_PROBLEM = {"$ref": "#/components/responses/Problem"}
_REFUSED: dict[str, Any] = dict.fromkeys(("401", "403", "413", "429"), _PROBLEM)

SEND = "Native events (CloudEvents as JSON), one or up to 1,000: good ones are stored whatever their neighbours are."
SEGMENT = "A call as Segment's SDKs send it, with the write key in their way: a header, the query or the body."
WEBHOOK = "A store platform's webhook, verified on its raw bytes before anything in it is believed."


class Stored(msgspec.Struct, frozen=True):
    """What came is stored: it will be taken in."""

    success: bool


class Verdict(msgspec.Struct, frozen=True, omit_defaults=True):
    """What became of an event; one that is rejected says why, and where in it."""

    id: str
    verdict: Literal["accepted", "duplicate", "collision", "rejected"]
    code: str | msgspec.UnsetType = msgspec.UNSET
    message: str | msgspec.UnsetType = msgspec.UNSET
    pointer: str | msgspec.UnsetType | None = msgspec.UNSET


class Verdicts(msgspec.Struct, frozen=True):
    """A verdict for each event, in their order."""

    verdicts: list[Verdict]


def _posted(name: str, summary: str, description: str, schema: dict[str, Any], **more: Any) -> dict[str, Any]:
    body = {"required": True, "content": {"application/json": {"schema": schema}}}
    answers = {"200": {"description": "Stored"}, **_REFUSED}
    said = {"operationId": name, "summary": summary, "description": description}
    return {"post": {**_NATURAL, **said, "requestBody": body, "responses": answers, **more}}


def _in_path(name: str) -> dict[str, Any]:
    return {"name": name, "in": "path", "required": True, "schema": {"type": "string"}}


def _native() -> tuple[dict[str, Any], dict[str, Any]]:
    """(schema of one event, the component schemas it refers to)."""
    schema = ADAPTER.json_schema(ref_template="#/components/schemas/Native{model}")
    return schema, {f"Native{name}": each for name, each in schema.pop("$defs").items()}


def documents() -> dict[str, Any]:
    """The paths and component schemas of native events, Segment's calls and store webhooks."""
    event, schemas = _native()
    one_or_many = {"oneOf": [event, {"type": "array", "items": event, "minItems": 1, "maxItems": 1000}]}
    paths = {"/v1/events": _posted("send_events", "Send events", SEND, one_or_many)}
    for call in (*sorted(TYPES), "batch"):
        paths[f"/v1/{call}"] = _posted(f"segment_{call}", f"Segment's {call}", SEGMENT, {"type": "object"})
    paths["/webhooks/{platform}/{source}"] = _posted(
        "receive_webhook",
        "Receive a webhook",
        WEBHOOK,
        {"type": "object"},
        parameters=[_in_path("platform"), _in_path("source")],
    )
    answers = {(path, "post"): Verdicts if path == "/v1/events" else Stored for path in paths}
    return {"paths": paths, "components": {"schemas": schemas}, "answers": answers}
