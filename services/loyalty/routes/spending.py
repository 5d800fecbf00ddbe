"""Spending, setting aside, giving back, and corrections by hand."""

from collections.abc import Callable
from typing import Annotated

from fastapi import Request
from pydantic import Field

from services.loyalty import holds, redemptions, rewards, shelf, tables, tracing, transfers, views
from services.loyalty.auditing import audited
from services.loyalty.desk import Desk
from services.loyalty.holders import MAIN, without_wallet
from services.loyalty.records import Hold, Note, Redemption, Transaction
from services.loyalty.redemptions import Basket
from services.loyalty.reward_records import Voucher
from services.loyalty.routes.base import KEYED, MOST_POINTS, Asked, Customer, Name, Points, WalletName, living
from shared.access import Caller, MemberOrServer, ServerKey, customer_of, member_or_server
from shared.errors import Refused, not_found
from shared.openapi import Answer, Router
from shared.service import Direct
from shared.web import answer, perform, reading
from shared.workset import Command

router = Router()


class BasketBody(Asked):
    """What is to be paid, in minor units."""

    amount: Annotated[int, Field(ge=0, le=10**12)]
    currency: Annotated[str, Field(min_length=3, max_length=3)]


class RedeemBody(Asked):
    """Points to spend; a server names the customer, a member's own token need not.

    With a `basket` they pay a part of it, by the programme's terms; `order` is the store's id of the order they pay
    for, so that its refunds return them.
    """

    points: Points
    wallet: WalletName = MAIN
    customer: Customer = "me"
    basket: BasketBody | None = None
    store: Annotated[str, Field(max_length=80)] = ""
    order: Annotated[str, Field(max_length=400)] = ""

    def paying(self, caller: Caller) -> Basket:
        """The basket; raises Refused 422 when an order is named and no store."""
        named = reference(caller, self.store, self.order)
        return Basket(named) if self.basket is None else Basket(named, self.basket.amount, self.basket.currency)


class CaptureBody(Asked):
    """The order that a hold was captured for, by the store's own id."""

    store: Annotated[str, Field(max_length=80)] = ""
    order: Annotated[str, Field(max_length=400)] = ""


def reference(caller: Caller, store: str, order: str) -> str:
    """How redemptions name an order (store/its id), '' for none; raises Refused 422 `store_missing`."""
    if not order:
        return ""
    if not (store or caller.store):
        raise Refused("store_missing", "say which store's order this is", pointer="/store")
    return f"{store or caller.store}/{order}"


class HoldBody(RedeemBody):
    """Points and vouchers (by code or id) to set aside, and for how many seconds."""

    points: Annotated[int, Field(ge=0, le=MOST_POINTS)] = 0
    vouchers: Annotated[list[Annotated[str, Field(min_length=1, max_length=80)]], Field(max_length=20)] = Field(
        default_factory=list
    )
    seconds: Annotated[int, Field(ge=1, le=86_400)] = 1_800


class ReverseBody(Asked):
    """Nothing has to be said to give a redemption back."""


class TransferBody(Asked):
    """Points that a member gives to another (`to`), and why."""

    customer: Customer
    to: Customer
    points: Points
    wallet: WalletName = MAIN
    reason: Annotated[str, Field(max_length=500)] = ""
    actor: Annotated[str, Field(max_length=200)] = ""


class AdjustBody(Asked):
    """Points to give or take by hand, by whom and why."""

    customer: Customer
    points: Annotated[int, Field(ge=-MOST_POINTS, le=MOST_POINTS)]
    wallet: WalletName = MAIN
    reason: Annotated[str, Field(min_length=1, max_length=500)]
    actor: Annotated[str, Field(min_length=1, max_length=200)]
    qualifies: bool = False


@router.post("/v1/redemptions", status_code=201, openapi_extra=KEYED)
async def redeem(request: Request, body: RedeemBody, caller: MemberOrServer) -> Answer[redemptions.Redeemed]:
    """Spend available points, soonest to expire first."""
    basket = body.paying(caller)
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=lambda command, desk: redemptions.redeem(command, desk, body.points, basket, wallet=body.wallet),
        status=201,
        draws=body.points if body.wallet == MAIN else 0,
        together=True,
    )


DIRECT = {"/v1/redemptions": Direct(redeem, RedeemBody, member_or_server)}


@router.get("/v1/redemptions/{redemption}")
async def get_redemption(request: Request, redemption: Name, caller: MemberOrServer) -> Answer[tracing.Traced]:
    """Where the points of a redemption came from: each lot, the order or award behind it, its rules and expiry."""
    async with reading(request) as reader:
        found = await tracing.trace(reader, caller.account, redemption)
    if caller.kind == "customer" and found.customer != await living(request, caller, "me"):
        raise not_found("redemption", redemption)
    return answer(found)


