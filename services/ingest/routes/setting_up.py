"""Accounts, stores, sources and keys over HTTP."""

import hmac
from typing import Annotated

from fastapi import Path, Request
from pydantic import BaseModel, ConfigDict, Field

from services.ingest import access, tables
from services.ingest.records import SecretRow, SourceRow
from services.ingest.routes.changing import KEYED, change
from services.ingest.routes.shown import (
    Closed,
    Keys,
    NewKey,
    NewSecret,
    NewSource,
    Revoked,
    Sources,
    Stores,
    key_view,
    source_view,
)
from services.ingest.setup import NewStore, Wanted, make_store
from services.ingest.sources import secret_uses
from shared.access import ServerKey, bearer, unauthorized
from shared.config import ConfigList
from shared.db import Tx, new_id
from shared.errors import not_found
from shared.events.config import KeyConfigured, StoreConfigured
from shared.openapi import Answer, Router
from shared.vault import vault_of
from shared.web import answer, reading, running_of

router = Router(tags=["set-up"])
Name = Annotated[str, Path(max_length=80)]
Text = Annotated[str, Field(max_length=500)]
_things = ConfigList(tables.kernel)


class Asked(BaseModel):
    """The base of all bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid")


class StoreBody(Asked):
    """A shop: ISO 4217 currency, IANA zone, BCP 47 locale; address and e-mail stand in mails."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    currency: Annotated[str, Field(min_length=3, max_length=3)]
    zone: Annotated[str, Field(min_length=1, max_length=64)]
    locale: Annotated[str, Field(min_length=2, max_length=35)]
    url: Text = ""
    email: Text = ""
    postal_address: Text = ""


class AccountBody(Asked):
    """A company and its first shop."""

    name: Annotated[str, Field(min_length=1, max_length=200)]
    store: StoreBody


class SourceBody(Asked):
    """Where a shop's webhooks come from, and what they are signed with."""

    store: Text
    platform: Text
    secret: Annotated[str, Field(min_length=1, max_length=500)]
    name: Text = ""


class SecretBody(Asked):
    """A further secret, to stand beside the old one while the platform is switched over."""

    secret: Annotated[str, Field(min_length=1, max_length=500)]


class KeyBody(Asked):
    """An API key of the account, or of one store; `origins` are the web origins a browser key may be used from."""

    kind: Text
    store: Text = ""
    origins: tuple[Text, ...] = ()


@router.post("/v1/accounts", status_code=201, openapi_extra={**KEYED, "security": [{"operator_key": []}]})
async def create_account(request: Request, body: AccountBody) -> Answer[NewStore]:
    """Make a company with a first shop, under the operator's key; its keys are shown this once."""
    vault = vault_of(running_of(request).settings)
    given = bearer(request.headers.get("authorization", ""))
    if not hmac.compare_digest(given.encode(), vault.operator_key().encode()):
        raise unauthorized("accounts are made with the operator's key")

    async def act(tx: Tx) -> NewStore:
        return await make_store(tx, vault, Wanted(account_name=body.name, **body.store.model_dump()))

    return await change(request, "", act, status=201)


@router.get("/v1/stores")
async def list_stores(request: Request, caller: ServerKey) -> Answer[Stores]:
    """The account's stores."""
    async with reading(request) as reader:
        return answer(Stores(await _things.of_account(reader, StoreConfigured, caller.account)))


@router.post("/v1/stores", status_code=201, openapi_extra=KEYED)
async def create_store(request: Request, body: StoreBody, caller: ServerKey) -> Answer[StoreConfigured]:
    """Make a store."""

    async def act(tx: Tx) -> StoreConfigured:
        store = access.checked_store(StoreConfigured(id=new_id("sto"), revision=1, **body.model_dump()))
        await access.configure(tx, caller.account, store)
        return store

    return await change(request, caller.account, act, status=201)


@router.put("/v1/stores/{store}", openapi_extra=KEYED)
async def change_store(request: Request, store: Name, body: StoreBody, caller: ServerKey) -> Answer[StoreConfigured]:
    """Change a store."""

    async def act(tx: Tx) -> StoreConfigured:
        before = await access.found(tx, StoreConfigured, caller.account, store)
        after = StoreConfigured(id=store, revision=before.revision + 1, **body.model_dump())
        await access.configure(tx, caller.account, access.checked_store(after))
        return after

    return await change(request, caller.account, act)


