"""Customers over HTTP: who they are, tokens for them, merges, splits, erasure."""

from datetime import datetime, timedelta
from typing import Annotated
from uuid import uuid4

import jwt
import msgspec
from fastapi import Path, Query, Request
from pydantic import Field
from sqlalchemy import bindparam, select

from services.ingest import erasure, merging, tables
from services.ingest.claims import KeyKind, Trust
from services.ingest.desk import IngestDesk
from services.ingest.loading import external
from services.ingest.records import AccountSecretRow, CustomerRow, IdentityKeyRow, values
from services.ingest.routes.changing import KEYED
from services.ingest.routes.setting_up import Asked
from shared.access import Caller, MemberOrServer, ServerKey, customer_named
from shared.clock import machine_now
from shared.db import Query as Compiled
from shared.db import Reader
from shared.errors import Refused, not_found
from shared.openapi import Answer, Router
from shared.tables import AliasRow
from shared.vault import vault_of
from shared.web import MOST_PER_PAGE, Page, answer, page, perform, read_cursor, reading, running_of
from shared.workset import Command

router = Router(tags=["customers"])
Name = Annotated[str, Path(max_length=700)]
_customer = tables.customer
_LIST = Compiled(
    select(*_customer.columns)
    .where(
        _customer.c.account == bindparam("account"),
        _customer.c.merged_into == "",
        _customer.c.customer > bindparam("after"),
    )
    .order_by(_customer.c.customer)
    .limit(bindparam("most"))
)


class TokenBody(Asked):
    """For whom (`cus_…` or `ext:<store>:<id>`) and for how many seconds a token is."""

    customer: Annotated[str, Field(min_length=1, max_length=700)]
    seconds: Annotated[int, Field(ge=60, le=86_400)] = 3600


class MergeBody(Asked):
    """The other customer."""

    other: Annotated[str, Field(min_length=1, max_length=80)]


class SplitBody(Asked):
    """The customer that had been merged and is to be one of its own again."""

    merged: Annotated[str, Field(min_length=1, max_length=80)]


class EraseBody(Asked):
    """Nothing has to be said to be forgotten."""


class CustomerName(msgspec.Struct, frozen=True):
    """A name that a customer goes by; of a store, or of the whole account ('')."""

    kind: KeyKind
    store: str
    value: str


class CustomerConsent(msgspec.Struct, frozen=True):
    """The newest word on a channel and purpose, and since when it holds."""

    granted: bool
    at: datetime


class CustomerView(msgspec.Struct, frozen=True, kw_only=True):
    """A customer; `consents` by channel:purpose, `verified` unless only a browser vouches for them."""

    id: str
    recorded_at: datetime
    erased_at: datetime | None
    verified: bool
    keys: list[CustomerName]
    profile: dict[str, str]
    consents: dict[str, CustomerConsent]


class Erased(msgspec.Struct, frozen=True):
    """A customer who is forgotten since then."""

    id: str
    erased_at: datetime


class Merged(msgspec.Struct, frozen=True):
    """Who two customers are now."""

    id: str


class Split(msgspec.Struct, frozen=True):
    """The new customer that a split has made, and whom it was taken from."""

    id: str
    survivor: str


class Token(msgspec.Struct, frozen=True):
    """A token, for whom it is and until when."""

    token: str
    customer: str
    expires_at: datetime


async def known(reader: Reader, account: str, name: str) -> CustomerRow:
    """The customer behind an id of ours or a store's, after merges; raises Refused 404."""
    key = external(name)
    if key is not None:
        held = await reader.fetch_by_keys(
            tables.identity_key, [(account, key.kind, key.store, key.value)], IdentityKeyRow
        )
        name = held[0].customer if held else ""
    while alias := await reader.fetch_by_keys(tables.kernel.alias, [(account, name)], AliasRow):
        name = alias[0].survivor
    rows = await reader.fetch_by_keys(tables.customer, [(account, name)], CustomerRow)
    if not rows:
        raise not_found("customer", name)
    return rows[0]


def shown(row: CustomerRow) -> CustomerView:
    """A customer as the API shows it."""
    return CustomerView(
        id=row.id,
        recorded_at=row.recorded,
        erased_at=row.erased_at,
        verified=row.verified,
        keys=[CustomerName(key.kind, key.store, key.value) for key in row.keys],
        profile=values(row),
        consents={name: CustomerConsent(held.granted, held.at) for name, held in row.consents.items()},
    )


@router.get("/v1/customers")
async def list_customers(
    request: Request,
    caller: ServerKey,
    limit: Annotated[int, Query(ge=1, le=MOST_PER_PAGE)] = 50,
    cursor: Annotated[str, Query(max_length=400)] = "",
) -> Answer[Page[CustomerView]]:
    """The account's customers, in the order they were first known."""
    after = read_cursor(cursor, tuple[str])[0] if cursor else ""
    async with reading(request) as reader:
        rows = await reader.fetch(_LIST, account=caller.account, after=after, most=limit + 1)
    found = [CustomerRow(*row) for row in rows]
    return answer(page(found, limit, lambda row: (row.id,)).each(shown))


