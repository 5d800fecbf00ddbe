"""The facts that services tell each other, one module for each owner."""

from shared.events import config, ingest, loyalty, notifications, scoring
from shared.events.base import CATALOGUE, Event, Fact, Lane, decode, encode

__all__ = [
    "CATALOGUE",
    "Event",
    "Fact",
    "Lane",
    "config",
    "decode",
    "encode",
    "ingest",
    "loyalty",
    "notifications",
    "scoring",
]
