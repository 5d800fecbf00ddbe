"""For the shop: what the programme owes, balances at past moments, who changed what, balances from elsewhere."""

from datetime import datetime
from functools import partial
from typing import Annotated, Literal

import msgspec
from fastapi import Query, Request
from pydantic import AfterValidator

from services.loyalty import auditing, imports, reports
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.records import AuditRow
from services.loyalty.routes.base import NATURAL, Cursor, Limit, Name, OfWallet, living
from services.loyalty.versions import versions_of
from shared.access import MemberOrServer, ServerKey, customer_of
from shared.clock import in_calendar
from shared.errors import not_found
from shared.openapi import Answer, Router
from shared.web import Page, answer, reading, refuse_unkept, running_of

router = Router()
ROWS_AT_ONCE = 100  # one commit for so many, and nobody waits long behind them
CSV = {"requestBody": {"required": True, "content": {"text/csv": {"schema": {"type": "string"}}}}}
At = Annotated[Annotated[datetime, AfterValidator(in_calendar)] | None, Query()]


class Imported(msgspec.Struct, frozen=True):
    """How many rows a file had, and how many of them were new or known already."""

    rows: int
    imported: int
    known: int


@router.get("/v1/reports/liability")
async def get_liability(
    request: Request, caller: ServerKey, at: At = None, wallet: OfWallet = MAIN
) -> Answer[reports.Liability]:
    """Points of a wallet outstanding by age and expiry, breakage and redemption rate, as recorded until `at` (now)."""
    async with reading(request) as reader:
        versions = (await versions_of(reader, [caller.account])).get(caller.account)
        if versions is None:
            raise not_found("program", "of this account")
        if wallet != MAIN and wallet not in versions.wallets:
            raise not_found("wallet", wallet)
        moment = at or reader.now
        body = next(one for one in (versions.at(moment), *versions.bodies) if wallet == MAIN or one.has(wallet))
        return answer(await reports.liability(reader, caller.account, body, moment, wallet))


@router.get("/v1/members/{customer}/balance")
async def get_balance(
    request: Request,
    customer: Name,
    caller: MemberOrServer,
    at: At = None,
    clock: Literal["recorded", "occurred"] = "recorded",
    wallet: OfWallet = MAIN,
) -> Answer[reports.Balance]:
    """A wallet at a past moment, both sides of it: as recorded until then, or by what had occurred until then."""
    named = in_wallet(await living(request, caller, customer), wallet)
    async with reading(request) as reader:
        return answer(await reports.balance(reader, caller.account, named, at or reader.now, clock))


@router.get("/v1/audit-events")
async def list_audit(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[AuditRow]]:
    """What was changed by the API and by which key, the newest first."""
    async with reading(request) as reader:
        return answer(await auditing.page_of(reader, caller.account, limit, cursor))


@router.post("/v1/imports/balances", openapi_extra={**NATURAL, **CSV})
async def import_balances(request: Request, caller: ServerKey) -> Answer[Imported]:
    """Enter balances from another system, a CSV file of lots; each row's `reference` makes it count once.

    Columns: customer, points, reference, accrued_at, expires_at, available_at, qualifies, wallet.
    """
    await refuse_unkept(request)
    text = (await request.body()).decode("utf-8", "replace")
    rows = [(await customer_of(request, caller, row.customer), row) for row in imports.read(text)]
    running, new = running_of(request), 0
    async with reading(request) as reader:
        calls = imports.commands(caller.account, rows, reader.now)
    for first in range(0, len(calls), ROWS_AT_ONCE):
        async with running.db.write() as tx:
            for command, row in calls[first : first + ROWS_AT_ONCE]:
                judge = auditing.audited(caller, "import", row.reference, partial(imports.take, row=row))
                new += await running.command(tx, command, judge)
    running.relay.news.set()
    return answer(Imported(len(rows), new, len(rows) - new))
