"""Idempotency keys: the key's row and the effect commit together, so the same call twice is the same call once."""

from collections.abc import Sequence

import msgspec

from shared.clock import machine_now
from shared.db.base import Tx
from shared.errors import InProgress, Refused, Unavailable
from shared.tables import IdempotencyRow, KernelTables

KEY = ("account", "route", "key")


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


async def claim_new(tx: Tx, kernel: KernelTables, calls: Sequence[Remembered]) -> set[tuple[str, str, str]]:
    """Take the keys of several calls, each of its own; gives (account, route, key) of those never taken before."""
    now = machine_now()
    rows = [IdempotencyRow(call.account, call.route, call.key, call.body_hash, 0, b"", now) for call in calls]
    rows.sort(key=lambda row: (row.account, row.route, row.key))
    return {(row[0], row[1], row[2]) for row in await tx.insert_new(kernel.idempotency, rows, KEY)}


async def remember(tx: Tx, kernel: KernelTables, answers: Sequence[tuple[Remembered, int, bytes]]) -> None:
    """Keep each answer, its status and text, with the effect."""
    now = machine_now()
    rows = [
        IdempotencyRow(call.account, call.route, call.key, call.body_hash, status, text, now)
        for call, status, text in answers
    ]
    await tx.upsert_many(kernel.idempotency, rows)
