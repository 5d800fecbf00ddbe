"""Calls that change the set-up: under an Idempotency-Key, their answers kept sealed, since some hold a new key."""

import hashlib
from collections.abc import Awaitable, Callable
from typing import Any, TypeVar

import msgspec
from fastapi import Request

from shared.db import Tx
from shared.errors import Refused
from shared.idempotency import Remembered, claim, remember
from shared.openapi import Answer
from shared.vault import vault_of
from shared.web import running_of

KEYED: dict[str, Any] = {"x-idempotency": "key"}
Body = TypeVar("Body")
Act = Callable[[Tx], Awaitable[Body]]


async def change(request: Request, account: str, act: Act[Body], *, status: int = 200) -> Answer[Body]:
    """Do `act` once for each Idempotency-Key; a repeat is answered as the first was. Raises Refused without a key."""
    running = running_of(request)
    vault = vault_of(running.settings)
    key = request.headers.get("idempotency-key", "")
    if not 0 < len(key) <= 255:
        raise Refused("idempotency_key_missing", "give an Idempotency-Key of 1 to 255 characters", status=400)
    route = f"{request.method} {request.url.path}"
    call = Remembered(account, route, key, hashlib.sha256(await request.body()).digest())
    async with running.db.write() as tx:
        known = await claim(tx, running.kernel, call)
        if known is not None:
            text = vault.open(known.answer).encode()
            return Answer(text, known.status, {"idempotency-replayed": "true"}, "application/json")
        text = msgspec.json.encode(await act(tx))
        await remember(tx, running.kernel, [(call, status, vault.seal(text.decode()))])
    running.relay.news.set()
    return Answer(text, status, media_type="application/json")
