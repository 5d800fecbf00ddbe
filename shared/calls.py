"""Calls of the API that change something: key and effect commit together, and calls that wait at once in one commit."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import datetime

import msgspec

from shared.db.base import Database, Tx
from shared.errors import Unavailable
from shared.idempotency import Remembered, claim, claim_new, remember
from shared.tables import KernelTables
from shared.work import Act, Judge
from shared.workset import Command

MOST = 100
_encode = msgspec.json.Encoder().encode


class Answered(msgspec.Struct, frozen=True):
    """What a call is answered; `replayed` when it had been answered before."""

    status: int
    text: bytes
    replayed: bool = False


class Call:
    """One call on its way: how it is named, the command it comes to at a moment, and what judges it."""

    def __init__(self, named: Remembered, make: Callable[[datetime], Command], act: Act, status: int) -> None:
        self.named = named
        self.make = make
        self.act = act
        self.status = status
        self.done: asyncio.Future[Answered] = asyncio.get_running_loop().create_future()

    @property
    def key(self) -> tuple[str, str, str]:
        """What no two calls have in common."""
        return self.named.account, self.named.route, self.named.key


class Calls:
    """One service's calls. Only those that all go well are committed together; every other one is worked alone."""

    def __init__(self, db: Database, kernel: KernelTables, judge: Judge) -> None:
        self._db = db
        self._kernel = kernel
        self._judge = judge
        self._waiting: list[Call] = []
        self._worker: asyncio.Task[None] | None = None

    async def alone(self, call: Call) -> Answered:
        """Work one call in a transaction of its own; raises what its judgement raises, and then nothing is written."""
        async with self._db.write() as tx:
            known = await claim(tx, self._kernel, call.named)
            if known is not None:
                return Answered(known.status, known.answer, replayed=True)
            text = _encode(await self._judge.command(tx, call.make(tx.now), call.act))
            await remember(tx, self._kernel, [(call.named, call.status, text)])
        return Answered(call.status, text)

    async def together(self, call: Call) -> Answered:
        """Work a call with those that wait beside it, in one transaction, begun when the last one has ended."""
        self._waiting.append(call)
        if self._worker is None or self._worker.done():
            self._worker = asyncio.create_task(self._work())
        return await call.done

    async def _work(self) -> None:
        while self._waiting:
            taken, self._waiting = self._waiting[:MOST], self._waiting[MOST:]
            first = {call.key: call for call in reversed(taken)}
            again = [call for call in taken if first[call.key] is not call]
            await self._flush(list(first.values()))
            await self._one_by_one(again)

    async def _flush(self, calls: Sequence[Call]) -> None:
        """Work calls of different keys; those that did not go well are worked alone, after the others."""
        try:
            failed = await self._at_once(calls) if len(calls) > 1 else calls
        except Unavailable as error:
            for call in calls:
                _fail(call, error)
            return
        except Exception:  # noqa: BLE001 - worked alone, the one that spoils it fails and the others do not
            failed = calls
        if failed and len(failed) < len(calls):
            await self._flush([call for call in calls if call not in failed])
        await self._one_by_one(failed)

    async def _at_once(self, calls: Sequence[Call]) -> list[Call]:
        """Commit all calls in one transaction, or none of them: gives those because of which."""
        try:
            async with self._db.write() as tx:
                texts = await self._judged(tx, calls)
                await remember(tx, self._kernel, [(c.named, c.status, t) for c, t in zip(calls, texts, strict=True)])
        except _NotAll as found:
            return found.calls
        for call, text in zip(calls, texts, strict=True):
            if not call.done.done():
                call.done.set_result(Answered(call.status, text))
        return []

    async def _judged(self, tx: Tx, calls: Sequence[Call]) -> list[bytes]:
        new = await claim_new(tx, self._kernel, [call.named for call in calls])
        if len(new) < len(calls):
            raise _NotAll([call for call in calls if call.key not in new])
        asked = [(call.make(tx.now), call.act) for call in calls]
        outcomes = await self._judge.commands(tx, asked)
        if refused := [call for call, each in zip(calls, outcomes, strict=True) if isinstance(each, Exception)]:
            raise _NotAll(refused)
        return [_encode(outcome) for outcome in outcomes]

    async def _one_by_one(self, calls: Sequence[Call]) -> None:
        """Each in a transaction of its own, none waiting for another."""
        await asyncio.gather(*(self._settled(call) for call in calls))

    async def _settled(self, call: Call) -> None:
        try:
            answered = await self.alone(call)
        except Exception as error:  # noqa: BLE001 - it belongs to whoever called
            _fail(call, error)
        else:
            if not call.done.done():
                call.done.set_result(answered)


class _NotAll(Exception):
    """Some calls of a batch did not go well, so that none of it may be committed."""

    def __init__(self, calls: list[Call]) -> None:
        super().__init__()
        self.calls = calls


def _fail(call: Call, error: Exception) -> None:
    if not call.done.done():
        call.done.set_exception(error)
