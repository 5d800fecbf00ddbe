"""The rewards catalogue, claims, and the vouchers that come of them."""

from collections.abc import Callable
from typing import Annotated, Any

import msgspec
from fastapi import Request
from pydantic import Field

from services.loyalty import drafts, rewards, shelf
from services.loyalty.auditing import audited
from services.loyalty.catalogue import Reward
from services.loyalty.desk import Desk
from services.loyalty.reward_records import RewardRow, Stock, Voucher
from services.loyalty.routes.base import KEYED, NATURAL, Asked, Cursor, Customer, Limit, Name, WalletName, living
from services.loyalty.routes.spending import reference
from shared.access import Caller, MemberOrServer, ServerKey, customer_of
from shared.db import new_id
from shared.errors import Refused, not_found
from shared.openapi import Answer, Router
from shared.web import Page, answer, perform, reading
from shared.workset import Command

router = Router()


class StockBody(Asked):
    """How many more (or fewer) there are of a reward."""

    change: Annotated[int, Field(ge=-(10**9), le=10**9)]


class CodesBody(Asked):
    """Codes for a reward's pool."""

    codes: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(min_length=1, max_length=10_000)]


class RewardClaimBody(Asked):
    """Who claims (a member's own token need not say), and from which wallet, where the reward leaves a choice."""

    customer: Customer = "me"
    wallet: WalletName | None = None


class CheckBody(Asked):
    """Codes that a shopper has entered, in their order."""

    codes: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(min_length=1, max_length=20)]


class UseBody(Asked):
    """The order in which a code was used, by the store's own id."""

    store: Annotated[str, Field(max_length=80)] = ""
    order: Annotated[str, Field(max_length=400)] = ""


class Checks(msgspec.Struct, frozen=True):
    """Codes in the order they were asked about."""

    data: list[shelf.Checked]


def _reward(body: dict[str, Any]) -> tuple[Reward, int | None]:
    given = dict(body)
    stock = given.pop("stock", None)
    if stock is not None and (not isinstance(stock, int) or isinstance(stock, bool) or stock < 0):
        raise Refused("malformed", "stock is a whole number from 0 on", status=400, pointer="/stock")
    return drafts.checked(given, Reward), stock


@router.get("/v1/rewards")
async def list_rewards(
    request: Request, caller: MemberOrServer, limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[shelf.RewardView]]:
    """The catalogue; members see what is offered, servers all of it."""
    async with reading(request) as reader:
        shown = await shelf.page_of(reader, caller.account, limit, cursor, offered=caller.kind == "customer")
        return answer(shown)


@router.post("/v1/rewards", status_code=201, openapi_extra=KEYED)
async def add_reward(request: Request, body: dict[str, Any], caller: ServerKey) -> Answer[RewardRow]:
    """Add a reward."""
    return await _put(request, caller, new_id("rwd"), body, 201)


@router.put("/v1/rewards/{reward}", openapi_extra=KEYED)
async def put_reward(request: Request, reward: Name, body: dict[str, Any], caller: ServerKey) -> Answer[RewardRow]:
    """Change a reward for claims from now on; its stock is changed by `/stock`."""
    async with reading(request) as reader:
        await shelf.known(reader, caller.account, reward)
    return await _put(request, caller, reward, {k: v for k, v in body.items() if k != "stock"}, 200)


async def _put(request: Request, caller: Caller, name: str, body: dict[str, Any], status: int) -> Answer[RewardRow]:
    reward, stock = _reward(body)
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(caller, "reward", name, lambda command, desk: rewards.put(command, desk, name, reward, stock)),
        status=status,
        about=name,
    )


@router.post("/v1/rewards/{reward}/stock", openapi_extra=KEYED)
async def restock(request: Request, reward: Name, body: StockBody, caller: ServerKey) -> Answer[Stock]:
    """Add to a limited reward, or take from it."""
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(
            caller, "stock", reward, lambda command, desk: rewards.restock(command, desk, reward, body.change)
        ),
        about=reward,
    )


@router.post("/v1/rewards/{reward}/codes", openapi_extra=KEYED)
async def import_codes(request: Request, reward: Name, body: CodesBody, caller: ServerKey) -> Answer[Stock]:
    """Add codes to a reward's pool; all of them or, when one is known already, none."""
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(
            caller, "codes", reward, lambda command, desk: rewards.fill_pool(command, desk, reward, body.codes)
        ),
        about=reward,
    )


@router.post("/v1/rewards/{reward}/claims", status_code=201, openapi_extra=KEYED)
async def claim(
    request: Request, reward: Name, caller: MemberOrServer, body: RewardClaimBody | None = None
) -> Answer[rewards.Claimed]:
    """Take a reward for points."""
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, "me" if body is None else body.customer),
        judge=lambda command, desk: rewards.claim(command, desk, reward, (body and body.wallet) or ""),
        status=201,
        about=reward,
    )


@router.get("/v1/vouchers/{code}")
async def get_voucher(request: Request, code: Name, caller: ServerKey) -> Answer[shelf.VoucherView]:
    """A voucher by its code, however it is written, or by its id."""
    async with reading(request) as reader:
        voucher = await shelf.voucher_of(reader, caller.account, code)
        return answer((await shelf.told(reader, [voucher]))[0])


@router.get("/v1/members/{customer}/vouchers")
async def list_vouchers(
    request: Request, customer: Name, caller: MemberOrServer, limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[shelf.VoucherView]]:
    """A member's vouchers, the newest first."""
    named = await living(request, caller, customer)
    async with reading(request) as reader:
        return answer(await shelf.vouchers_page(reader, caller.account, named, limit, cursor))


@router.post("/v1/vouchers/check", openapi_extra=NATURAL)
async def check(request: Request, body: CheckBody, caller: ServerKey) -> Answer[Checks]:
    """What some codes at one checkout come to: each by itself, and which of them go together; nothing is written."""
    async with reading(request) as reader:
        return answer(Checks(await shelf.checked(reader, caller.account, body.codes)))


@router.post("/v1/vouchers/{code}/use", openapi_extra=KEYED)
async def use(request: Request, code: Name, caller: ServerKey, body: UseBody | None = None) -> Answer[rewards.Claimed]:
    """Honour a code, once."""
    order = "" if body is None else reference(caller, body.store, body.order)
    return await _on_voucher(request, caller, code, lambda command, desk, name: rewards.use(command, desk, name, order))


@router.post("/v1/vouchers/{code}/return", openapi_extra=KEYED)
async def give_back(request: Request, code: Name, caller: MemberOrServer) -> Answer[rewards.Claimed]:
    """Give an unused voucher back for its points."""
    return await _on_voucher(request, caller, code, rewards.give_back)


async def _on_voucher(
    request: Request, caller: Caller, code: str, act: Callable[[Command, Desk, str], rewards.Claimed]
) -> Answer[rewards.Claimed]:
    async with reading(request) as reader:
        voucher: Voucher = await shelf.voucher_of(reader, caller.account, code)
    if caller.kind == "customer" and voucher.customer != await living(request, caller, "me"):
        raise not_found("voucher", code)
    return await perform(
        request,
        caller=caller,
        customer=voucher.customer,
        judge=lambda command, desk: act(command, desk, voucher.id),
        about=voucher.id,
    )
