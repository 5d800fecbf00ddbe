"""The programme and its versions: read, compared, changed; what it gives and would give."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from fastapi import Query, Request, Response
from pydantic import Field

from services.loyalty import drafts, explaining, files, previews, tables, views
from services.loyalty.auditing import audited
from services.loyalty.earning import Shop
from services.loyalty.holders import in_wallet
from services.loyalty.impact import Impact
from services.loyalty.programmes import Programme
from services.loyalty.records import Member, Rating
from services.loyalty.routes.base import KEYED, NATURAL, Asked, Customer, Name, living
from services.loyalty.versions import Versions, versions_of
from shared.access import MemberOrServer, ServerKey
from shared.db import Reader
from shared.errors import not_found
from shared.events.ingest import Line
from shared.openapi import Answer, Router
from shared.web import Page, answer, perform, reading, whole

router = Router()

YAML: dict[int | str, dict[str, Any]] = {200: {"content": {"application/yaml": {"schema": {"type": "string"}}}}}


class Version(msgspec.Struct, frozen=True):
    """A version of a programme and since when it counts."""

    version: int
    name: str
    effective_from: datetime


class Differences(msgspec.Struct, frozen=True):
    """What a draft would change of a version."""

    version: int
    changes: list[files.Change]


class BasketLine(Asked):
    """One line of a basket; `net` is its price in all, after discounts, without tax, in minor units."""

    net: int
    product: str = ""
    variant: str = ""
    sku: str = ""
    kind: Literal["product", "gift_card", "shipping", "tip", "fee"] = "product"
    categories: list[str] = Field(default_factory=list)


class EvaluationBody(Asked):
    """A basket of a customer in a store, and the draft to try it with (the programme in force where none is given)."""

    lines: list[BasketLine]
    currency: str
    customer: Customer = "me"
    store: str = ""
    programme: dict[str, Any] | None = None


async def _versions(reader: Reader, account: str, program: str) -> Versions:
    found = (await versions_of(reader, [account])).get(account)
    if found is None or found.find(program, 0) is None:
        raise not_found("program", program)
    return found


@router.get("/v1/programs")
async def list_programs(request: Request, caller: MemberOrServer) -> Answer[Page[Programme]]:
    """The account's programme as it is in force now."""
    async with reading(request) as reader:
        found = await versions_of(reader, [caller.account])
        data = [versions.at(reader.now) for versions in found.values()]
    return answer(whole(data))


@router.get("/v1/programs/{program}", responses=YAML)
async def get_program(
    request: Request, program: Name, caller: MemberOrServer, version: Annotated[int, Query(ge=0)] = 0
) -> Answer[Programme] | Response:
    """One version of a programme; the newest one without `version`. The ETag is what `If-Match` wants."""
    async with reading(request) as reader:
        found = await _versions(reader, caller.account, program)
    body = found.find(program, version)
    if body is None:
        raise not_found("program", program)
    if "yaml" in request.headers.get("accept", ""):
        return Response(files.write(body), 200, {"etag": f'"{body.version}"'}, "application/yaml")
    return answer(body, headers={"etag": f'"{body.version}"'})


@router.get("/v1/programs/{program}/versions")
async def list_versions(request: Request, program: Name, caller: ServerKey) -> Answer[Page[Version]]:
    """Every version there is, the newest first, and since when each counts."""
    async with reading(request) as reader:
        found = await _versions(reader, caller.account, program)
    pairs = zip(found.bodies, found.effective, strict=True)
    return answer(whole([Version(body.version, body.name, since) for body, since in pairs][::-1]))


@router.put("/v1/programs/{program}", openapi_extra=KEYED)
async def put_program(request: Request, program: Name, body: dict[str, Any], caller: ServerKey) -> Answer[Programme]:
    """Add the next version of a programme; `If-Match` guards against overwriting somebody else's."""
    draft = drafts.read(body)
    match = request.headers.get("if-match", "")
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(
            caller, "programme", program, lambda command, desk: drafts.put(command, desk, program, draft, match)
        ),
    )


@router.post("/v1/programs/{program}/diff", openapi_extra=NATURAL)
async def diff_program(request: Request, program: Name, body: dict[str, Any], caller: ServerKey) -> Answer[Differences]:
    """What a draft would change of the newest version, field by field; nothing is written."""
    draft = drafts.read(body)
    async with reading(request) as reader:
        found = await _versions(reader, caller.account, program)
    newest = found.bodies[-1]
    return answer(Differences(newest.version, files.differences(newest, draft.programme)))


@router.post("/v1/programs/{program}/impact", openapi_extra=NATURAL)
async def preview_impact(request: Request, program: Name, body: dict[str, Any], caller: ServerKey) -> Answer[Impact]:
    """What a draft would do to the tiers of all members, by segment, if it were in force now; nothing is written."""
    draft = drafts.read(body)
    async with reading(request) as reader:
        found = await _versions(reader, caller.account, program)
        return answer(await previews.impact_of(reader, caller.account, found.at(reader.now), draft.programme))


@router.post("/v1/evaluations", openapi_extra=NATURAL)
async def evaluate(request: Request, body: EvaluationBody, caller: MemberOrServer) -> Answer[explaining.Explained]:
    """What a basket would earn if it were paid now, rule by rule; nothing is written."""
    named = await living(request, caller, body.customer)
    async with reading(request) as reader:
        versions = (await versions_of(reader, [caller.account])).get(caller.account)
        if versions is None:
            raise not_found("program", "of this account")
        now = reader.now
        programme = versions.at(now) if body.programme is None else _draft(body.programme, versions)
        found, holders = await views.members_of(reader, caller.account, named, programme)
    member = found or Member(caller.account, named, now)
    lines = tuple(_line(number, line) for number, line in enumerate(body.lines))
    order = explaining.basket_order(lines, body.currency, now)
    shop = Shop(body.store or caller.store, programme.zone)
    return answer(explaining.evaluated(order, shop, member, holders, programme, now))


@router.get("/v1/ratings/{order}")
async def get_rating(request: Request, order: Name, caller: MemberOrServer) -> Answer[explaining.Explained]:
    """Why an order earned what it earned: every rule, the condition that failed, what caps cut, and why zero."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.rating, [(caller.account, order)], Rating)
        versions = (await versions_of(reader, [caller.account])).get(caller.account)
        names = [] if versions is None else [(caller.account, in_wallet(order, one)) for one in versions.wallets]
        others = await reader.fetch_by_keys(tables.rating, names, Rating)
    if not rows or (caller.kind == "customer" and rows[0].customer != await living(request, caller, "me")):
        raise not_found("order", order)
    return answer(explaining.explained(rows[0], others))


def _draft(body: dict[str, Any], versions: Versions) -> Programme:
    draft = drafts.read(body).programme
    return drafts.numbered(draft, versions.bodies[-1].id, versions.bodies[-1].version + 1)


def _line(number: int, line: BasketLine) -> Line:
    return Line(
        id=str(number),
        kind=line.kind,
        product=line.product,
        variant=line.variant,
        sku=line.sku,
        categories=tuple(line.categories),
        gross=line.net,
        net=line.net,
    )
