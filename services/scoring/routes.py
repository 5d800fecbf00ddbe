"""The public API of scoring: scores, segments, company figures, models."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Query, Request
from sqlalchemy import bindparam, func, select

from services.scoring import kpis, rates, tables, views
from services.scoring.exchange import reported_in
from services.scoring.features import local_day
from services.scoring.money import original
from services.scoring.records import Member, ModelRow, OrderRow
from services.scoring.refits import served_of
from services.scoring.scores import Served, Terms
from services.scoring.segments import DEFINITIONS, Segment
from services.scoring.words import Language
from shared import db
from shared.access import ServerKey, customer_of
from shared.db.base import Reader
from shared.errors import not_found
from shared.openapi import Answer, Router
from shared.tables import AliasRow
from shared.web import MOST_PER_PAGE, Page, answer, page, read_cursor, reading, whole

router = Router(tags=["scoring"])
router.include_router(rates.router)

Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Horizon = Annotated[int, Query(ge=1, le=1825, description="days ahead that lifetime value counts")]
Discount = Annotated[float, Query(ge=0, le=1, description="discount a year")]
Margin = Annotated[float, Query(ge=0, le=1, description="share of net that is profit")]

_member, _purchase, _model = tables.member, tables.purchase, tables.model
_members = (
    select(*_member.columns)
    .where(_member.c.account == bindparam("account"), _member.c.customer > bindparam("after"))
    .order_by(_member.c.customer)
    .limit(bindparam("most"))
)
_MEMBERS = db.Query(_members)
_IN_SEGMENT = db.Query(_members.where(_member.c.segment == bindparam("segment")))
_SIZES = db.Query(
    select(_member.c.segment, func.count()).where(_member.c.account == bindparam("account")).group_by(_member.c.segment)
)
_orders = (
    select(*_purchase.columns)
    .where(_purchase.c.account == bindparam("account"), _purchase.c.order_id > bindparam("after"))
    .order_by(_purchase.c.order_id)
    .limit(bindparam("most"))
)
_ORDERS = db.Query(_orders)
_ORDERS_OF_STORE = db.Query(_orders.where(_purchase.c.store == bindparam("store")))
_PIECE = 2000
_MODELS = db.Query(
    select(*_model.columns)
    .where(_model.c.account == bindparam("account"), _model.c.version < bindparam("before"))
    .order_by(_model.c.version.desc())
    .limit(bindparam("most"))
)
_NEWEST = 2**31 - 1


class SegmentView(msgspec.Struct, frozen=True):
    """A segment, what it means, and how many customers stand in it."""

    name: str
    description: str
    customers: int


class CompanyFigures(msgspec.Struct, frozen=True, kw_only=True):
    """CompanyFigures by month with the definition of each; `store` is None for the whole account."""

    store: str | None
    as_of: datetime
    reporting_currency: str | None
    definitions: dict[str, str]
    data: list[kpis.Month]
    next_cursor: None = None
    has_more: bool = False


class Models(msgspec.Struct, frozen=True):
    """The model in force, and refits."""

    in_force: Served
    data: list[ModelRow]
    next_cursor: str | None
    has_more: bool


async def _terms(horizon: Horizon = 365, discount: Discount = 0.1, margin: Margin = 1.0) -> Terms:
    return Terms(horizon, discount, margin)


@router.get("/v1/scores/{customer}")
async def customer_scores(
    request: Request,
    caller: ServerKey,
    customer: str,
    terms: Annotated[Terms, Depends(_terms)],
    language: Language = "en",
) -> Answer[views.CustomerScores]:
    """One customer's scores as of now, each with its reasons."""
    name = await customer_of(request, caller, customer)
    async with reading(request) as reader:
        members = await _named(reader, caller.account, name)
        served = await served_of(reader, caller.account)
    if not members:
        raise not_found("customer", name)
    return answer(views.scores_of(members[0], served, reader.now, terms, language))


async def _named(reader: Reader, account: str, name: str) -> list[Member]:
    """The customer of that id, or whom she was merged into."""
    members = await reader.fetch_by_keys(tables.member, [(account, name)], Member)
    if members:
        return members
    aliases = await reader.fetch_by_keys(tables.kernel.alias, [(account, name)], AliasRow)
    return await _named(reader, account, aliases[0].survivor) if aliases else []


