"""Loyalty's HTTP: members and what they own, redemptions, corrections by hand, the programme."""

from collections.abc import Callable
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from services.loyalty import drafts, holds, redemptions, tables, views, wallets
from services.loyalty.desk import Desk
from services.loyalty.records import Hold, Redemption, Transaction
from services.loyalty.versions import versions_of
from shared.access import Caller, MemberOrServer, ServerKey, customer_of
from shared.errors import not_found
from shared.web import MOST_PER_PAGE, answer, perform, reading
from shared.workset import Command

router = APIRouter(tags=["loyalty"])
KEYED: dict[str, Any] = {"x-idempotency": "key"}
MOST_POINTS = 1_000_000_000
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str, Query(max_length=400)]
Name = Annotated[str, Path(max_length=700)]


class Asked(BaseModel):
    """The base of all bodies: unknown fields are refused."""

    model_config = ConfigDict(extra="forbid", strict=True)


class RedeemBody(Asked):
    """Points to spend; a server names the customer, a member's own token need not."""

    points: Annotated[int, Field(ge=1, le=MOST_POINTS)]
    customer: Annotated[str, Field(max_length=700)] = "me"


class HoldBody(RedeemBody):
    """Points to set aside, and for how many seconds."""

    seconds: Annotated[int, Field(ge=1, le=86_400)] = 1_800


class ReverseBody(Asked):
    """Nothing has to be said to give a redemption back."""


class AdjustBody(Asked):
    """Points to give or take by hand, by whom and why."""

    customer: Annotated[str, Field(max_length=700)]
    points: Annotated[int, Field(ge=-MOST_POINTS, le=MOST_POINTS)]
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    actor: Annotated[str, Field(min_length=1, max_length=200)]
    qualifies: bool = False


async def _named(request: Request, caller: Caller, name: str) -> str:
    named = await customer_of(request, caller, name)
    async with reading(request) as reader:
        return await views.survivor(reader, caller.account, named)


@router.get("/v1/members/{customer}")
async def get_member(request: Request, customer: Name, caller: MemberOrServer) -> Response:
    """Balance and tier of a member; one whom nobody knows yet has an empty wallet."""
    named = await _named(request, caller, customer)
    async with reading(request) as reader:
        found = await reader.fetch_by_keys(tables.member, [(caller.account, named)], wallets.member_of)
        programmes = await versions_of(reader, [caller.account])
        programme = programmes[caller.account].at(reader.now) if programmes else None
        return answer(views.member_view(named, found[0] if found else None, programme, reader.now))


@router.get("/v1/members/{customer}/transactions")
async def list_transactions(
    request: Request, customer: Name, caller: MemberOrServer, limit: Limit = 50, cursor: Cursor = ""
) -> Response:
    """What happened to a member's points, the newest first."""
    named = await _named(request, caller, customer)
    async with reading(request) as reader:
        return answer(await views.transactions_page(reader, caller.account, named, limit, cursor))


@router.get("/v1/members/{customer}/lots")
async def list_lots(
    request: Request, customer: Name, caller: MemberOrServer, limit: Limit = 50, cursor: Cursor = ""
) -> Response:
    """A member's points by source and expiry, the newest first."""
    named = await _named(request, caller, customer)
    async with reading(request) as reader:
        return answer(await views.lots_page(reader, caller.account, named, limit, cursor))


@router.post("/v1/redemptions", status_code=201, openapi_extra=KEYED)
async def redeem(request: Request, body: RedeemBody, caller: MemberOrServer) -> Response:
    """Spend available points, soonest to expire first."""
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=lambda command, desk: redemptions.redeem(command, desk, body.points),
        status=201,
    )


@router.post("/v1/redemptions/{redemption}/reverse", openapi_extra=KEYED)
async def reverse(request: Request, redemption: Name, caller: ServerKey, body: ReverseBody | None = None) -> Response:
    """Give the points of a redemption back into the lots they came out of, once."""
    async with reading(request) as reader:
        found = await reader.fetch_by_keys(tables.redemption, [(caller.account, redemption)], Redemption)
    if not found:
        raise not_found("redemption", redemption)
    return await perform(
        request,
        caller=caller,
        customer=found[0].customer,
        judge=lambda command, desk: redemptions.reverse(command, desk, redemption),
        about=redemption,
    )


@router.post("/v1/holds", status_code=201, openapi_extra=KEYED)
async def hold(request: Request, body: HoldBody, caller: MemberOrServer) -> Response:
    """Set points aside for an open checkout."""
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=lambda command, desk: holds.hold(command, desk, body.points, body.seconds),
        status=201,
    )


@router.post("/v1/holds/{hold}/capture", openapi_extra=KEYED)
async def capture(request: Request, hold: Name, caller: ServerKey) -> Response:
    """Spend the points that a hold has set aside; they can be given back as a redemption."""
    return await _end_hold(request, caller, hold, holds.capture)


@router.post("/v1/holds/{hold}/release", openapi_extra=KEYED)
async def release(request: Request, hold: Name, caller: ServerKey) -> Response:
    """Let a hold go before its time."""
    return await _end_hold(request, caller, hold, holds.release)


async def _end_hold(
    request: Request, caller: Caller, name: str, end: Callable[[Command, Desk, str], holds.Held]
) -> Response:
    async with reading(request) as reader:
        found = await reader.fetch_by_keys(tables.hold, [(caller.account, name)], Hold)
    if not found:
        raise not_found("hold", name)
    return await perform(
        request,
        caller=caller,
        customer=found[0].customer,
        judge=lambda command, desk: end(command, desk, name),
        about=name,
    )


@router.post("/v1/transactions", status_code=201, openapi_extra=KEYED)
async def adjust(request: Request, body: AdjustBody, caller: ServerKey) -> Response:
    """Correct a balance by hand, with the reason and who did it."""
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=lambda command, desk: redemptions.adjust(
            command, desk, body.points, body.reason, body.actor, qualifies=body.qualifies
        ),
        status=201,
    )


@router.get("/v1/transactions/{transaction}")
async def get_transaction(request: Request, transaction: Name, caller: ServerKey) -> Response:
    """One transaction with its legs."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.journal, [(caller.account, transaction)], Transaction)
        if not rows:
            raise not_found("transaction", transaction)
        return answer((await views.transaction_views(reader, caller.account, rows))[0])


@router.get("/v1/programs")
async def list_programs(request: Request, caller: MemberOrServer) -> Response:
    """The account's programme as it is in force now."""
    async with reading(request) as reader:
        found = await versions_of(reader, [caller.account])
        data = [versions.at(reader.now) for versions in found.values()]
    return answer({"data": data, "next_cursor": None, "has_more": False})


@router.get("/v1/programs/{program}")
async def get_program(
    request: Request, program: Name, caller: MemberOrServer, version: Annotated[int, Query(ge=0)] = 0
) -> Response:
    """One version of a programme; the newest one without `version`. The ETag is what `If-Match` wants."""
    async with reading(request) as reader:
        found = (await versions_of(reader, [caller.account])).get(caller.account)
    body = found.find(program, version) if found else None
    if body is None:
        raise not_found("program", program)
    return answer(body, headers={"etag": f'"{body.version}"'})


@router.put("/v1/programs/{program}", openapi_extra=KEYED)
async def put_program(request: Request, program: Name, body: dict[str, Any], caller: ServerKey) -> Response:
    """Add the next version of a programme; `If-Match` guards against overwriting somebody else's."""
    draft = drafts.read(body)
    match = request.headers.get("if-match", "")
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=lambda command, desk: drafts.put(command, desk, program, draft, match),
    )
