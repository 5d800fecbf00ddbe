"""Setting up: accounts, stores, sources with their secrets, and keys; each change is told on the set-up topic."""

import os
from datetime import datetime
from uuid import uuid4
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from msgspec.structs import replace

from services.ingest import tables
from services.ingest.connectors import CONNECTORS
from services.ingest.money import currency_of, exponent_of
from services.ingest.records import AccountSecretRow, SecretRow, SourceRow
from shared import tx as carrying
from shared.access import PREFIXES, digest_of, new_key
from shared.config import decode_config, take_config
from shared.db import Reader, Tx, new_id
from shared.errors import Refused, not_found
from shared.events import Event
from shared.events.base import fact_id
from shared.events.config import (
    AccountConfigured,
    ConfigFact,
    KeyConfigured,
    SigningKeyConfigured,
    StoreConfigured,
)
from shared.tables import ConfigRow
from shared.vault import Vault


def told(account: str, fact: ConfigFact, now: datetime) -> Event[ConfigFact]:
    """A fact about the set-up in its envelope."""
    cause = uuid4()
    return Event(
        id=fact_id(fact, cause, 0),
        fact=fact,
        account=account,
        store="",
        customer="",
        time=now,
        recorded=now,
        cause=cause,
    )


async def configure(tx: Tx, account: str, *facts: ConfigFact) -> None:
    """Keep facts about the set-up here and tell the other services."""
    events = [told(account, fact, tx.now) for fact in facts]
    await take_config(tx, tables.kernel, events)
    await carrying.emit(tx, tables.kernel, "ingest", events)


async def found(reader: Reader, kind: type[ConfigFact], account: str, name: str) -> ConfigFact:
    """A living thing of the set-up; raises Refused 404."""
    rows = await reader.fetch_by_keys(tables.kernel.config, [(account, name)], ConfigRow)
    if not rows or rows[0].deleted or rows[0].type != kind.type:
        raise not_found(kind.type.partition(".")[0], name)
    return decode_config(rows[0])


async def make_account(tx: Tx, vault: Vault, name: str) -> str:
    """Make an account with its own signing and hash keys; gives its id."""
    account, signing = new_id("acc"), new_id("sig")
    private = Ed25519PrivateKey.generate()
    text = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()).decode()
    public = private.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await tx.insert_many(tables.account_secret, [AccountSecretRow(account, signing, vault.seal(text), os.urandom(32))])
    await configure(
        tx,
        account,
        AccountConfigured(id=account, revision=1, name=name),
        SigningKeyConfigured(id=signing, revision=1, public_key=public),
    )
    return account


def checked_store(store: StoreConfigured) -> StoreConfigured:
    """The store with its currency's minor digits; raises Refused for an unknown currency or zone."""
    try:
        ZoneInfo(store.zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refused("unknown_zone", f"{store.zone!r} is no IANA time zone", pointer="/zone") from None
    currency = currency_of(store.currency, "")
    return replace(store, currency=currency, exponent=exponent_of(currency))


async def make_source(tx: Tx, vault: Vault, wanted: SourceRow, secret: str) -> str:
    """Make a source of a store's webhooks with its first secret; gives its id. Raises Refused without a verifier."""
    await found(tx, StoreConfigured, wanted.account, wanted.store)
    if wanted.kind not in CONNECTORS:
        raise Refused("unknown_platform", f"there is no connector for {wanted.kind!r}", pointer="/platform")
    await tx.insert_many(tables.source, [wanted])
    await add_secret(tx, vault, wanted.account, wanted.id, secret)
    return wanted.id


async def add_secret(tx: Tx, vault: Vault, account: str, source: str, secret: str) -> str:
    """Add a secret to a source, beside those it has; gives its id. Raises Refused for an empty or unknown one."""
    if not secret.strip():
        raise Refused("malformed", "a secret cannot be empty", status=400, pointer="/secret")
    if not await tx.fetch_by_keys(tables.source, [(account, source)], SourceRow):
        raise not_found("source", source)
    name = new_id("sec")
    await tx.insert_many(tables.source_secret, [SecretRow(account, source, name, vault.seal(secret), tx.now, True)])
    return name


async def drop_secret(tx: Tx, account: str, source: str, name: str) -> None:
    """Retire a secret; raises Refused 404, and 409 for the last one."""
    held = await tx.fetch_by_keys(tables.source_secret, [(account, source)], SecretRow, by=("account", "source"))
    living = {row.id: row for row in held if row.active}
    if name not in living:
        raise not_found("secret", name)
    if len(living) == 1:
        raise Refused("last_secret", "add another secret before you retire the last one", status=409)
    await tx.delete_by_keys(tables.source_secret, [(account, source, name)])


async def make_key(tx: Tx, account: str, kind: str, store: str = "", origins: tuple[str, ...] = ()) -> tuple[str, str]:
    """Make an API key; gives (id, text). Only its hash is kept, so the text is shown once."""
    kinds = {word: word for word in PREFIXES.values()}
    if kind not in kinds:
        raise Refused("malformed", "a key is of kind server or browser", status=400, pointer="/kind")
    if store:
        await found(tx, StoreConfigured, account, store)
    name, text = new_id("key"), new_key(kinds[kind])
    fact = KeyConfigured(id=name, revision=1, kind=kinds[kind], digest=digest_of(text), store=store, origins=origins)
    await configure(tx, account, fact)
    return name, text


async def revoke_key(tx: Tx, account: str, name: str) -> None:
    """Revoke an API key; raises Refused 404 for an unknown one."""
    key = await found(tx, KeyConfigured, account, name)
    await configure(tx, account, replace(key, revision=key.revision + 1, deleted=True))
