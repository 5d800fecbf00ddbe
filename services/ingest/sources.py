"""Sources: where a store's webhooks come from, and the secrets they are signed with."""

from collections.abc import Mapping

import msgspec
from sqlalchemy import func, select

from services.ingest import tables
from services.ingest.records import SecretRow, SourceRow
from shared.db import Query, Reader
from shared.events import Lane
from shared.vault import Vault

SIGNED = "signed:"
_counter = tables.kernel.counter
_USES = Query(
    select(_counter.c.name, func.sum(_counter.c.value))
    .where(_counter.c.name.startswith(SIGNED))
    .group_by(_counter.c.name)
)


class Source(msgspec.Struct, frozen=True, kw_only=True):
    """A living source; `secrets` are its active ones, id → text."""

    id: str
    account: str
    store: str
    platform: str
    secrets: Mapping[str, str]
    lane: Lane = Lane.LIVE


async def source_of(reader: Reader, vault: Vault, name: str) -> Source | None:
    """The source with an id, None if there is none or it was switched off."""
    rows = await reader.fetch_by_keys(tables.source, [(name,)], SourceRow, by=("id",))
    if not rows or not rows[0].active:
        return None
    row = rows[0]
    held = await reader.fetch_by_keys(
        tables.source_secret, [(row.account, row.id)], SecretRow, by=("account", "source")
    )
    secrets = {secret.id: vault.open(secret.sealed) for secret in held if secret.active}
    return Source(id=row.id, account=row.account, store=row.store, platform=row.kind, secrets=secrets)


async def secret_uses(reader: Reader) -> dict[str, int]:
    """How many deliveries each secret has signed, by the secret's id, over all accounts."""
    return {str(name).removeprefix(SIGNED): int(uses) for name, uses in await reader.fetch(_USES)}
