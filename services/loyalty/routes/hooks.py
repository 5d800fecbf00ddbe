"""Webhooks that go out and files of codes: how coupons get to a shop that is to honour them."""

from datetime import datetime
from typing import Annotated, Literal

from fastapi import Query, Request, Response
from pydantic import AfterValidator, Field

from services.loyalty import exports, hooks
from services.loyalty.auditing import audited
from services.loyalty.claiming import HOOK
from services.loyalty.hook_records import What
from services.loyalty.routes.base import KEYED, Asked, Cursor, Limit, Name
from shared.access import ServerKey
from shared.clock import in_calendar
from shared.openapi import Answer, Router
from shared.vault import vault_of
from shared.web import Page, answer, perform, reading, running_of, whole

router = Router()
Moment = Annotated[Annotated[datetime, AfterValidator(in_calendar)] | None, Query()]
Status = Literal["", "issued", "held", "used", "returned"]


class Csv(Response):
    """A file of rows."""

    media_type = "text/csv"


class HookBody(Asked):
    """An address (https, or http within one's own network), and what it wants to hear of."""

    url: Annotated[str, Field(pattern=r"^https?://[^\s]+$", max_length=2_000)]
    events: Annotated[list[What], Field(min_length=1, max_length=10)]


@router.post("/v1/webhooks", status_code=201, openapi_extra=KEYED)
async def add_webhook(request: Request, body: HookBody, caller: ServerKey) -> Answer[hooks.Made]:
    """Add a webhook; the answer shows its secret, once."""
    secret, events = hooks.new_secret(), tuple(dict.fromkeys(body.events))
    sealed = vault_of(running_of(request).settings).seal(secret)
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(
            caller,
            "webhook",
            body.url,
            lambda command, desk: hooks.make(command, desk, body.url, events, secret, sealed),
        ),
        status=201,
    )


@router.get("/v1/webhooks")
async def list_webhooks(request: Request, caller: ServerKey) -> Answer[Page[exports.HookView]]:
    """The account's webhooks."""
    async with reading(request) as reader:
        return answer(whole(await exports.hooks_of(reader, caller.account)))


@router.delete("/v1/webhooks/{webhook}", openapi_extra=KEYED)
async def stop_webhook(request: Request, webhook: Name, caller: ServerKey) -> Answer[hooks.Stopped]:
    """Tell a webhook nothing any more."""
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=audited(caller, "webhook_stopped", webhook, lambda command, desk: hooks.stop(command, desk, webhook)),
        about=f"{HOOK}{webhook}",
    )


@router.get("/v1/webhooks/{webhook}/calls")
async def list_calls(
    request: Request, webhook: Name, caller: ServerKey, limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[exports.CallView]]:
    """What a webhook was told or is to be told, the newest first, and how it answered."""
    async with reading(request) as reader:
        return answer(await exports.calls_page(reader, caller.account, webhook, limit, cursor))


@router.post("/v1/webhooks/{webhook}/calls/{call}/retry", openapi_extra=KEYED)
async def retry_call(request: Request, webhook: Name, call: Name, caller: ServerKey) -> Answer[hooks.Retried]:
    """Make a call once more, at once."""
    del webhook
    return await perform(
        request,
        caller=caller,
        customer="",
        judge=lambda command, desk: hooks.again(command, desk, call),
        about=f"{HOOK}{call}",
    )


@router.get("/v1/exports/vouchers", response_class=Csv)
async def export_vouchers(  # noqa: PLR0913, PLR0917 - what a list can be narrowed by
    request: Request,
    caller: ServerKey,
    since: Moment = None,
    reward: str = "",
    status: Status = "",
    limit: Annotated[int, Query(ge=1, le=10_000)] = 1_000,
    cursor: Cursor = "",
) -> Response:
    """Vouchers as CSV, the oldest first; the header `next-cursor` is there while there are more."""
    async with reading(request) as reader:
        chosen = exports.Chosen(since, reward, status)
        text, following = await exports.vouchers(reader, caller.account, chosen, limit, cursor)
    headers = {"content-disposition": "attachment; filename=vouchers.csv"}
    return Csv(text, 200, headers | ({"next-cursor": following} if following else {}))
