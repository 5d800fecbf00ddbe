"""Reprocessing: deliveries taken in again, after a connector was mended or our code was; nothing is told twice."""

from collections import Counter
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any

import msgspec
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
START: int | None = 0
_delivery = tables.delivery
BEGINNING, END = datetime(1970, 1, 1, tzinfo=UTC), datetime(9000, 1, 1, tzinfo=UTC)


def _choosing(*columns: str) -> Query:
    """The deliveries with a verdict, of a span of time, and of what the columns are given."""
    given = [_delivery.c[name] == bindparam(name) for name in ("verdict", *columns)]
    spans = (_delivery.c.recorded >= bindparam("since"), _delivery.c.recorded < bindparam("until"))
    chosen = select(*_delivery.columns).where(*given, *spans, _delivery.c.seq > bindparam("after"))
    return Query(chosen.order_by(_delivery.c.seq).limit(bindparam("most")))


_CHOOSING: dict[tuple[str, ...], Query] = {
    names: _choosing(*names) for names in ((), ("account",), ("source",), ("account", "source"))
}


class Choice(msgspec.Struct, frozen=True, kw_only=True):
    """Which deliveries to take in again; '' for whatever account, source or kind (connector or dialect).

    `since` and `until` (excluded) are business time of accept.
    """

    verdict: str
    account: str = ""
    source: str = ""
    kind: str = ""
    since: datetime = BEGINNING
    until: datetime = END

    def checked(self) -> "Choice":
        """Itself; raises Refused 400 for a verdict that cannot be taken in again."""
        if self.verdict not in {*TAKEN, *FAILED}:
            raise Refused("malformed", f"deliveries {self.verdict!r} cannot be taken in again", status=400)
        return self


async def take_some(tx: Tx, writer: str, choice: Choice, after: int) -> tuple[int, int | None]:
    """Put the next deliveries of a choice before intake again; gives how many and after which to go on, if at all."""
    names = tuple(name for name in ("account", "source") if getattr(choice, name))
    given = {name: getattr(choice, name) for name in (*names, "verdict", "since", "until")}
    found = [Delivery(*row) for row in await tx.fetch(_CHOOSING[names], after=after, most=MOST, **given)]
    wanted = [row for row in found if choice.kind in {"", row.kind}]
    done = await take_again(tx, writer, wanted)
    return done, found[-1].seq if len(found) == MOST else None


def check(row: Delivery) -> None:
    """Raise Refused 409 for a delivery that cannot be taken in again: not taken yet, waiting, or erased."""
    if row.verdict not in (*TAKEN, *FAILED):
        raise Refused("not_taken", f"the delivery is {row.verdict or 'untaken'}", status=409)
    if row.raw == REDACTED:
        raise Refused("erased", "what the delivery said was erased", status=409)


async def take_again(tx: Tx, writer: str, rows: Sequence[Delivery]) -> int:
    """Put deliveries before intake again; what was understood before is marked, so that it only corrects."""
    read = {row.seq: row.verdict for row in rows}
    held = await tx.fetch_by_keys(_delivery, [(seq,) for seq in read], Delivery, lock="wait")
    # since they were read, another call may have put them back or an erasure redacted them
    still = [row for row in held if row.verdict == read[row.seq] and row.raw != REDACTED]
    again = [(row.seq, "", "", _marked(row)) for row in still]
    await tx.update_many(_delivery, by=("seq",), columns=("verdict", "reason", "head"), rows=again)
    counts = Counter(f"deliveries:{row.verdict}" for row in still)
    await carrying.count(tx, tables.kernel, writer, {name: -number for name, number in counts.items()})
    return len(again)


def _marked(row: Delivery) -> Head:
    if row.verdict not in TAKEN:
        return row.head
    return replace(row.head, meta={**row.meta, AGAIN: row.verdict})


async def reprocess(settings: Settings, verdict: str, **given: Any) -> int:
    """Put every delivery of a choice before intake again, from the command line; gives how many."""
    choice = Choice(verdict=verdict, **given).checked()
    database = connect(settings.database_of("ingest"), Clock())
    await database.open()
    done, after = 0, START
    try:
        while after is not None:
            async with database.write() as tx:
                some, after = await take_some(tx, "reprocess", choice, after)
            done += some
        return done
    finally:
        await database.close()
