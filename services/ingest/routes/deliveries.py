"""Deliveries over HTTP: what sources told us, what became of it, and taking it in again."""

from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

import msgspec
from fastapi import Request
from msgspec.structs import replace
from pydantic import AwareDatetime, Field
from sqlalchemy import bindparam, select

from services.ingest import tables
from services.ingest.masking import masked
from services.ingest.reprocessing import BEGINNING, END, Choice, check, take_again, take_some
from services.ingest.routes.changing import KEYED, change
from services.ingest.routes.listing import Cursor, Limit
from services.ingest.routes.setting_up import Asked
from services.ingest.tables import Delivery
from shared.access import ServerKey
from shared.db import Query as Compiled
from shared.db import Tx
from shared.errors import not_found
from shared.openapi import Answer, Router
from shared.web import Page, answer, page, read_cursor, reading, running_of

router = Router(tags=["deliveries"])
_delivery = tables.delivery
_DELIVERIES = (
    select(*_delivery.columns)
    .where(_delivery.c.account == bindparam("account"), _delivery.c.seq > bindparam("after"))
    .order_by(_delivery.c.seq)
    .limit(bindparam("most"))
)
_ALL_DELIVERIES = Compiled(_DELIVERIES)
_DELIVERIES_BY = Compiled(_DELIVERIES.where(_delivery.c.verdict == bindparam("verdict")))


_LATEST = Compiled(
    select(*_delivery.columns)
    .where(_delivery.c.account == bindparam("account"), _delivery.c.source == bindparam("source"))
    .order_by(_delivery.c.seq.desc())
    .limit(bindparam("most"))
)


class DeliveryView(msgspec.Struct, frozen=True, kw_only=True):
    """What a source told us and what became of it; `raw` is what came, as text."""

    id: str
    source: str
    store: str
    kind: str
    lane: str
    recorded_at: datetime
    verdict: str
    reason: str
    customer: str
    raw: str


class Latest(msgspec.Struct, frozen=True):
    """Deliveries, the newest first."""

    data: list[DeliveryView]


class Reprocessed(msgspec.Struct, frozen=True):
    """How many deliveries are taken in again, and after which to go on (None: these were all)."""

    deliveries: int
    next: int | None


class Untaken(msgspec.Struct, frozen=True):
    """A delivery that is taken in again."""

    id: str
    verdict: str


def delivery_view(row: Delivery) -> DeliveryView:
    """A delivery as the API shows it."""
    return DeliveryView(
        id=str(row.id),
        source=row.source,
        store=row.store,
        kind=row.kind,
        lane=row.lane,
        recorded_at=row.recorded,
        verdict=row.verdict or "untaken",
        reason=row.reason,
        customer=row.customer,
        raw=row.raw.decode("utf-8", "replace"),
    )


@router.get("/v1/deliveries")
async def list_deliveries(
    request: Request, caller: ServerKey, verdict: str = "", limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[DeliveryView]]:
    """What sources told us and what became of it; `verdict=quarantined` for what could not be understood."""
    after = read_cursor(cursor, tuple[int])[0] if cursor else 0
    given: dict[str, Any] = {"account": caller.account, "after": after, "most": limit + 1}
    async with reading(request) as reader:
        if verdict:
            rows = await reader.fetch(_DELIVERIES_BY, verdict="" if verdict == "untaken" else verdict, **given)
        else:
            rows = await reader.fetch(_ALL_DELIVERIES, **given)
    return answer(page([Delivery(*row) for row in rows], limit, lambda row: (row.seq,)).each(delivery_view))


@router.get("/v1/deliveries/latest")
async def latest_deliveries(request: Request, caller: ServerKey, source: str, limit: Limit = 50) -> Answer[Latest]:
    """A source's newest deliveries with their verdicts, newest first; what is personal in them cannot be read."""
    async with reading(request) as reader:
        rows = await reader.fetch(_LATEST, account=caller.account, source=source, most=limit)
    found = [Delivery(*row) for row in rows]
    return answer(Latest([replace(delivery_view(row), raw=masked(row.raw)) for row in found]))


class ChoiceBody(Asked):
    """Which deliveries: of a verdict; where given of a source, a kind (connector or dialect) and a span of time."""

    verdict: Annotated[str, Field(max_length=40)]
    source: Annotated[str, Field(max_length=200)] = ""
    kind: Annotated[str, Field(max_length=40)] = ""
    since: AwareDatetime = BEGINNING
    until: AwareDatetime = END
    after: Annotated[int, Field(ge=0)] = 0


@router.post("/v1/deliveries/reprocess", openapi_extra=KEYED)
async def reprocess_many(request: Request, body: ChoiceBody, caller: ServerKey) -> Answer[Reprocessed]:
    """Have deliveries taken in again, five hundred a call: go on with `after` from `next` until that is null."""
    running = running_of(request)
    given = body.model_dump(exclude={"after"})
    choice = Choice(account=caller.account, **given).checked()

    async def act(tx: Tx) -> Reprocessed:
        return Reprocessed(*await take_some(tx, running.writer, choice, body.after))

    return await change(request, caller.account, act)


@router.post("/v1/deliveries/{delivery}/reprocess", openapi_extra=KEYED)
async def reprocess(request: Request, delivery: UUID, caller: ServerKey) -> Answer[Untaken]:
    """Have a delivery taken in again, after what was wrong has been mended; what it told before is only corrected."""
    running = running_of(request)

    async def act(tx: Tx) -> Untaken:
        rows = await tx.fetch_by_keys(tables.delivery, [(delivery,)], Delivery, by=("id",))
        if not rows or rows[0].account != caller.account:
            raise not_found("delivery", str(delivery))
        check(rows[0])
        await take_again(tx, running.writer, rows)
        return Untaken(str(delivery), "untaken")

    return await change(request, caller.account, act)
