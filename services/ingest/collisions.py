"""Collisions: the same delivery id with another body. What came first stays; that an id was used again is reported."""

from collections.abc import Mapping
from uuid import UUID

import structlog

from services.ingest.desk import REDACTED
from services.ingest.tables import Delivery, delivery
from shared.db import Reader
from shared.observe import METRICS

log = structlog.get_logger()


async def collided(reader: Reader, repeated: Mapping[UUID, bytes]) -> set[UUID]:
    """Which repeated deliveries came with another body than the one that is kept; each is counted and logged."""
    kept = await reader.fetch_by_keys(delivery, [(id_,) for id_ in repeated], Delivery, by=("id",))
    found = [row for row in kept if row.raw not in {REDACTED, repeated[row.id]}]
    for row in found:
        METRICS.deliveries.labels("collision").inc()
        log.warning("a delivery's id was used again for another body", source=row.source, delivery=str(row.id))
    return {row.id for row in found}
