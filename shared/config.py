"""The set-up as every service keeps it: accounts, stores, keys, signing keys, from ingest's config topic."""

from collections.abc import Iterable, Sequence
from typing import TypeVar, cast

import msgspec
from sqlalchemy import bindparam, select

from shared.db.base import Query, Reader, Tx
from shared.events.base import CATALOGUE, Event, encode
from shared.events.config import ConfigFact, KeyConfigured, SigningKeyConfigured, StoreConfigured
from shared.tables import ConfigRow, KernelTables
from shared.workset import Work

Thing = TypeVar("Thing", bound=ConfigFact)
_store = msgspec.json.Decoder(StoreConfigured).decode
_key = msgspec.json.Decoder(KeyConfigured).decode


def config_row(account: str, fact: ConfigFact) -> ConfigRow:
    """A config fact as it is kept."""
    lookup = fact.digest if isinstance(fact, KeyConfigured) else ""
    return ConfigRow(account, fact.id, fact.type, fact.revision, fact.deleted, lookup, encode(fact))


async def take_config(tx: Tx, kernel: KernelTables, events: Iterable[Event[ConfigFact]]) -> None:
    """Keep the newest revision of each thing of the set-up."""
    newest: dict[tuple[str, str], ConfigRow] = {}
    for event in events:
        row = config_row(event.account, event.fact)
        known = newest.get((row.account, row.id))
        if known is None or known.revision < row.revision:
            newest[row.account, row.id] = row
    held = await tx.fetch_by_keys(kernel.config, newest, ConfigRow)
    for row in held:
        if row.revision >= newest[row.account, row.id].revision:
            del newest[row.account, row.id]
    await tx.upsert_many(kernel.config, list(newest.values()))


async def stores_of(
    reader: Reader, kernel: KernelTables, work: Sequence[Work]
) -> dict[tuple[str, str], StoreConfigured]:
    """The stores that a batch names, by (account, store)."""
    keys = {(item.account, item.store) for item in work if item.store}
    rows = await reader.fetch_by_keys(kernel.config, keys, ConfigRow)
    return {(row.account, row.id): _store(row.body) for row in rows if row.type == StoreConfigured.type}


async def key_by_digest(reader: Reader, kernel: KernelTables, digest: str) -> tuple[str, KeyConfigured] | None:
    """(account, key) of a living API key by the SHA-256 (hex) of its text."""
    rows = await reader.fetch_by_keys(kernel.config, [(digest,)], ConfigRow, by=("lookup",))
    living = [row for row in rows if not row.deleted and row.type == KeyConfigured.type]
    return (living[0].account, _key(living[0].body)) if living else None


def decode_config(row: ConfigRow) -> ConfigFact:
    """The fact that a row of the set-up keeps."""
    fact = msgspec.json.decode(row.body, type=CATALOGUE[row.type])
    return cast(ConfigFact, fact)


class ConfigList:
    """Lists things of one kind of one account."""

    def __init__(self, kernel: KernelTables) -> None:
        table = kernel.config
        chosen = select(*table.columns).where(table.c.type == bindparam("type"), table.c.deleted.is_(False))
        self._of_account = Query(chosen.where(table.c.account == bindparam("account")).order_by(table.c.id))
        self._everywhere = Query(chosen.order_by(table.c.account, table.c.id))

    async def of_account(self, reader: Reader, kind: type[Thing], account: str) -> list[Thing]:
        """Living things of one kind of one account, by id."""
        rows = await reader.fetch(self._of_account, type=kind.type, account=account)
        return [thing for row in rows if isinstance(thing := decode_config(ConfigRow(*row)), kind)]

    async def everywhere(self, reader: Reader, kind: type[ConfigFact]) -> list[tuple[str, ConfigFact]]:
        """(account, thing) of one kind over all accounts."""
        rows = [ConfigRow(*row) for row in await reader.fetch(self._everywhere, type=kind.type)]
        return [(row.account, decode_config(row)) for row in rows]


async def signing_key(reader: Reader, kernel: KernelTables, account: str) -> SigningKeyConfigured | None:
    """The key that an account's customer tokens are checked with."""
    found = await ConfigList(kernel).of_account(reader, SigningKeyConfigured, account)
    return found[-1] if found else None
