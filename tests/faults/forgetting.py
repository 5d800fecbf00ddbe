"""Where an address can still be read in an installation: every table of every service, and the maildir."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from sqlalchemy import select

from services.__main__ import load
from shared.clock import Clock
from shared.db import connect
from shared.settings import Settings


def traces(settings: Settings, addresses: Sequence[str]) -> list[str]:
    """The tables and letters that hold one of the addresses."""
    needles = [address.encode() for address in addresses]
    letters = [path for path in Path(settings.data_dir, "maildir").rglob("*") if path.is_file()]
    found = [path.name for path in letters if _spells(path.read_bytes(), needles)]
    return found + asyncio.run(_in_tables(settings, needles))


async def _in_tables(settings: Settings, needles: Sequence[bytes]) -> list[str]:
    found = []
    for service in load([]):
        db = connect(settings.database_of(service.name), Clock(), connections=1)
        await db.open()
        async with db.read() as reader:
            for table in service.metadata.sorted_tables:
                rows = await reader.fetch(select(*table.columns))
                found += [f"{service.name}.{table.name}" for row in rows if _spells(repr(row).encode(), needles)]
        await db.close()
    return found


def _spells(text: bytes, needles: Sequence[bytes]) -> bool:
    return any(needle in text for needle in needles)