@router.get("/v1/customers/{customer}")
async def get_customer(request: Request, customer: Name, caller: MemberOrServer) -> Answer[CustomerView]:
    """One customer, under a server key or that customer's own token."""
    async with reading(request) as reader:
        if caller.kind == "customer":
            return answer(shown(await _own(reader, caller, customer)))
        return answer(shown(await known(reader, caller.account, customer)))


async def _own(reader: Reader, caller: Caller, name: str) -> CustomerRow:
    """The customer of a token, under any name of theirs; raises Refused 403 for another's, known or not."""
    mine = await known(reader, caller.account, caller.customer)
    if external(name) is None:
        customer_named(caller, name)
        return mine
    try:
        named = await known(reader, caller.account, name)
    except Refused:
        named = None
    if named is None or named.id != mine.id:
        raise Refused("forbidden", "a customer token sees its own customer only", status=403)
    return mine


async def _found(request: Request, caller: Caller, name: str) -> str:
    async with reading(request) as reader:
        return (await known(reader, caller.account, name)).id


@router.post("/v1/customers/{customer}/erase", openapi_extra=KEYED)
async def erase_customer(
    request: Request, customer: Name, caller: ServerKey, body: EraseBody | None = None
) -> Answer[Erased]:
    """Forget a customer, everywhere; what they did before never comes back."""

    def judge(command: Command, desk: IngestDesk) -> Erased:
        person = desk.person(command.customer)
        if person.erased_at is None:
            erasure.erase(desk, person, command.time)
        return Erased(person.id, person.erased_at or command.time)

    return await perform(request, caller=caller, customer=await _found(request, caller, customer), judge=judge)


@router.post("/v1/customers/{customer}/merge", openapi_extra=KEYED)
async def merge_customers(request: Request, customer: Name, body: MergeBody, caller: ServerKey) -> Answer[Merged]:
    """Make two customers one."""
    one, other = await _found(request, caller, customer), await _found(request, caller, body.other)

    def judge(command: Command, desk: IngestDesk) -> Merged:
        return Merged(merging.merge(desk, command.customer, other))

    return await perform(request, caller=caller, customer=one, about=other, judge=judge)


@router.post("/v1/customers/{customer}/split", openapi_extra=KEYED)
async def split_customer(request: Request, customer: Name, body: SplitBody, caller: ServerKey) -> Answer[Split]:
    """Undo a merge: names and orders go back, to a new customer id."""

    def judge(command: Command, desk: IngestDesk) -> Split:
        return Split(merging.split(desk, command.customer, body.merged), command.customer)

    named = await _found(request, caller, customer)
    return await perform(request, caller=caller, customer=named, about=body.merged, judge=judge)


@router.post("/v1/customer-tokens", status_code=201, openapi_extra={"x-idempotency": "natural"})
async def create_token(request: Request, body: TokenBody, caller: ServerKey) -> Answer[Token]:
    """A token (EdDSA JWT) by which a front end acts for one customer; a store's key names its own ids only."""
    key = external(body.customer)
    if key is not None and caller.store and key.store != caller.store:
        raise Refused("forbidden", "this key names customers of its own store only", status=403)
    customer = await _token_customer(request, caller, body.customer)
    running = running_of(request)
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.account_secret, [(caller.account,)], AccountSecretRow)
    now = machine_now()
    until = now + timedelta(seconds=body.seconds)
    claims = {
        "iss": caller.account,
        "aud": "querencia",
        "sub": customer,
        "store": key.store if key is not None else caller.store,
        "iat": now,
        "exp": until,
    }
    token = jwt.encode(claims, vault_of(running.settings).open(rows[0].sealed), "EdDSA", {"kid": rows[0].signing_key})
    return answer(Token(token, customer, until), 201)


async def _token_customer(request: Request, caller: Caller, name: str) -> str:
    """The customer a token is for; one whom a store names for the first time is made."""
    key = external(name)
    try:
        return await _found(request, caller, name)
    except Refused:
        if key is None:
            raise
    running = running_of(request)

    def judge(command: Command, desk: IngestDesk) -> str:
        if (caller.account, key.store) not in desk.stores:
            raise not_found("store", key.store)
        return desk.recognise((key,), Trust.VERIFIED, command.time)

    async with running.db.write() as tx:
        call = Command(account=caller.account, customer="", store=key.store, id=uuid4(), time=tx.now, about=name)
        made: str = await running.command(tx, call, judge)
    return made
