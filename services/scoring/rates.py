"""The public API of exchange rates: the shop gives them by day; the currency reported in; whose money still waits."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import Query, Request
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import bindparam, select

from services.scoring import exchange, tables
from services.scoring.money import HOLDS_DAYS, Rates
from services.scoring.records import OrderRow, RatesRow
from shared import db
from shared.access import ServerKey
from shared.errors import not_found
from shared.events.ingest import Money
from shared.openapi import Answer, Router
from shared.web import MOST_PER_PAGE, Page, answer, page, read_cursor, reading, running_of

router = Router()

NATURAL: dict[str, Any] = {"x-idempotency": "natural"}
MOST_CURRENCIES = 400
_LATEST = 2**31 - 1
_PRICE = Annotated[Decimal, Field(gt=0, max_digits=24, decimal_places=12, allow_inf_nan=False)]
Code = Annotated[str, Field(pattern="^[A-Z]{3}$")]
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]

_purchase = tables.purchase
_WAITING = db.Query(
    select(*_purchase.columns)
    .where(_purchase.c.account == bindparam("account"), _purchase.c.paid_currency != "")
    .where(_purchase.c.waits.is_(True), _purchase.c.counts.is_(True), _purchase.c.order_id > bindparam("after"))
    .order_by(_purchase.c.order_id)
    .limit(bindparam("most"))
)


class RatesBody(BaseModel):
    """What one unit of `base` costs in each currency, as text or number; for example EUR and {"USD": "1.0842"}."""

    model_config = ConfigDict(extra="forbid")
    base: Code
    rates: Annotated[dict[Code, _PRICE], Field(min_length=1, max_length=MOST_CURRENCIES)]


class CurrencyBody(BaseModel):
    """An ISO 4217 code."""

    model_config = ConfigDict(extra="forbid")
    currency: Code


class RatesView(msgspec.Struct, frozen=True):
    """A day's rates: what one unit of `base` costs in each currency, as text."""

    date: date
    base: str
    rates: dict[str, str]


class Missing(msgspec.Struct, frozen=True):
    """An order whose money waits for a rate."""

    order: str
    store: str
    customer: str | None
    date: date
    money: Money


class ReportingCurrency(msgspec.Struct, frozen=True):
    """The currency reported in (None: none chosen yet), and for how many days a rate holds."""

    currency: str | None
    rates_hold_days: int


@router.get("/v1/exchange-rates")
async def list_rates(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: str = ""
) -> Answer[Page[RatesView]]:
    """The rates given so far, newest day first."""
    (before,) = read_cursor(cursor, tuple[int]) if cursor else (_LATEST,)
    async with reading(request) as reader:
        rows = await exchange.rates_before(reader, caller.account, before, limit + 1)
    listed = page([_view(row) for row in rows], limit, lambda view: (view.date.toordinal(),))
    return answer(listed)


@router.get("/v1/exchange-rates/missing")
async def list_missing(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: str = ""
) -> Answer[Page[Missing]]:
    """Orders that count but whose money is set aside until a rate comes, by id; amounts in minor units."""
    (after,) = read_cursor(cursor, tuple[str]) if cursor else ("",)
    async with reading(request) as reader:
        rows = await reader.fetch(_WAITING, account=caller.account, after=after, most=limit + 1)
    waiting = [_missing(OrderRow(*row)) for row in rows]
    return answer(page(waiting, limit, lambda view: (view.order,)))


@router.get("/v1/exchange-rates/{day}")
async def get_rates(request: Request, day: date, caller: ServerKey) -> Answer[RatesView]:
    """The rates that were given for a day."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.rates, [(caller.account, day.toordinal())], RatesRow)
    if not rows:
        raise not_found("exchange rates", day.isoformat())
    return answer(_view(rows[0]))


@router.put("/v1/exchange-rates/{day}", openapi_extra=NATURAL)
async def put_rates(request: Request, day: date, body: RatesBody, caller: ServerKey) -> Answer[RatesView]:
    """Give the rates of a day, in the place of any given before; they hold until newer ones, at most seven days."""
    given = Rates(body.base, {currency: format(price, "f") for currency, price in sorted(body.rates.items())})
    async with running_of(request).db.write() as tx:
        await exchange.give_rates(tx, caller.account, day.toordinal(), given)
    return answer(_view(RatesRow(caller.account, day.toordinal(), given)))


@router.get("/v1/reporting-currency")
async def get_reporting_currency(request: Request, caller: ServerKey) -> Answer[ReportingCurrency]:
    """The currency that scores and company figures are reckoned in."""
    async with reading(request) as reader:
        reporting = await exchange.reported_in(reader, caller.account)
    return answer(ReportingCurrency(reporting.currency if reporting else None, HOLDS_DAYS))


@router.put("/v1/reporting-currency", openapi_extra=NATURAL)
async def put_reporting_currency(request: Request, body: CurrencyBody, caller: ServerKey) -> Answer[ReportingCurrency]:
    """Choose another; every order is then converted anew, those without a rate of their day are set aside."""
    async with running_of(request).db.write() as tx:
        await exchange.report_in(tx, caller.account, body.currency)
    return answer(ReportingCurrency(body.currency, HOLDS_DAYS))


def _view(row: RatesRow) -> RatesView:
    return RatesView(date.fromordinal(row.day), row.rates.base, row.rates.quotes)


def _missing(row: OrderRow) -> Missing:
    return Missing(
        order=row.order_id,
        store=row.store,
        customer=row.customer or None,
        date=date.fromordinal(row.day),
        money=Money(amount=row.paid, currency=row.paid_currency),
    )
