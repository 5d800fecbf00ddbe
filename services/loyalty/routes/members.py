"""What a member owns: balance, tier, lots, transactions."""

from typing import Annotated

from fastapi import Query, Request

from services.loyalty import member_page, views, words
from services.loyalty.holders import MAIN, in_wallet
from services.loyalty.routes.base import Cursor, Limit, Name, OfWallet, living
from services.loyalty.versions import versions_of
from shared.access import MemberOrServer
from shared.openapi import Answer, Router
from shared.web import Page, answer, reading

router = Router()
Spoken = Annotated[str, Query(max_length=20)]


@router.get("/v1/members/{customer}")
async def get_member(request: Request, customer: Name, caller: MemberOrServer) -> Answer[views.MemberView]:
    """Balance and tier of a member; one whom nobody knows yet has an empty wallet."""
    named = await living(request, caller, customer)
    async with reading(request) as reader:
        programmes = await versions_of(reader, [caller.account])
        programme = programmes[caller.account].at(reader.now) if programmes else None
        member, holders = await views.members_of(reader, caller.account, named, programme)
        return answer(views.member_view(named, member, programme, reader.now, holders))


@router.get("/v1/members/{customer}/page")
async def get_page(
    request: Request, customer: Name, caller: MemberOrServer, language: Spoken = ""
) -> Answer[member_page.MemberPage]:
    """All that a member's page shows: wallet, what expires soon, tier and way to the next, history, rewards."""
    named = await living(request, caller, customer)
    spoken = words.language_of(language, request.headers.get("accept-language", ""))
    async with reading(request) as reader:
        return answer(await member_page.page(reader, caller.account, named, spoken))


@router.get("/v1/members/{customer}/transactions")
async def list_transactions(
    request: Request,
    customer: Name,
    caller: MemberOrServer,
    limit: Limit = 50,
    cursor: Cursor = "",
    wallet: OfWallet = MAIN,
) -> Answer[Page[views.TransactionView]]:
    """What happened to a member's points of a wallet, the newest first."""
    named = in_wallet(await living(request, caller, customer), wallet)
    async with reading(request) as reader:
        return answer(await views.transactions_page(reader, caller.account, named, limit, cursor))


@router.get("/v1/members/{customer}/lots")
async def list_lots(
    request: Request,
    customer: Name,
    caller: MemberOrServer,
    limit: Limit = 50,
    cursor: Cursor = "",
    wallet: OfWallet = MAIN,
) -> Answer[Page[views.LotView]]:
    """A member's points of a wallet by source and expiry, the newest first."""
    named = in_wallet(await living(request, caller, customer), wallet)
    async with reading(request) as reader:
        return answer(await views.lots_page(reader, caller.account, named, limit, cursor))
