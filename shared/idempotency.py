"""Idempotency keys: the key's row and the effect commit together, so the same call twice is the same call once."""

import msgspec

from shared.clock import machine_now
from shared.db.base import Tx
from shared.errors import InProgress, Refused, Unavailable
from shared.tables import IdempotencyRow, KernelTables


class Remembered(msgspec.Struct, frozen=True):
    """What names a call: account, route, key, and the SHA-256 of its body."""

    account: str
    route: str
    key: str
    body_hash: bytes


async def claim(tx: Tx, kernel: KernelTables, call: Remembered) -> IdempotencyRow | None:
    """Take the key for this transaction, waiting for another that holds it; gives what it was answered before.

    Raises Refused 422 `idempotency_key_reused` when the key came with another body, InProgress after 5 s of waiting.
    """
    row = IdempotencyRow(call.account, call.route, call.key, call.body_hash, 0, b"", machine_now())
    if await _is_new(tx, kernel, row):
        return None
    found = await tx.fetch_by_keys(kernel.idempotency, [(call.account, call.route, call.key)], IdempotencyRow)
    if found[0].body_hash != call.body_hash:
        raise Refused("idempotency_key_reused", "this key came with another body before")
    return found[0]


async def _is_new(tx: Tx, kernel: KernelTables, row: IdempotencyRow) -> bool:
    try:
        return bool(await tx.insert_new(kernel.idempotency, [row], ("key",)))
    except Unavailable as error:
        if "LockNotAvailable" in str(error):
            raise InProgress from error
        raise


async def remember(tx: Tx, kernel: KernelTables, call: Remembered, status: int, text: bytes) -> None:
    """Keep the answer with the effect."""
    row = IdempotencyRow(call.account, call.route, call.key, call.body_hash, status, text, machine_now())
    await tx.upsert_many(kernel.idempotency, [row])
