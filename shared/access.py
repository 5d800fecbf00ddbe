"""Who calls: server keys, browser keys and customer tokens, judged by what this service has stored of the set-up."""

import hashlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, Literal

import jwt
import msgspec
from fastapi import Depends, Request

from shared.characters import unkept
from shared.clock import machine_seconds
from shared.config import key_by_digest, signing_key
from shared.errors import Refused, not_found
from shared.events.config import KeyConfigured
from shared.naming import PREFIX, customer_behind

if TYPE_CHECKING:
    from shared.running import Running

KEPT_SECONDS = 2.0
PREFIXES: dict[str, Literal["server", "browser"]] = {"qs_": "server", "qb_": "browser"}


class Caller(msgspec.Struct, frozen=True):
    """Who a request speaks for; `customer` only for a customer token, `store` '' for a key of the whole account."""

    account: str
    kind: Literal["server", "browser", "customer"]
    key: str
    store: str = ""
    customer: str = ""
    origins: tuple[str, ...] = ()


def new_key(kind: Literal["server", "browser"]) -> str:
    """The text of a new 256-bit API key; its prefix shows the kind."""
    return ("qs_" if kind == "server" else "qb_") + secrets.token_urlsafe(32)


def digest_of(key: str) -> str:
    """What is stored of a key: its SHA-256 in hex."""
    return hashlib.sha256(key.encode()).hexdigest()


def bearer(authorization: str) -> str:
    """The token of an `Authorization: Bearer` header; raises Refused 401."""
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise unauthorized("give a key or token as `Authorization: Bearer …`")
    return token.strip()


def unauthorized(message: str) -> Refused:
    """A 401."""
    return Refused("unauthorized", message, status=401)


class Access:
    """Judges keys and tokens for one service, remembering the answer for two seconds."""

    def __init__(self, running: "Running", catch_up: Callable[[], Awaitable[bool]]) -> None:
        self._running = running
        self._catch_up = catch_up
        self._known: dict[str, tuple[float, Caller]] = {}

    async def caller(self, token: str) -> Caller:
        """Who a key or customer token speaks for; raises Refused 401."""
        known = self._known.get(token)
        if known is not None and machine_seconds() - known[0] < KEPT_SECONDS:
            return known[1]
        found = await self._look_up(token)
        if found is None and await self._catch_up():
            found = await self._look_up(token)
        if found is None:
            raise unauthorized("this key or token is not valid")
        if len(self._known) > 10_000:
            self._known.clear()
        self._known[token] = (machine_seconds(), found)
        return found

    async def _look_up(self, token: str) -> Caller | None:
        return await self._key(token) if token[:3] in PREFIXES else await self._token(token)

    async def _key(self, token: str) -> Caller | None:
        async with self._running.db.read() as reader:
            found = await key_by_digest(reader, self._running.kernel, digest_of(token))
        if found is None:
            return None
        account, key = found
        return _caller_of(account, key)

    async def _token(self, token: str) -> Caller | None:
        try:
            claims = jwt.decode(token, options={"verify_signature": False})
            if next(unkept(claims), None) is not None:
                return None
            account = str(claims["iss"])
            async with self._running.db.read() as reader:
                key = await signing_key(reader, self._running.kernel, account)
            if key is None:
                return None
            claims = jwt.decode(token, key.public_key, algorithms=["EdDSA"], audience="querencia", issuer=account)
        except (jwt.PyJWTError, KeyError):
            return None
        return Caller(account, "customer", "", str(claims.get("store", "")), str(claims["sub"]))


def _caller_of(account: str, key: KeyConfigured) -> Caller:
    return Caller(account, key.kind, key.id, key.store, "", key.origins)


async def any_caller(request: Request) -> Caller:
    """Dependency: whoever has a valid key or token."""
    running: Running = request.state.running
    return await running.access.caller(bearer(request.headers.get("authorization", "")))


async def server_key(request: Request) -> Caller:
    """Dependency: a server key, else 403."""
    caller = await any_caller(request)
    if caller.kind != "server":
        raise Refused("forbidden", "this needs a server key", status=403)
    return caller


async def member_or_server(request: Request) -> Caller:
    """Dependency: a customer token or a server key, else 403."""
    caller = await any_caller(request)
    if caller.kind == "browser":
        raise Refused("forbidden", "a browser key may only send behaviour", status=403)
    return caller


ServerKey = Annotated[Caller, Depends(server_key, scope="function")]
MemberOrServer = Annotated[Caller, Depends(member_or_server, scope="function")]


async def customer_of(request: Request, caller: Caller, name: str) -> str:
    """The customer id that a path or body names: `me` under a token, our id, or a store's (`ext:<store>:<id>`).

    Raises Refused: 403 under another customer's token, 404 for a name that is nobody's.
    """
    if name.startswith(PREFIX):
        running: Running = request.state.running
        async with running.db.read() as reader:
            found = await customer_behind(reader, running.kernel, caller.account, name)
        if not found and caller.kind != "customer":
            raise not_found("customer", name)
        name = found or name
    return customer_named(caller, name)


def customer_named(caller: Caller, name: str) -> str:
    """The customer id that a path or body names: `me` under a customer token, else an id; raises Refused 403 or 404."""
    if caller.kind == "customer":
        if name not in ("me", caller.customer):
            raise Refused("forbidden", "a customer token sees its own customer only", status=403)
        return caller.customer
    if not name.startswith("cus_"):
        raise Refused("not_found", f"no customer {name!r}", status=404)
    return name