@router.get("/v1/scores")
async def list_scores(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: str = "", segment: Segment | None = None
) -> Answer[Page[views.CustomerScores]]:
    """Customers with their scores as of now, by id."""
    return await _members_page(request, caller.account, limit, cursor, segment)


@router.get("/v1/segments")
async def list_segments(request: Request, caller: ServerKey) -> Answer[Page[SegmentView]]:
    """The lifecycle segments, what each means, and how many customers stand in it."""
    async with reading(request) as reader:
        sizes = {row[0]: int(row[1]) for row in await reader.fetch(_SIZES, account=caller.account)}
    return answer(whole([SegmentView(name, text, sizes.get(name, 0)) for name, text in DEFINITIONS.items()]))


@router.get("/v1/segments/{name}/members")
async def segment_members(
    request: Request, caller: ServerKey, name: str, limit: Limit = 50, cursor: str = ""
) -> Answer[Page[views.CustomerScores]]:
    """Who stands in a segment, with scores, by id."""
    if name not in DEFINITIONS:
        raise not_found("segment", name)
    return await _members_page(request, caller.account, limit, cursor, Segment(name))


async def _members_page(
    request: Request, account: str, limit: int, cursor: str, segment: Segment | None
) -> Answer[Page[views.CustomerScores]]:
    (after,) = read_cursor(cursor, tuple[str]) if cursor else ("",)
    asked: dict[str, Any] = {"account": account, "after": after, "most": limit + 1}
    async with reading(request) as reader:
        if segment is None:
            rows = await reader.fetch(_MEMBERS, **asked)
        else:
            rows = await reader.fetch(_IN_SEGMENT, segment=segment.value, **asked)
        served = await served_of(reader, account)
    shown = [views.scores_of(Member(*row), served, reader.now, Terms()) for row in rows]
    return answer(page(shown, limit, lambda view: (view.customer,)))


@router.get("/v1/kpis")
async def company_figures(
    request: Request, caller: ServerKey, store: str = "", months: Annotated[int, Query(ge=1, le=240)] = 24
) -> Answer[CompanyFigures]:
    """CompanyFigures of the account or of one store by month, newest last, with their definitions."""
    async with reading(request) as reader:
        sales = [row async for row in _counted(reader, caller.account, store)]
        reporting = await reported_in(reader, caller.account)
    today = max((local_day(reader.now, zone) for zone in {row.zone for row in sales}), default=0)
    figures = await asyncio.to_thread(_by_month, sales, today)
    currency = reporting.currency if reporting else None
    return answer(
        CompanyFigures(
            store=store or None,
            as_of=reader.now,
            reporting_currency=currency,
            definitions=kpis.DEFINITIONS,
            data=figures[-months:],
        )
    )


async def _counted(reader: Reader, account: str, store: str) -> AsyncIterator[OrderRow]:
    """The orders that count, of one store or all, read in pieces so that others are answered too."""
    asked: dict[str, Any] = {"account": account, "most": _PIECE, **({"store": store} if store else {})}
    after, more = "", True
    while more:
        rows = await reader.fetch(_ORDERS_OF_STORE if store else _ORDERS, after=after, **asked)
        for order in (OrderRow(*row) for row in rows):
            after = order.order_id
            if order.counts:
                yield order
        more = len(rows) == _PIECE


def _by_month(sales: list[OrderRow], today: int) -> list[kpis.Month]:
    rows, worth = [], []
    for order in sales:
        currency, paid = original(order.purchase)
        rows.append((order.customer, order.day, paid, currency))
        worth.append(-1 if order.waits else order.value)
    return kpis.by_month(kpis.Sales.of(rows, worth), today)


@router.get("/v1/models")
async def list_models(request: Request, caller: ServerKey, limit: Limit = 20, cursor: str = "") -> Answer[Models]:
    """The account's refits, newest first, each with its card, and the model in force."""
    (before,) = read_cursor(cursor, tuple[int]) if cursor else (_NEWEST,)
    async with reading(request) as reader:
        rows = await reader.fetch(_MODELS, account=caller.account, before=before, most=limit + 1)
        served = await served_of(reader, caller.account)
    listed = page([ModelRow(*row) for row in rows], limit, lambda row: (row.version,))
    return answer(Models(served, listed.data, listed.next_cursor, listed.has_more))
