"""Documents made from the code: the event catalogue (JSON Schema, AsyncAPI 3) and the topology page."""

import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from shared.events import CATALOGUE
from shared.events.config import ConfigFact
from shared.partition import partitions_of
from shared.service import Service

DOCS = Path(__file__).parent.parent / "docs"


def _schema_of(name: str) -> dict[str, Any]:
    fact = CATALOGUE[name]
    (schema,), components = msgspec.json.schema_components([fact], ref_template="#/$defs/{name}")
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "$id": f"/events/{name}/{fact.version}",
        "title": name,
        **schema,
        "$defs": components,
    }


def _asyncapi() -> dict[str, Any]:
    topics = sorted({fact.topic for fact in CATALOGUE.values()})
    return {
        "asyncapi": "3.0.0",
        "info": {"title": "Querencia", "version": "1", "description": "Facts that the services tell each other."},
        "defaultContentType": "application/json",
        "channels": {topic: _channel(topic) for topic in topics},
        "operations": {
            f"send-{topic}": {"action": "send", "channel": {"$ref": f"#/channels/{topic.replace('/', '~1')}"}}
            for topic in topics
        },
    }


def _channel(topic: str) -> dict[str, Any]:
    facts = {name: fact for name, fact in sorted(CATALOGUE.items()) if fact.topic == topic}
    return {
        "address": topic,
        "description": f"{partitions_of(topic)} partition(s), keyed by account and customer",
        "messages": {
            name: {
                "name": name,
                "summary": _first_line(fact.__doc__),
                "payload": {"$ref": f"./{name}.v{fact.version}.json"},
            }
            for name, fact in facts.items()
        },
    }


def _first_line(text: str | None) -> str:
    return (text or "").strip().split("\n", 1)[0]


def event_documents() -> dict[Path, str]:
    """Every document of the catalogue by its path."""
    folder = DOCS / "events"
    found = {
        folder / f"{name}.v{fact.version}.json": json.dumps(_schema_of(name), indent=2, sort_keys=True) + "\n"
        for name, fact in CATALOGUE.items()
    }
    found[folder / "asyncapi.json"] = json.dumps(_asyncapi(), indent=2, sort_keys=True) + "\n"
    return found


def topology(services: Sequence[Service]) -> str:
    """The whole system on one page: who emits what, who reacts, which timers and loops there are."""
    lines = [
        "# Topology",
        "",
        "Made by `make topology` from the services themselves.",
        "",
        "| fact | told by | taken in by |",
        "|---|---|---|",
    ]
    for name, fact in sorted(CATALOGUE.items()):
        takers = [service.name for service in services if fact in service.reactions]
        shown = "every service" if issubclass(fact, ConfigFact) else ", ".join(takers) or "nobody yet"
        lines.append(f"| `{name}` v{fact.version} | {fact.topic.split('.')[0]} | {shown} |")
    lines += ["", "| service | timers | loops beside relay, inbox and timers | URLs |", "|---|---|---|---|"]
    for service in services:
        cells = (sorted(service.timers), sorted(service.loops), sorted(service.prefixes))
        lines.append(
            f"| {service.name} | "
            + " | ".join(", ".join(f"`{each}`" for each in cell) or "none" for cell in cells)
            + " |"
        )
    return "\n".join(lines) + "\n"


def _write(documents: Mapping[Path, str], *, check: bool) -> int:
    stale = [path for path, text in documents.items() if not path.exists() or path.read_text() != text]
    if check:
        for path in stale:
            sys.stdout.write(f"stale: {path.relative_to(DOCS.parent)}\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(documents[path])
    return 0


def write_events(*, check: bool) -> int:
    """Write the catalogue, or tell by 1 that it is stale."""
    return _write(event_documents(), check=check)


def write_topology(services: Sequence[Service], *, check: bool) -> int:
    """Write the topology page, or tell by 1 that it is stale."""
    return _write({DOCS / "topology.md": topology(services)}, check=check)
