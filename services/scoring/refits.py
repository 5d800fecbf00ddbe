"""The loop that refits models: claim a request, fit outside any transaction, bring the result into force."""

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import msgspec
import structlog
from sqlalchemy import bindparam, select

from services.scoring import tables
from services.scoring.desk import CHUNK, RESCAN
from services.scoring.features import local_day
from services.scoring.models.cards import Status
from services.scoring.records import ModelRow, OrderRow, PulseRow, RefitRow, ServedRow
from services.scoring.refit import Known, Refit, kept
from services.scoring.scores import Served
from services.scoring.worker import WORKER, Job
from shared.clock import machine_now
from shared.db import Query, Tx
from shared.db.base import Reader
from shared.service import Pace
from shared.tx import set_timers
from shared.workset import TimerSet

if TYPE_CHECKING:
    from shared.running import Running

log = structlog.get_logger()
CLAIMED_FOR = timedelta(minutes=1)
RENEWED_EVERY_SECONDS = 20.0

_refit, _purchase, _pulse = tables.refit, tables.purchase, tables.pulse
_ASKED = Query(select(*_refit.columns).order_by(_refit.c.asked, _refit.c.account).limit(20))
_ORDERS = Query(
    select(*_purchase.columns)
    .where(_purchase.c.account == bindparam("account"), _purchase.c.order_id > bindparam("after"))
    .order_by(_purchase.c.order_id)
    .limit(bindparam("most"))
)
_STORES = Query(select(*_pulse.columns).where(_pulse.c.account == bindparam("account"), _pulse.c.store != ""))


class Refits:
    """One process's share of the refits that are asked for."""

    pace = Pace(silence=3600.0)

    def __init__(self, running: "Running", fit: Callable[[Job], Refit] = WORKER.fit) -> None:
        self._db = running.db
        self._fit = fit

    async def step(self) -> int:
        """Do one refit; gives 0 when none is asked for."""
        request = await self._claim()
        if request is None:
            return 0
        doing = asyncio.create_task(self._done(request.account))
        while not (await asyncio.wait({doing}, timeout=RENEWED_EVERY_SECONDS))[0]:
            request = await self._renewed(request)
        _tell(request.account, doing.result())
        async with self._db.write() as tx:
            await _bring_into_force(tx, request, doing.result())
        return 1

    async def _done(self, account: str) -> Refit:
        job = await self._job(account)
        try:
            return await asyncio.to_thread(self._fit, job)
        except ValueError as error:
            log.warning("refit failed, the last good model is kept", account=account, reason=str(error))
            return Refit(kept(job.before), Status.DEGRADED.value, {})

    async def _claim(self) -> RefitRow | None:
        """The oldest request that nobody works on, held for a machine minute in case we die over it."""
        now = machine_now()
        async with self._db.read() as reader:
            free = [row for row in (RefitRow(*found) for found in await reader.fetch(_ASKED)) if row.until <= now]
        if not free:
            return None
        async with self._db.write() as tx:
            held = await tx.fetch_by_keys(tables.refit, [(free[0].account,)], RefitRow, lock="skip")
            if not held or held[0].until > now:
                return None
            claimed = msgspec.structs.replace(held[0], until=now + CLAIMED_FOR)
            await tx.upsert_many(tables.refit, [claimed])
        return claimed

    async def _renewed(self, request: RefitRow) -> RefitRow:
        """The claim held for a further minute; as it was where somebody else has it by now."""
        async with self._db.write() as tx:
            held = await tx.fetch_by_keys(tables.refit, [(request.account,)], RefitRow, lock="wait")
            if not held or held[0].until != request.until:
                return request
            renewed = msgspec.structs.replace(request, until=machine_now() + CLAIMED_FOR)
            await tx.upsert_many(tables.refit, [renewed])
        return renewed

    async def _job(self, account: str) -> Job:
        async with self._db.read() as reader:
            served = await served_of(reader, account)
            orders = [order async for order in _counted(reader, account)]
            now = reader.now
        return Job(await asyncio.to_thread(_known, orders, now), served)


def _tell(account: str, done: Refit) -> None:
    """Alarm an operator of what the cards warn of, and of a model that had to be kept."""
    warnings = {name: card["warnings"] for name, card in done.cards.items() if card.get("warnings")}
    if warnings or done.status == Status.DEGRADED:
        log.warning("a refit has something against it", account=account, status=done.status, warnings=warnings)


async def _counted(reader: Reader, account: str) -> AsyncIterator[OrderRow]:
    """The orders that count and are known to be somebody's, read in pieces so that HTTP goes on answering."""
    after, more = "", True
    while more:
        rows = await reader.fetch(_ORDERS, account=account, after=after, most=CHUNK)
        for order in (OrderRow(*row) for row in rows):
            after = order.order_id
            if order.counts and order.customer:
                yield order
        more = len(rows) == CHUNK


async def served_of(reader: Reader, account: str) -> Served:
    """The model in force of an account; the prior before its first fit."""
    rows = await reader.fetch_by_keys(tables.served, [(account,)], ServedRow)
    return rows[0].served if rows else Served()


def _known(orders: Sequence[OrderRow], now: datetime) -> Known:
    """Columns in the order of customer, day and order, so that the same purchases make the same model.

    Customers who order as a firm are scored by the model, but do not shape it.
    """
    today = {zone: local_day(now, zone) for zone in {order.zone for order in orders}}
    firms = {order.customer for order in orders if order.business}
    people = [order for order in orders if order.customer not in firms]
    ordered = sorted(people, key=lambda order: (order.customer, order.day, order.order_id))
    latest = {order.customer: today[order.zone] for order in ordered}
    numbers = {customer: number for number, customer in enumerate(latest)}
    return Known(
        today=list(latest.values()),
        customer=[numbers[order.customer] for order in ordered],
        day=[order.day for order in ordered],
        value=[order.value for order in ordered],
        currency=[order.currency for order in ordered],
    )


async def _bring_into_force(tx: Tx, request: RefitRow, done: Refit) -> None:
    """If the claim still holds: keep the card, serve the model, and look at every store's customers in its light."""
    held = await tx.fetch_by_keys(tables.refit, [(request.account,)], RefitRow, lock="wait")
    if not held or held[0].until != request.until:
        return
    account, version = request.account, done.served.version
    await tx.insert_many(tables.model, [ModelRow(account, version, tx.now, done.status, done.cards)])
    await tx.upsert_many(tables.served, [ServedRow(account, done.served)])
    stores = [PulseRow(*row) for row in await tx.fetch(_STORES, account=account)]
    await set_timers(tx, tables.kernel, [_rescan(pulse, tx.now) for pulse in stores])
    await tx.delete_by_keys(tables.refit, [(account,)])


def _rescan(pulse: PulseRow, now: datetime) -> TimerSet:
    """A rescan beside the daily one, from the first customer on."""
    return TimerSet(
        account=pulse.account,
        kind=RESCAN,
        name=f"{pulse.store}:refit",
        customer="",
        store=pulse.store,
        due=now,
        payload={"after": ""},
        unguarded=False,
        correlation=None,
        trace="",
    )
