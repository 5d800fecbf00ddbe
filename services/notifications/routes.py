"""The public API of notifications: contacts, messages, decisions, suppressions, journeys."""

from typing import Annotated, Any, Literal

import msgspec
from fastapi import Path, Query, Request
from pydantic import BaseModel, ConfigDict

from services.notifications import pages, tables, views
from services.notifications.channels.base import Fate, Outcome
from services.notifications.desk import Desk
from services.notifications.ledger import note
from services.notifications.records import Contact, MessageState
from shared.access import Caller, MemberOrServer, ServerKey, customer_of
from shared.errors import Refused, not_found
from shared.openapi import Answer, Router
from shared.web import MOST_PER_PAGE, Page, answer, perform, reading, whole
from shared.workset import Command

router = Router(tags=["notifications"])
router.include_router(pages.router)
KEYED: dict[str, Any] = {"x-idempotency": "key"}
Limit = Annotated[int, Query(ge=1, le=MOST_PER_PAGE)]
Cursor = Annotated[str, Query(max_length=400)]
Name = Annotated[str, Query(max_length=700)]


class OutcomeBody(BaseModel):
    """What somebody found out about a message whose outcome was unknown."""

    model_config = ConfigDict(extra="forbid", strict=True)

    outcome: Literal["accepted", "refused"]


class Settled(msgspec.Struct, frozen=True):
    """A message and what became of it."""

    id: str
    state: MessageState


async def _named(request: Request, caller: Caller, name: str) -> str:
    named = await customer_of(request, caller, name)
    async with reading(request) as reader:
        return await views.survivor(reader, caller.account, named)


@router.get("/v1/contacts/{customer}")
async def get_contact(
    request: Request, customer: Annotated[str, Path(max_length=700)], caller: MemberOrServer
) -> Answer[views.ContactView]:
    """What is known of a contact: address, language, zone, consents and suppressions."""
    named = await _named(request, caller, customer)
    async with reading(request) as reader:
        contact = await views.contact_of(reader, caller.account, named)
        if contact is None and caller.kind == "server":
            raise not_found("contact", customer)
        return answer(await views.contact_view(reader, contact or Contact(account=caller.account, customer=named)))


@router.get("/v1/contacts/{customer}/consents")
async def list_consents(
    request: Request,
    customer: Annotated[str, Path(max_length=700)],
    caller: MemberOrServer,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Answer[Page[views.ConsentView]]:
    """The consent ledger of a contact, the oldest first; each line's digest covers the one before it."""
    named = await _named(request, caller, customer)
    async with reading(request) as reader:
        return answer(await views.consents_page(reader, caller.account, named, limit, cursor))


@router.get("/v1/messages")
async def list_messages(
    request: Request,
    caller: MemberOrServer,
    customer: Name = "",
    state: MessageState | None = None,
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Answer[Page[views.MessageView]]:
    """Messages, the newest first: a customer's, or under a server key those of all."""
    everybody = caller.kind == "server" and not customer
    named = "" if everybody else await _named(request, caller, customer or "me")
    async with reading(request) as reader:
        wanted = state.value if state else ""
        return answer(await views.messages_page(reader, caller.account, named, wanted, limit, cursor))


@router.post("/v1/messages/{message}/outcome", openapi_extra=KEYED)
async def clear_up(
    request: Request, message: Annotated[str, Path(max_length=80)], body: OutcomeBody, caller: ServerKey
) -> Answer[Settled]:
    """Say what became of a message whose outcome is unknown; 409 for any other."""
    async with reading(request) as reader:
        rows = await reader.fetch_by_keys(tables.message, [(caller.account, message)], tables.message_row)
    if not rows:
        raise not_found("message", message)

    def judge(command: Command, desk: Desk) -> Settled:
        known = desk.messages[command.account, message]
        if known.state is not MessageState.UNKNOWN:
            raise Refused("message_settled", f"this message is {known.state.value}", status=409)
        note(desk, known, Outcome(Fate(body.outcome), "said by hand"))
        return Settled(message, desk.messages[command.account, message].state)

    return await perform(request, caller=caller, customer=rows[0].customer, judge=judge)


@router.get("/v1/decisions")
async def list_decisions(
    request: Request, caller: MemberOrServer, customer: Name = "", limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[views.DecisionView]]:
    """Why messages were not sent, or not yet, the newest first: a customer's, or under a server key those of all."""
    everybody = caller.kind == "server" and not customer
    named = "" if everybody else await _named(request, caller, customer or "me")
    async with reading(request) as reader:
        return answer(await views.decisions_page(reader, caller.account, named, limit, cursor))


@router.get("/v1/suppressions")
async def list_suppressions(
    request: Request, caller: ServerKey, limit: Limit = 50, cursor: Cursor = ""
) -> Answer[Page[views.SuppressedAddress]]:
    """Addresses, as keyed hashes, that must not be written to, and why."""
    async with reading(request) as reader:
        return answer(await views.suppressions_page(reader, caller.account, limit, cursor))


@router.get("/v1/journeys")
async def list_journeys(request: Request, caller: ServerKey) -> Answer[Page[views.JourneyView]]:
    """The journeys and their steps, and since when each listens."""
    return answer(whole(views.journeys_view()))
