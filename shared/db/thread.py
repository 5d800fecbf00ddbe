"""A SQLite connection in a thread of its own, so that no statement holds up the event loop."""

import asyncio
import queue
import sqlite3
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

from shared.errors import Unavailable

T = TypeVar("T")
BUSY_SECONDS = 10.0
LOG_PAGES = 4_000  # 16 MB: a page that many commits change is copied into the file once for all of them


class Thread:
    """A connection that lives in a thread of its own and runs what it is handed, one after the other."""

    def __init__(self, path: str, *, readonly: bool) -> None:
        self._path = path
        self._readonly = readonly
        self._jobs: queue.SimpleQueue[tuple[Callable[[sqlite3.Connection], Any], asyncio.Future[Any]] | None] = (
            queue.SimpleQueue()
        )
        self._thread = threading.Thread(target=self._work, name=f"sqlite {Path(path).name}", daemon=True)
        self._loop = asyncio.get_running_loop()
        self._thread.start()

    def _connect(self) -> sqlite3.Connection:
        con = sqlite3.connect(self._path, isolation_level=None, timeout=BUSY_SECONDS, cached_statements=512)
        con.execute("PRAGMA journal_mode=WAL")
        con.execute("PRAGMA synchronous=FULL")
        con.execute("PRAGMA secure_delete=ON")  # what is erased is not to be found in the file either
        con.execute("PRAGMA foreign_keys=ON")
        con.execute("PRAGMA cache_size=-65536")
        con.execute(f"PRAGMA wal_autocheckpoint={LOG_PAGES}")
        if self._readonly:
            con.execute("PRAGMA query_only=ON")
        return con

    def _work(self) -> None:
        con: sqlite3.Connection | None = None
        while (job := self._jobs.get()) is not None:
            act, done = job
            try:
                con = con or self._connect()
                outcome, failure = act(con), None
            except BaseException as error:  # noqa: BLE001 - whatever it was belongs to the one who asked
                outcome, failure = None, error
            self._tell(done, outcome, failure)
        if con is not None:
            con.close()

    def _tell(self, done: asyncio.Future[Any], outcome: Any, failure: BaseException | None) -> None:
        try:
            self._loop.call_soon_threadsafe(_settle, done, outcome, failure)
        except RuntimeError:  # the loop is gone, and with it whoever waited
            self._jobs.put(None)

    async def run(self, act: Callable[[sqlite3.Connection], T]) -> T:
        """Run `act` in the thread; its errors of the store come out as Unavailable."""
        done: asyncio.Future[T] = self._loop.create_future()
        self._jobs.put((act, done))
        try:
            return await done
        except sqlite3.OperationalError as error:
            raise Unavailable(f"SQLite: {error}") from error

    async def stop(self) -> None:
        """End the thread after what it has in hand."""
        self._jobs.put(None)
        await asyncio.to_thread(self._thread.join)


def _settle(done: "asyncio.Future[Any]", outcome: Any, failure: BaseException | None) -> None:
    if done.cancelled():
        return
    if failure is not None:
        done.set_exception(failure)
    else:
        done.set_result(outcome)
