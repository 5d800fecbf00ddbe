"""A child process for the accept figures: ingest with accept alone, or a handler that does only the same insert.

`python -m tests.bench.serve product|bare|each PORT FOLDER`, databases by the environment as always; `bare` has a group
commit, `each` one transaction for each request.
"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import uuid4

import asyncpg
import msgspec
import uvicorn
import uvloop

from services.ingest.service import ingest
from services.ingest.setup import Wanted, create_account
from shared import migrate
from shared.runtime import Runtime, collect_seldom
from shared.settings import Settings

_batch = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode
_raws = msgspec.json.Decoder(list[msgspec.Raw]).decode
INSERT = """
INSERT INTO delivery (id, head, raw, account, source, store, lane, recorded, verdict, reason, customer)
SELECT given.*, 'acc', 'segment:key', 'sto', 'live', now(), '', '', ''
FROM unnest($1::uuid[], $2::bytea[], $3::bytea[]) AS given ON CONFLICT DO NOTHING RETURNING id
"""
HEAD = (
    b'{"kind":"segment","trust":"verified","trace":"00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01","meta":{}}'
)


class Bare:
    """The least that a durable handler can do: split the batch, insert it with the others, answer after the commit."""

    def __init__(self, url: str, *, grouped: bool) -> None:
        self._url = url
        self._grouped = grouped
        self._queue: list[tuple[list[bytes], asyncio.Future[None]]] = []
        self._wake = asyncio.Event()
        self._flushing: asyncio.Task[None] | None = None

    async def __call__(self, scope: Any, receive: Callable[[], Awaitable[Mapping[str, Any]]], send: Any) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._lifespan(receive, send)
            return
        parts = []
        while True:
            message = await receive()
            parts.append(message.get("body", b""))
            if not message.get("more_body"):
                break
        raws = [bytes(raw) for raw in _raws(_batch(b"".join(parts))["batch"])]
        done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._queue.append((raws, done))
        self._wake.set()
        await done
        headers = [(b"content-type", b"application/json"), (b"content-length", b"16")]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": b'{"success":true}'})

    async def _lifespan(self, receive: Callable[[], Awaitable[Mapping[str, Any]]], send: Any) -> None:
        await receive()
        connection = await asyncpg.connect(self._url)
        self._flushing = asyncio.create_task(self._flush(connection))
        collect_seldom()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        self._flushing.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _flush(self, connection: "asyncpg.Connection[Any]") -> None:
        while True:
            if not self._queue:
                self._wake.clear()
                await self._wake.wait()
            most = len(self._queue) if self._grouped else 1
            taken, self._queue = self._queue[:most], self._queue[most:]
            raws = [raw for each, _ in taken for raw in each]
            for at in range(0, len(raws), 2000):
                part = raws[at : at + 2000]
                await connection.fetch(INSERT, [uuid4() for _ in part], [HEAD] * len(part), part)
            for _, done in taken:
                done.set_result(None)


async def _product(settings: Settings, folder: Path) -> None:
    alone = replace(ingest, loops={"accept": ingest.loops["accept"]})
    made = await create_account(settings, Wanted())
    (folder / "key").write_text(made.server_key)
    await Runtime([alone], settings).run()


async def _serve(kind: str, port: int, folder: Path) -> None:
    settings = Settings(data_dir=folder, http_port=port)
    await migrate.upgrade(ingest, settings.database_of("ingest"))
    if kind == "product":
        await _product(settings, folder)
        return
    (folder / "key").write_text("bare")
    bare = Bare(settings.database_of("ingest"), grouped=kind == "bare")
    config = uvicorn.Config(bare, port=port, access_log=False, log_level="warning", loop="none", http="httptools")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
