"""The database kit: rows by the set, the same on SQLite and PostgreSQL."""

from shared.db.base import Database, Query, Reader, Tx
from shared.db.connect import connect
from shared.db.types import Document, Instant, Uid, new_id

__all__ = ["Database", "Document", "Instant", "Query", "Reader", "Tx", "Uid", "connect", "new_id"]