@router.post("/v1/redemptions/{redemption}/reverse", openapi_extra=KEYED)
async def reverse(
    request: Request, redemption: Name, caller: ServerKey, body: ReverseBody | None = None
) -> Answer[redemptions.Redeemed]:
    """Give the points of a redemption back into the lots they came out of, once."""
    async with reading(request) as reader:
        found = await reader.fetch_by_keys(tables.redemption, [(caller.account, redemption)], Redemption)
        voucher = rewards.voucher_id(redemption)
        claimed = await reader.fetch_by_keys(tables.voucher, [(caller.account, voucher)], Voucher)
    if not found:
        raise not_found("redemption", redemption)
    if claimed:
        raise Refused("paid_for_reward", f"these points come back with {voucher} only", status=409)
    return await perform(
        request,
        caller=caller,
        customer=without_wallet(found[0].customer),
        judge=audited(
            caller, "reverse", redemption, lambda command, desk: redemptions.reverse(command, desk, redemption)
        ),
        about=redemption,
    )


@router.post("/v1/holds", status_code=201, openapi_extra=KEYED)
async def hold(request: Request, body: HoldBody, caller: MemberOrServer) -> Answer[holds.Held]:
    """Set points and vouchers aside for an open checkout."""
    if not (body.points or body.vouchers):
        raise Refused("nothing_to_hold", "say how many points, or which vouchers", pointer="/points")
    async with reading(request) as reader:
        found = [await shelf.voucher_of(reader, caller.account, named) for named in body.vouchers]
    names = tuple(dict.fromkeys(voucher.id for voucher in found))
    asked = holds.Checkout(body.points, body.seconds, body.paying(caller), names, body.wallet)
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=lambda command, desk: holds.hold(command, desk, asked),
        status=201,
        about=" ".join(names),
    )


@router.post("/v1/holds/{hold}/capture", openapi_extra=KEYED)
async def capture(
    request: Request, hold: Name, caller: ServerKey, body: CaptureBody | None = None
) -> Answer[holds.Held]:
    """Spend the points that a hold has set aside; they can be given back as a redemption."""
    named = "" if body is None else reference(caller, body.store, body.order)
    return await _end_hold(request, caller, hold, lambda command, desk, name: holds.capture(command, desk, name, named))


@router.post("/v1/holds/{hold}/release", openapi_extra=KEYED)
async def release(request: Request, hold: Name, caller: ServerKey) -> Answer[holds.Held]:
    """Let a hold go before its time."""
    return await _end_hold(request, caller, hold, holds.release)


async def _end_hold(
    request: Request, caller: Caller, name: str, end: Callable[[Command, Desk, str], holds.Held]
) -> Answer[holds.Held]:
    async with reading(request) as reader:
        found = await reader.fetch_by_keys(tables.hold, [(caller.account, name)], Hold)
    if not found:
        raise not_found("hold", name)
    return await perform(
        request,
        caller=caller,
        customer=without_wallet(found[0].customer),
        judge=lambda command, desk: end(command, desk, name),
        about=name,
    )


@router.post("/v1/transfers", status_code=201, openapi_extra=KEYED)
async def transfer(request: Request, body: TransferBody, caller: ServerKey) -> Answer[transfers.Transferred]:
    """Have a member give points to another; they keep their age and expiry."""
    to, note = await living(request, caller, body.to), Note(body.reason, body.actor)

    def give(command: Command, desk: Desk) -> transfers.Transferred:
        return transfers.transfer(command, desk, body.points, note, wallet=body.wallet)

    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=audited(caller, "transfer", to, give),
        status=201,
        other=to,
    )


@router.post("/v1/transactions", status_code=201, openapi_extra=KEYED)
async def adjust(request: Request, body: AdjustBody, caller: ServerKey) -> Answer[redemptions.Adjusted]:
    """Correct a balance by hand, with the reason and who did it."""
    named = await customer_of(request, caller, body.customer)
    return await perform(
        request,
        caller=caller,
        customer=named,
        judge=audited(
            caller,
            "adjust",
            named,
            lambda command, desk: redemptions.adjust(
                command, desk, body.points, body.reason, body.actor, qualifies=body.qualifies, wallet=body.wallet
            ),
        ),
        status=201,
    )


@router.get("/v1/transactions/{transaction}")
async def get_transaction(request: Request, transaction: Name, caller: ServerKey) -> Answer[views.TransactionView]:
    """One transaction with its legs."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.journal, [(caller.account, transaction)], Transaction)
        if not rows:
            raise not_found("transaction", transaction)
        return answer((await views.transaction_views(reader, caller.account, rows))[0])
