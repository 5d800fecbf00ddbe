"""Reprocessing: deliveries taken in again, after a connector was mended or our code was; nothing is told twice."""

from collections.abc import Sequence

from msgspec.structs import replace
from sqlalchemy import bindparam, select

from services.ingest import tables
from services.ingest.desk import AGAIN, REDACTED
from services.ingest.tables import Delivery, Head
from shared import tx as carrying
from shared.clock import Clock
from shared.db import Query, Tx, connect
from shared.errors import Refused
from shared.settings import Settings

TAKEN = ("translated", "dropped", "suppressed")
FAILED = ("quarantined", "parked")
MOST = 500
_delivery = tables.delivery
_CHOSEN = Query(
    select(*_delivery.columns)
    .where(_delivery.c.verdict == bindparam("verdict"), _delivery.c.seq > bindparam("after"))
    .order_by(_delivery.c.seq)
    .limit(bindparam("most"))
)


def check(row: Delivery) -> None:
    """Raise Refused 409 for a delivery that cannot be taken in again: not taken yet, waiting, or erased."""
    if row.verdict not in (*TAKEN, *FAILED):
        raise Refused("not_taken", f"the delivery is {row.verdict or 'untaken'}", status=409)
    if row.raw == REDACTED:
        raise Refused("erased", "what the delivery said was erased", status=409)


async def take_again(tx: Tx, writer: str, rows: Sequence[Delivery]) -> int:
    """Put deliveries before intake again; what was understood before is marked, so that it only corrects."""
    again = [(row.seq, "", "", _marked(row)) for row in rows if row.raw != REDACTED]
    columns = ("verdict", "reason", "head")
    await tx.update_many(_delivery, by=("seq",), columns=columns, rows=again)
    taken = {row.seq for row in rows if row.raw != REDACTED}
    counts: dict[str, int] = {}
    for row in rows:
        if row.seq in taken:
            counts[f"deliveries:{row.verdict}"] = counts.get(f"deliveries:{row.verdict}", 0) - 1
    await carrying.count(tx, tables.kernel, writer, counts)
    return len(again)


def _marked(row: Delivery) -> Head:
    if row.verdict not in TAKEN:
        return row.head
    return replace(row.head, meta={**row.meta, AGAIN: row.verdict})


async def reprocess(settings: Settings, verdict: str) -> int:
    """Put every delivery with a verdict before intake again, from the command line; gives how many."""
    if verdict not in (*TAKEN, *FAILED):
        raise Refused("malformed", f"deliveries {verdict!r} cannot be taken in again", status=400)
    database = connect(settings.database_of("ingest"), Clock())
    await database.open()
    done, after = 0, 0
    try:
        while True:
            async with database.write() as tx:
                found = await tx.fetch(_CHOSEN, verdict=verdict, after=after, most=MOST)
                rows = [Delivery(*row) for row in found]
                done += await take_again(tx, "reprocess", rows)
            if len(rows) < MOST:
                return done
            after = rows[-1].seq
    finally:
        await database.close()
