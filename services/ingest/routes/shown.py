"""What the routes of the set-up show: stores, sources, keys; a secret only in the answer that made it."""

from collections.abc import Mapping, Sequence
from datetime import datetime

import msgspec
from msgspec.structs import asdict

from services.ingest.records import SourceRow
from shared.events.config import KeyConfigured, StoreConfigured


class Stores(msgspec.Struct, frozen=True):
    """An account's stores."""

    data: list[StoreConfigured]


class NewSource(msgspec.Struct, frozen=True):
    """A source and the path its platform is to call."""

    id: str
    path: str


class NewSecret(msgspec.Struct, frozen=True):
    """A further secret of a source."""

    id: str


class Closed(msgspec.Struct, frozen=True):
    """A source or secret that counts no more."""

    id: str
    active: bool


class SourceView(msgspec.Struct, frozen=True, kw_only=True):
    """A source, the ids of its secrets, and how many deliveries each of them has signed."""

    account: str
    id: str
    store: str
    kind: str
    name: str
    active: bool
    recorded: datetime
    uninstalled_at: datetime | None
    redacted_at: datetime | None
    secrets: list[str]
    secret_uses: dict[str, int]


class Sources(msgspec.Struct, frozen=True):
    """An account's sources."""

    data: list[SourceView]


class NewKey(msgspec.Struct, frozen=True):
    """A key and its text, which is shown this once."""

    id: str
    kind: str
    store: str
    key: str


class ApiKeyView(msgspec.Struct, frozen=True):
    """A living key, without its text."""

    id: str
    revision: int
    kind: str
    store: str
    origins: tuple[str, ...]


class Keys(msgspec.Struct, frozen=True):
    """An account's living keys."""

    data: list[ApiKeyView]


class Revoked(msgspec.Struct, frozen=True):
    """A key that is good for nothing any more."""

    id: str
    deleted: bool


def source_view(row: SourceRow, secrets: Sequence[str], uses: Mapping[str, int]) -> SourceView:
    """A source as the API shows it; one whose app was uninstalled is not active."""
    known = asdict(row) | {"active": row.active and row.uninstalled_at is None}
    return SourceView(**known, secrets=list(secrets), secret_uses={name: uses.get(name, 0) for name in secrets})


def key_view(key: KeyConfigured) -> ApiKeyView:
    """A key as the API shows it."""
    return ApiKeyView(key.id, key.revision, key.kind, key.store, key.origins)
