"""A child process for the figures of the member API: loyalty with members who own points, or the least that can do it.

`python -m tests.bench.serve_members product|bare PORT FOLDER`, databases by the environment as always. `bare` answers
a POST with one transaction that locks a wallet's row and pays out of it, a GET with one read by primary key.
"""

import sys
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import asyncpg
import jwt
import msgspec
import uvicorn
import uvloop
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from services.loyalty import tables, wallets
from services.loyalty.records import AVAILABLE, Lot, Member
from services.loyalty.service import loyalty
from shared import migrate
from shared.access import digest_of, new_key
from shared.clock import Clock
from shared.config import config_row
from shared.db import Tx, connect
from shared.events.config import AccountConfigured, ConfigFact, KeyConfigured, SigningKeyConfigured, StoreConfigured
from shared.runtime import Runtime, collect_seldom
from shared.settings import Settings

ACCOUNTS = 16
MEMBERS = 64
FEW, MANY = 10, 10_000
POINTS = 1_000
CONNECTIONS = 10


class Ways(msgspec.Struct, frozen=True):
    """How to get in: a server key for each account, and one member's token of the first."""

    keys: list[str]
    token: str


def customer(number: int) -> str:
    """The id of a member of each account; the last of them has a great many lots."""
    return f"cus_{number:032x}"


def _set_up(account: str, key: str, public: str) -> list[ConfigFact]:
    return [
        AccountConfigured(id=account, revision=1, name="Bench"),
        StoreConfigured(
            id=f"sto_{account}", revision=1, name="Bench", currency="EUR", zone="Europe/Madrid", locale="es"
        ),
        KeyConfigured(id=f"key_{account}", revision=1, kind="server", digest=digest_of(key)),
        SigningKeyConfigured(id=f"sig_{account}", revision=1, public_key=public),
    ]


def _lots(account: str, owner: str, number: int, now: datetime) -> Iterable[Lot]:
    for at in range(number):
        yield Lot(
            account=account,
            id=f"lot_{owner}_{at}",
            customer=owner,
            source=f"ord_{at}",
            state=AVAILABLE,
            issued=POINTS,
            remaining=POINTS,
            open=True,
            accrued_at=now - timedelta(days=30, minutes=at),
            matures_at=now - timedelta(days=16, minutes=at),
            expires_at=now + timedelta(days=335) - timedelta(minutes=at),
        )


async def _seed(tx: Tx, account: str, facts: list[ConfigFact]) -> None:
    await tx.upsert_many(loyalty.kernel.config, [config_row(account, fact) for fact in facts])
    sizes = dict.fromkeys(map(customer, range(MEMBERS)), FEW) | {customer(MEMBERS): MANY}
    for owner, lots in sizes.items():
        member = Member(account=account, customer=owner, joined_at=tx.now, available=lots * POINTS)
        await tx.insert_many(tables.member, [wallets.row_of(member)])
        await tx.insert_many(tables.lot, list(_lots(account, owner, lots, tx.now)))


async def _product(settings: Settings, folder: Path) -> None:
    signing, ways = Ed25519PrivateKey.generate(), Ways([new_key("server") for _ in range(ACCOUNTS)], "")
    public = signing.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo).decode()
    await migrate.upgrade(loyalty, settings.database_of("loyalty"))
    db = connect(settings.database_of("loyalty"), Clock())
    await db.open()
    async with db.write() as tx:
        await tx.upsert_many(loyalty.kernel.progress, [("ingest.config", 0, 1)])
        for number, key in enumerate(ways.keys):
            await _seed(tx, f"acc_{number}", _set_up(f"acc_{number}", key, public))
    await db.close()
    claims = {"iss": "acc_0", "aud": "querencia", "sub": customer(0), "store": "sto_acc_0"}
    token = jwt.encode({**claims, "exp": datetime.now(UTC) + timedelta(hours=1)}, signing, algorithm="EdDSA")
    (folder / "key").write_bytes(msgspec.json.encode(Ways(ways.keys, token)))
    await Runtime([loyalty], settings).run()


class _Bare:
    """One statement or one transaction for each request, over as many connections as the product has."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._pool: asyncpg.Pool[Any] | None = None

    async def _open(self) -> None:
        self._pool = await asyncpg.create_pool(self._url, min_size=CONNECTIONS, max_size=CONNECTIONS)
        await self._pool.execute(
            "CREATE TABLE wallet (id text PRIMARY KEY, points bigint); CREATE TABLE spent (id bigserial, who text);"
            f"INSERT INTO wallet SELECT 'cus_' || n, {FEW * POINTS} FROM generate_series(0, {MEMBERS}) n"
        )
        collect_seldom()

    async def __call__(
        self, scope: Mapping[str, Any], receive: Callable[[], Awaitable[Mapping[str, Any]]], send: Any
    ) -> None:
        """Answer one request."""
        if scope["type"] != "http":
            await self._begin(receive, send)
            return
        while (await receive()).get("more_body"):
            pass
        body = await (self._read() if scope["method"] == "GET" else self._spend(scope["path"]))
        headers = [(b"content-type", b"application/json"), (b"content-length", str(len(body)).encode())]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        await send({"type": "http.response.body", "body": body})

    async def _begin(self, receive: Callable[[], Awaitable[Mapping[str, Any]]], send: Any) -> None:
        await receive()
        await self._open()
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _read(self) -> bytes:
        assert self._pool is not None
        row = await self._pool.fetchrow("SELECT id, points FROM wallet WHERE id = $1", "cus_1")
        return msgspec.json.encode(tuple(row or ()))

    async def _spend(self, path: str) -> bytes:
        assert self._pool is not None
        who = path.rsplit("/", 1)[-1]
        async with self._pool.acquire() as connection, connection.transaction():
            points = await connection.fetchval("SELECT points FROM wallet WHERE id = $1 FOR UPDATE", who)
            await connection.execute("UPDATE wallet SET points = $2 WHERE id = $1", who, points - 1)
            await connection.execute("INSERT INTO spent (who) VALUES ($1)", who)
        return b'{"points":%d}' % (points - 1)


async def _serve(kind: str, port: int, folder: Path) -> None:
    settings = Settings(data_dir=folder, http_port=port)
    if kind == "product":
        await _product(settings, folder)
        return
    (folder / "key").write_bytes(msgspec.json.encode(Ways([""], "")))
    bare = _Bare(settings.database_of("loyalty"))
    config = uvicorn.Config(bare, port=port, access_log=False, log_level="warning", loop="none", http="httptools")
    await uvicorn.Server(config).serve()


if __name__ == "__main__":
    uvloop.run(_serve(sys.argv[1], int(sys.argv[2]), Path(sys.argv[3])))