@router.get("/v1/sources")
async def list_sources(request: Request, caller: ServerKey) -> Answer[Sources]:
    """The account's sources with the ids of their secrets, and how many deliveries each of these has signed."""
    by = ("account",)
    async with reading(request) as reader:
        sources = await reader.fetch_by_keys(tables.source, [(caller.account,)], SourceRow, by=by)
        secrets = await reader.fetch_by_keys(tables.source_secret, [(caller.account,)], SecretRow, by=by)
        uses = await secret_uses(reader)
    held: dict[str, list[str]] = {}
    for secret in sorted(secrets, key=lambda secret: secret.id):
        held.setdefault(secret.source, []).append(secret.id)
    rows = sorted(sources, key=lambda row: row.id)
    return answer(Sources([source_view(row, held.get(row.id, []), uses) for row in rows]))


@router.post("/v1/sources", status_code=201, openapi_extra=KEYED)
async def create_source(request: Request, body: SourceBody, caller: ServerKey) -> Answer[NewSource]:
    """Make a source; the address for the platform comes back."""
    vault = vault_of(running_of(request).settings)

    async def act(tx: Tx) -> NewSource:
        name = body.name or body.platform
        row = SourceRow(caller.account, new_id("src"), body.store, body.platform, name, True, tx.now)
        await access.make_source(tx, vault, row, body.secret)
        return NewSource(row.id, f"/webhooks/{body.platform}/{row.id}")

    return await change(request, caller.account, act, status=201)


@router.delete("/v1/sources/{source}", openapi_extra=KEYED)
async def close_source(request: Request, source: Name, caller: ServerKey) -> Answer[Closed]:
    """Switch a source off: its webhooks are refused from now on."""

    async def act(tx: Tx) -> Closed:
        rows = await tx.fetch_by_keys(tables.source, [(caller.account, source)], SourceRow)
        if not rows:
            raise not_found("source", source)
        await tx.update_many(
            tables.source, by=("account", "id"), columns=("active",), rows=[(caller.account, source, False)]
        )
        return Closed(source, active=False)

    return await change(request, caller.account, act)


@router.post("/v1/sources/{source}/secrets", status_code=201, openapi_extra=KEYED)
async def add_secret(request: Request, source: Name, body: SecretBody, caller: ServerKey) -> Answer[NewSecret]:
    """Add a secret; both count until the old one is retired."""
    vault = vault_of(running_of(request).settings)

    async def act(tx: Tx) -> NewSecret:
        return NewSecret(await access.add_secret(tx, vault, caller.account, source, body.secret))

    return await change(request, caller.account, act, status=201)


@router.delete("/v1/sources/{source}/secrets/{secret}", openapi_extra=KEYED)
async def retire_secret(request: Request, source: Name, secret: Name, caller: ServerKey) -> Answer[Closed]:
    """Retire a secret, but never the last."""

    async def act(tx: Tx) -> Closed:
        await access.drop_secret(tx, caller.account, source, secret)
        return Closed(secret, active=False)

    return await change(request, caller.account, act)


@router.get("/v1/keys")
async def list_keys(request: Request, caller: ServerKey) -> Answer[Keys]:
    """The account's living keys, without their text."""
    async with reading(request) as reader:
        keys = await _things.of_account(reader, KeyConfigured, caller.account)
    return answer(Keys([key_view(key) for key in keys]))


@router.post("/v1/keys", status_code=201, openapi_extra=KEYED)
async def create_key(request: Request, body: KeyBody, caller: ServerKey) -> Answer[NewKey]:
    """Make a key; its text is shown this once."""

    async def act(tx: Tx) -> NewKey:
        name, text = await access.make_key(tx, caller.account, body.kind, body.store, body.origins)
        return NewKey(name, body.kind, body.store, text)

    return await change(request, caller.account, act, status=201)


@router.delete("/v1/keys/{key}", openapi_extra=KEYED)
async def revoke_key(request: Request, key: Name, caller: ServerKey) -> Answer[Revoked]:
    """Revoke a key, for good."""

    async def act(tx: Tx) -> Revoked:
        await access.revoke_key(tx, caller.account, key)
        return Revoked(key, deleted=True)

    return await change(request, caller.account, act)
