"""From a URL to a database."""

from shared.clock import Clock
from shared.db.base import Database
from shared.db.postgres import Postgres
from shared.db.sqlite import Sqlite


def connect(url: str, clock: Clock, *, connections: int = 10) -> Database:
    """The database behind a `sqlite:///path` or `postgresql://…` URL, not opened yet."""
    if url.startswith("sqlite:///"):
        return Sqlite(url.removeprefix("sqlite:///"), clock)
    if url.startswith("postgresql://"):
        return Postgres(url, clock, connections)
    raise ValueError(f"not a database URL: {url.split(':', 1)[0]}")
