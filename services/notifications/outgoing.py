"""Handing over: claim in one transaction, call the channel outside any, record in a second one."""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from uuid import uuid5

import structlog
from sqlalchemy import bindparam, exists, select

from services.notifications import tables
from services.notifications.channels import CHANNELS, Channel, Fate, Outcome
from services.notifications.desk import HAND_OVER, SETTLE, Desk
from services.notifications.ledger import TOO_LATE, look_again, settle
from services.notifications.letters import Bureau, Handed, write
from services.notifications.records import Message, MessageState, Shred
from services.notifications.tokens import Tokens
from shared.clock import machine_seconds
from shared.db.base import Query
from shared.errors import Unavailable
from shared.events.base import NAMESPACE
from shared.observe import METRICS
from shared.settings import Settings
from shared.tracing import TRACING
from shared.work import Judge
from shared.workset import Due

if TYPE_CHECKING:
    from shared.running import Running

log = structlog.get_logger()
LEASE = timedelta(seconds=60)  # longer than a channel takes for one letter
LOOK_SECONDS = 5.0

_message, _parked = tables.message, tables.kernel.parked
_waits = exists().where(_parked.c.account == _message.c.account, _parked.c.customer == _message.c.customer)
CLAIMED = Query(
    select(*_message.columns)
    .where(_message.c.state == MessageState.CLAIMED.value, _message.c.channel == bindparam("by_channel"), ~_waits)
    .order_by(_message.c.claimed_at, _message.c.valid_until, _message.c.id)
    .limit(bindparam("most"))
)
LOST = Query(
    select(*_message.columns).where(
        _message.c.state == MessageState.HANDING_OVER.value, _message.c.handed_at <= bindparam("before"), ~_waits
    )
)
SHREDS = Query(select(*tables.shred.columns).limit(100))
KEY = Query(select(tables.house.c.key))


class HandOver:
    """Sends what is claimed, each message by its channel; what was under way when a process died is settled."""

    def __init__(self, running: "Running", channels: Mapping[str, Callable[[Settings], Channel]] = CHANNELS) -> None:
        self._running = running
        self._db = running.db
        service = replace(running.service, timers={HAND_OVER: look_again, SETTLE: settle})
        self._judge = Judge(service, running.writer)
        self._channels = {name: make(running.settings) for name, make in channels.items()}
        self._bureau: Bureau | None = None
        self._unrecorded: list[Due] = []
        self._looked_at = float("-inf")
        self._alone = running.db.dialect.name == "sqlite"

    async def step(self) -> int:
        """Hand over some messages; gives how many moved."""
        await self._record()
        moved = await self._settle_lost() + await self._shred()
        handed = await self._claim()
        for name in self._channels.keys() - {one.message.channel for one in handed}:
            await self._channels[name].close()
        if not handed:
            return moved
        outcomes = await asyncio.gather(*(self._send(one) for one in handed))
        self._unrecorded = [self._settled(one.message, outcome) for one, outcome in zip(handed, outcomes, strict=True)]
        for one, outcome in zip(handed, outcomes, strict=True):
            METRICS.messages.labels(one.message.channel, outcome.fate.value).inc()
        await self._record()
        return moved + len(handed)

    async def _claim(self) -> list[Handed]:
        """Take a last look at the next messages and write down that their bytes are about to go out."""
        found: list[Message] = []
        async with self._db.read() as reader:
            for name, channel in self._channels.items():
                rows = await reader.fetch(CLAIMED, by_channel=name, most=channel.at_once)
                found += [tables.message_row(*row) for row in rows]
        if not found:
            return []
        async with self._db.write() as tx:
            desk = await self._judge.judge(tx, [_due(HAND_OVER, message, tx.now, {}) for message in found])
        return [Handed(*row) for row in desk.handed.rows] if isinstance(desk, Desk) else []

    async def _send(self, handed: Handed) -> Outcome:
        """Write a letter and hand it over; raises nothing, since the outcomes of its neighbours hang on it."""
        try:
            letter = write(await self._writing(), handed)
        except Unavailable:
            return Outcome(Fate.REFUSED_FOR_NOW, "not written yet")
        except Exception as fault:  # noqa: BLE001 - nothing has gone out, whatever it was
            step, version = handed.message.step, str(handed.message.version)
            METRICS.render_errors.labels(step, version).inc()
            log.warning("render_error", template=step, version=version, fault=str(fault))
            return Outcome(Fate.REFUSED, f"render_error: {fault}")
        message = handed.message
        span = TRACING.opens(f"send {message.channel} {message.step}", message.trace, kind="client")
        try:
            outcome = await self._channels[message.channel].send(letter)
        except Exception as fault:
            log.exception("hand_over_failed", message=message.id, trace=message.trace)
            outcome = Outcome(Fate.UNKNOWN, f"our code failed while handing over: {type(fault).__name__}")
        span.end(well=outcome.fate is Fate.ACCEPTED, outcome=outcome.fate.value)
        return outcome

    async def _writing(self) -> Bureau:
        if self._bureau is None:
            async with self._db.read() as reader:
                row = await reader.fetch_one(KEY)
            settings = self._running.settings
            tokens = Tokens(row[0] if row else b"")
            self._bureau = Bureau(settings.mail_from, settings.public_url.rstrip("/"), tokens)
        return self._bureau

    async def _record(self) -> None:
        """Write down what became of the letters; kept for the next step if the database is away."""
        if not self._unrecorded:
            return
        async with self._db.write() as tx:
            desk = await self._judge.judge(tx, self._unrecorded)
        METRICS.sent_after_known_purchase.inc(desk.counts[TOO_LATE] if desk is not None else 0)
        self._unrecorded = []

    async def _settle_lost(self) -> int:
        """Settle what no process is handing over any more."""
        if machine_seconds() - self._looked_at < LOOK_SECONDS:
            return 0
        first = self._looked_at == float("-inf")
        self._looked_at = machine_seconds()
        async with self._db.read() as reader:
            lease = timedelta() if first and self._alone else LEASE
            before = await reader.machine_now() - lease
            lost = [tables.message_row(*row) for row in await reader.fetch(LOST, before=before)]
        self._unrecorded = [self._settled(message, await self._find(message)) for message in lost]
        await self._record()
        return len(lost)

    async def _find(self, message: Message) -> Outcome:
        found = await self._channels[message.channel].find(message.id)
        return found or Outcome(Fate.UNKNOWN, "we stopped while handing over")

    def _settled(self, message: Message, outcome: Outcome) -> Due:
        payload = {
            "fate": outcome.fate.value,
            "detail": outcome.detail,
            "no_such_address": outcome.no_such_address,
        }
        return _due(SETTLE, message, self._running.clock.now(), payload)

    async def _shred(self) -> int:
        """Remove letters of erased customers from where their channels keep them."""
        async with self._db.read() as reader:
            rows = [Shred(*row) for row in await reader.fetch(SHREDS)]
        for row in rows:
            await self._channels[row.channel].forget(row.message)
        if rows:
            async with self._db.write() as tx:
                await tx.delete_by_keys(tables.shred, [(row.account, row.message) for row in rows])
        return len(rows)


def _due(kind: str, message: Message, now: datetime, payload: dict[str, Any]) -> Due:
    return Due(
        account=message.account,
        customer=message.customer,
        store=message.store,
        kind=kind,
        name=message.id,
        due=now,
        id=uuid5(NAMESPACE, f"{message.id}|{message.attempts}|{kind}"),
        payload=payload,
        trace=message.trace,
    )
