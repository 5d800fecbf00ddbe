"""The limit for whatever fills tables: COPY of the same rows into the same tables of PostgreSQL."""

import io
import time
from collections.abc import Sequence

import asyncpg
import msgspec

from tests.bench.cpu import family_seconds, own_seconds


class Copied(msgspec.Struct, frozen=True):
    """What a COPY took: seconds, and CPU seconds of Python and database together."""

    seconds: float
    cpu: float


async def copied(url: str, tables: Sequence[str], server: int) -> Copied:
    """Read every row of the tables, empty them, and COPY the rows back in one transaction; only that is measured."""
    connection = await asyncpg.connect(url)
    try:
        held = {}
        for name in tables:
            held[name] = io.BytesIO()
            await connection.copy_from_query(f"SELECT * FROM {name}", output=held[name], format="binary")
        await connection.execute(f"TRUNCATE {', '.join(tables)}")
        cpu, begun = own_seconds() + family_seconds(server), time.perf_counter()
        async with connection.transaction():
            for name, rows in held.items():
                rows.seek(0)
                await connection.copy_to_table(name, source=rows, format="binary")
        took = time.perf_counter() - begun
        return Copied(took, own_seconds() + family_seconds(server) - cpu)
    finally:
        await connection.close()


async def filled(url: str, *, but: Sequence[str]) -> list[str]:
    """The tables that hold rows, without those named."""
    connection = await asyncpg.connect(url)
    try:
        names = [
            row[0] for row in await connection.fetch("SELECT tablename FROM pg_tables WHERE schemaname = 'public'")
        ]
        wanted = [name for name in names if name not in but]
        return [name for name in wanted if await connection.fetchval(f"SELECT EXISTS (SELECT FROM {name})")]
    finally:
        await connection.close()
