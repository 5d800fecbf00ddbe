"""Intake: takes accepted deliveries, one account and one micro-batch at a time, and tells what they mean as facts."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import msgspec
import structlog
from sqlalchemy import ColumnElement, Text, bindparam, func, select

from services.ingest.desk import AGAIN, IngestDesk, Outcome
from services.ingest.loading import load
from services.ingest.sources import SIGNED
from services.ingest.tables import Delivery, delivery
from services.ingest.taking import take_in
from shared import tx as carrying
from shared.clock import machine_seconds
from shared.db.base import Query, Tx
from shared.errors import Refused, Unavailable
from shared.events import Lane
from shared.inbox import BatchSize
from shared.observe import METRICS
from shared.tables import ConfigRow
from shared.work import Stretch

if TYPE_CHECKING:
    from shared.running import Running

log = structlog.get_logger()
HISTORY_PER_STEP = 500

_untaken = delivery.c.verdict == ""
UNTAKEN = Query(
    select(delivery.c.account, func.min(delivery.c.recorded))
    .where(_untaken, delivery.c.lane == "live")
    .group_by(delivery.c.account)
)


def _in_line(lane: Lane) -> ColumnElement[str]:
    """The account after the last one with deliveries of a lane untaken, or the first one of all."""
    waiting = select(func.min(delivery.c.account)).where(_untaken, delivery.c.lane == lane.value)
    following = waiting.where(delivery.c.account > bindparam(f"after_{lane.value}", type_=Text))
    return func.coalesce(following.scalar_subquery(), waiting.scalar_subquery())


_TURN = Query(select(_in_line(Lane.LIVE), _in_line(Lane.HISTORY)))
_NEXT = Query(
    select(*delivery.columns)
    .where(_untaken, delivery.c.lane == bindparam("lane"), delivery.c.account == bindparam("account"))
    .order_by(delivery.c.seq)
    .limit(bindparam("most"))
)


class Intake:
    """The loop from deliveries to facts; accounts take turns, history waits until live work is empty."""

    def __init__(self, running: "Running", batch_size: int | None = None) -> None:
        self._running = running
        self.size = BatchSize(running.db, batch_size)
        self._after = {Lane.LIVE: "", Lane.HISTORY: ""}

    async def step(self) -> int:
        """Take in one batch of one account; gives the number of deliveries."""
        async with self._running.db.look() as reader:
            ((live, history),) = await reader.fetch(
                _TURN, **{f"after_{lane}": name for lane, name in self._after.items()}
            )
        lane, account = (Lane.LIVE, live) if live else (Lane.HISTORY, history)
        if not account:
            return 0
        self._after[lane] = account
        return await self._take(account, lane)

    async def _take(self, account: str, lane: Lane) -> int:
        most = min(self.size.size, HISTORY_PER_STEP) if lane is Lane.HISTORY else self.size.size
        try:
            return await self._batch(account, lane, most)
        except (Unavailable, AssertionError):
            raise
        except Exception as error:
            if most == 1:
                raise
            log.warning("intake halves its batch", error=repr(error))
            self.size.size = max(1, most // 2)  # the store refused what came of it: find the one that spoils it
            return 1

    async def _batch(self, account: str, lane: Lane, most: int) -> int:
        begun = machine_seconds()
        async with self._running.db.write() as tx:
            if not await self._locked(tx, account):
                return 0
            rows = await tx.fetch(_NEXT, lane=lane.value, account=account, most=most)
            batch = [msgspec.structs.replace(Delivery(*row), lane=lane) for row in rows]
            if not batch:
                return 0
            held = await self._judge(tx, batch)
        took = machine_seconds() - begun
        self.size.measured(len(batch), held, took)
        METRICS.judged.labels("ingest", "deliveries").inc(len(batch))
        METRICS.batch.labels("ingest", "deliveries").observe(took)
        return len(batch)

    async def _locked(self, tx: Tx, account: str) -> bool:
        """Hold the account's row; False when another replica has it."""
        rows = await tx.fetch_by_keys(self._running.kernel.config, [(account, account)], ConfigRow, lock="skip")
        return bool(rows)

    async def _judge(self, tx: Tx, batch: Sequence[Delivery]) -> float:
        """Judge and store; gives the seconds of judgement itself."""
        desk = await load(tx, batch, tx.now)
        stretch, verdicts = Stretch(), []
        for item in batch:
            await stretch.between()
            verdicts.append((item, _verdict(item, desk)))
        stretch.end()
        await settle(tx, desk, verdicts)
        await carrying.store(tx, self._running.kernel, "ingest", self._running.writer, desk)
        return stretch.held


def _verdict(item: Delivery, desk: IngestDesk) -> Outcome:
    """Judge one delivery; bad input is quarantined, what our code fails on is parked, each with its reason."""
    desk.begin(item)
    try:
        outcome = take_in(item, desk)
    except Refused as refused:
        desk.discard()
        return Outcome("quarantined", f"{refused.code}: {refused.message}"[:500])
    except Unavailable:
        raise
    except Exception as error:
        desk.discard()
        log.exception("delivery parked", delivery=str(item.id), trace=item.trace)
        return Outcome("parked", f"{type(error).__name__}: {error}"[:500])
    desk.keep()
    return outcome


async def settle(tx: Tx, desk: IngestDesk, verdicts: Sequence[tuple[Delivery, Outcome]]) -> None:
    """Write each delivery's verdict and count it; earlier ones that waited for these are settled too."""
    rows: list[tuple[Any, ...]] = []
    for item, outcome in verdicts:
        rows.append((item.seq, outcome.state, outcome.reason, outcome.customer))
        desk.counts[f"deliveries:{outcome.state}"] += 1
        if "secret" in item.meta and AGAIN not in item.meta:
            desk.counts[f"{SIGNED}{item.meta['secret']}"] += 1
    await tx.update_many(delivery, by=("seq",), columns=("verdict", "reason", "customer"), rows=rows)
    settled = []
    for seq, state in desk.settled:
        settled.append((seq, state))
        desk.counts["deliveries:waiting"] -= 1
        desk.counts[f"deliveries:{state}"] += 1
    await tx.update_many(delivery, by=("seq",), columns=("verdict",), rows=settled)
