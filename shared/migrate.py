"""Migrations: alembic, one line of versions for each service, on either database."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any, Literal

from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.autogenerate.api import AutogenContext
from alembic.config import Config
from alembic.migration import MigrationContext
from sqlalchemy import Connection, DateTime, Uuid, create_engine
from sqlalchemy.ext.asyncio import create_async_engine

from shared.db.types import Document
from shared.service import Service

HERE = Path(__file__).parent


def render(kind: str, item: Any, _context: AutogenContext) -> str | Literal[False]:
    """How a column type is written in a migration: by the kit's names, documents as plain bytes."""
    if kind != "type":
        return False
    if isinstance(item, Document):
        return "sa.LargeBinary()"
    if isinstance(item, DateTime):
        return "Instant()"
    return "Uid()" if isinstance(item, Uuid) else False


def _config(service: Service, connection: Connection) -> Config:
    config = Config()
    config.set_main_option("script_location", str(HERE / "alembic"))
    config.set_main_option("version_locations", str(HERE.parent / "services" / service.name / "migrations"))
    config.set_main_option("path_separator", "os")
    config.attributes.update(connection=connection, metadata=service.metadata)
    return config


async def _with_connection(url: str, act: Callable[[Connection], Any]) -> Any:
    if url.startswith("sqlite"):
        return await asyncio.to_thread(_with_sqlite, url, act)
    engine = create_async_engine(url.replace("postgresql://", "postgresql+asyncpg://", 1))
    try:
        async with engine.begin() as connection:
            return await connection.run_sync(act)
    finally:
        await engine.dispose()


def _with_sqlite(url: str, act: Callable[[Connection], Any]) -> Any:
    Path(url.removeprefix("sqlite:///")).parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(url)
    try:
        with engine.begin() as connection:
            return act(connection)
    finally:
        engine.dispose()


async def upgrade(service: Service, url: str) -> None:
    """Bring one service's database up to the newest version."""
    await _with_connection(url, lambda connection: command.upgrade(_config(service, connection), "heads"))


async def write_revision(service: Service, url: str, message: str) -> None:
    """Write the migration from what the database has to what the models say."""

    def act(connection: Connection) -> None:
        command.revision(_config(service, connection), message, autogenerate=True, version_path=None)

    (HERE.parent / "services" / service.name / "migrations").mkdir(exist_ok=True)
    await _with_connection(url, act)


async def differences(service: Service, url: str) -> list[Any]:
    """Where models and migrated database differ; empty when they are equal."""

    def act(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        return list(compare_metadata(context, service.metadata))

    found: list[Any] = await _with_connection(url, act)
    return found
