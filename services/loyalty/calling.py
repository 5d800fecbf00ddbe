"""The loop that tells shops: claim what is due, call outside any transaction, record; tried again after a plan."""

import asyncio
from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import httpx
import msgspec
import structlog
from msgspec.structs import replace
from sqlalchemy import bindparam, delete, select
from standardwebhooks import Webhook

from services.loyalty import tables
from services.loyalty.hook_records import Hook, HookCall
from shared.clock import machine_now
from shared.db import Instant, Query
from shared.service import Pace
from shared.vault import vault_of

if TYPE_CHECKING:
    from shared.running import Running

log = structlog.get_logger()
RETRIES = tuple(timedelta(seconds=after) for after in (5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400))
AT_ONCE = 20
TIMEOUT_SECONDS = 15
LEASE = timedelta(seconds=60)  # longer than a call may take
KEPT = timedelta(days=30)
_call = tables.hook_call
DUE = Query(
    select(_call.c.account, _call.c.id)
    .where(_call.c.state == "waiting", _call.c.due <= bindparam("now", type_=Instant()))
    .order_by(_call.c.due)
    .limit(AT_ONCE)
)
TIDY = Query(delete(_call).where(_call.c.state != "waiting", _call.c.due < bindparam("before", type_=Instant())))


class Outcome(msgspec.Struct, frozen=True):
    """How a call went: the status that was answered (0: none), and in a few words."""

    status: int
    said: str


class Calling:
    """Tells hooks what they want to hear, at least once: the receiver knows a call by its `webhook-id`."""

    pace = Pace(rest=0.5, wakes="")

    def __init__(self, running: "Running") -> None:
        self._db = running.db
        self._vault = vault_of(running.settings)
        self._tidied_on: datetime | None = None

    async def step(self) -> int:
        """Make the calls that are due; gives how many."""
        claimed = await self._claim()
        if not claimed:
            return 0
        async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS) as client:
            outcomes = await asyncio.gather(*(self._tell(client, *one) for one in claimed))
        await self._record([(call, outcome) for (call, _), outcome in zip(claimed, outcomes, strict=True)])
        return len(claimed)

    async def _claim(self) -> list[tuple[HookCall, Hook]]:
        """Calls that are due, put off for the time that calling takes, so that no other process makes them too."""
        now = machine_now()
        async with self._db.read() as reader:
            due = [(row[0], row[1]) for row in await reader.fetch(DUE, now=now)]
        if not due:
            return []
        async with self._db.write() as tx:
            found = await tx.fetch_by_keys(_call, sorted(due), HookCall, lock="wait")
            mine = [call for call in found if call.state == "waiting" and call.due <= now]
            await tx.upsert_many(_call, [replace(call, due=now + LEASE, attempts=call.attempts + 1) for call in mine])
            hooks = await tx.fetch_by_keys(tables.hook, {(call.account, call.hook) for call in mine}, Hook)
            if self._tidied_on is None or self._tidied_on < now - timedelta(hours=1):
                await tx.execute(TIDY, before=now - KEPT)
                self._tidied_on = now
        of = {(hook.account, hook.id): hook for hook in hooks}
        return [(call, of[call.account, call.hook]) for call in mine]

    async def _tell(self, client: httpx.AsyncClient, call: HookCall, hook: Hook) -> Outcome:
        """One call; raises nothing, since the outcomes of its neighbours hang on it."""
        if not hook.active:
            return Outcome(410, "the webhook was taken away")
        body, now = call.body.decode(), machine_now()
        try:
            signature = Webhook(self._vault.open(hook.secret)).sign(call.id, now, body)
            headers = {
                "content-type": "application/json",
                "webhook-id": call.id,
                "webhook-timestamp": str(int(now.timestamp())),
                "webhook-signature": signature,
            }
            async with asyncio.timeout(TIMEOUT_SECONDS):
                answered = await client.post(hook.url, content=call.body, headers=headers)
        except Exception as error:  # noqa: BLE001 - whatever it was, it is tried again
            return Outcome(0, type(error).__name__)
        return Outcome(answered.status_code, str(answered.status_code))

    async def _record(self, done: Sequence[tuple[HookCall, Outcome]]) -> None:
        now = machine_now()
        rows = [settled(replace(call, attempts=call.attempts + 1), outcome, now) for call, outcome in done]
        for row in rows:
            log.info("webhook called", webhook=row.hook, call=row.id, state=row.state, answered=row.answered)
        async with self._db.write() as tx:
            await tx.upsert_many(_call, rows)


def settled(call: HookCall, outcome: Outcome, now: datetime) -> HookCall:
    """A call after a try: sent, given up (410 Gone, or the plan is at its end), or due again."""
    if 200 <= outcome.status < 300:
        return replace(call, state="sent", due=now, answered=outcome.said)
    if outcome.status == 410 or call.attempts > len(RETRIES):
        return replace(call, state="failed", due=now, answered=outcome.said)
    return replace(call, due=now + RETRIES[call.attempts - 1], answered=outcome.said)
