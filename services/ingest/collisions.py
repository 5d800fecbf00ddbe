"""Collisions: the same delivery id with another body. What came first stays; that an id was used again is reported."""

from collections.abc import Mapping
from uuid import UUID

import structlog

from services.ingest.desk import REDACTED
from services.ingest.tables import Delivery, delivery
from shared.db import Reader
from shared.observe import METRICS

MOST_LOOKED_UP = 1000
AT_A_TIME = 50
log = structlog.get_logger()
AGAIN = "a delivery's id was used again for another body"


async def collided(reader: Reader, repeated: Mapping[UUID, bytes]) -> set[UUID]:
    """Which repeated deliveries came with another body than the one that is kept; each is counted and logged.

    Only the first thousand are looked up, a few at a time: what is kept may be far larger than what repeats it.
    """
    ids = list(repeated)[:MOST_LOOKED_UP]
    found: set[UUID] = set()
    for at in range(0, len(ids), AT_A_TIME):
        kept = await reader.fetch_by_keys(delivery, [(id_,) for id_ in ids[at : at + AT_A_TIME]], Delivery, by=("id",))
        for row in kept:
            if row.raw not in {REDACTED, repeated[row.id]}:
                found.add(row.id)
                METRICS.deliveries.labels("collision").inc()
                log.warning(AGAIN, service="ingest", source=row.source, delivery=str(row.id))
    return found
