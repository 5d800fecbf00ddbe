"""Friends: a member's code and standing, claims by code, and the shop's word on what is doubtful."""

from collections.abc import Callable
from typing import Annotated, Literal

import msgspec
from fastapi import Query, Request
from pydantic import Field

from services.loyalty.auditing import audited
from services.loyalty.catalogue import key_of
from services.loyalty.desk import Desk
from services.loyalty.records import Note
from services.loyalty.referral_records import Referral
from services.loyalty.referrals import invitations, links, review, views
from services.loyalty.referrals.invitations import Noted
from services.loyalty.referrals.loading import ABOUT, INVITED
from services.loyalty.referrals.prints import Kind
from services.loyalty.routes.base import KEYED, Asked, Cursor, Customer, Limit, Name, living
from services.loyalty.versions import versions_of
from services.loyalty.words import REFERRAL_NOTED, language_of
from shared.access import Caller, MemberOrServer, ServerKey, customer_of
from shared.errors import Refused
from shared.events.loyalty import FriendInvited
from shared.openapi import Answer, Router
from shared.web import Page, answer, perform, reading
from shared.workset import Command

router = Router()
Seen = Annotated[str, Field(max_length=500)]


class CodeBody(Asked):
    """A code of the member's choice; without one a random code is made, once."""

    code: Annotated[str, Field(max_length=40)] = ""


class PrintsBody(Asked):
    """What a customer was seen with, as the store knows it or hashed by it; only digests are kept."""

    email: Seen = ""
    phone: Seen = ""
    device: Seen = ""
    address: Seen = ""
    card: Seen = ""
    ip: Seen = ""

    def seen(self) -> dict[Kind, str]:
        """What is given, by kind."""
        kinds: tuple[Kind, ...] = ("email", "phone", "device", "address", "card", "ip")
        return {kind: value for kind in kinds if (value := getattr(self, kind))}


class ReferralClaimBody(Asked):
    """The code by which a friend signs up; a server names the friend, and what it has seen."""

    code: Annotated[str, Field(min_length=1, max_length=40)]
    customer: Customer = "me"
    seen: PrintsBody = Field(default_factory=PrintsBody)


class InviteBody(Asked):
    """Whom to invite, under which name the member goes, and the member's word that the friend has agreed to it."""

    email: Annotated[str, Field(min_length=3, max_length=254)]
    giver: Annotated[str, Field(min_length=1, max_length=40)]
    friend_agrees: Literal[True]
    store: Annotated[str, Field(max_length=80)] = ""


class DecisionBody(Asked):
    """Why a referral is approved or declined, and by whom."""

    reason: Annotated[str, Field(min_length=1, max_length=500)]
    actor: Annotated[str, Field(min_length=1, max_length=200)]


class ReferralClaimed(msgspec.Struct, frozen=True):
    """The word that a shopper gets, whatever became of a claim; a server is told of the referral as well, if any."""

    message: str
    referral: views.ReferralView | msgspec.UnsetType | None = msgspec.UNSET


@router.get("/v1/members/{customer}/referral")
async def get_standing(request: Request, customer: Name, caller: MemberOrServer) -> Answer[views.Standing]:
    """A member's code and link, how many friends came and bought, what that has earned, the next milestone."""
    named = await living(request, caller, customer)
    async with reading(request) as reader:
        found = (await versions_of(reader, [caller.account])).get(caller.account)
        standing = await views.standing(reader, caller.account, named, None if found is None else found.at(reader.now))
    if standing is None:
        raise Refused("no_referrals", "this programme pays nothing for friends", status=404)
    return answer(standing)


@router.post("/v1/members/{customer}/referral-code", openapi_extra=KEYED)
async def make_code(
    request: Request, customer: Name, caller: MemberOrServer, body: CodeBody | None = None
) -> Answer[links.Link]:
    """A member's code and link; another code, where the programme lets members choose."""
    code = "" if body is None else body.code
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, customer),
        judge=lambda command, desk: links.chosen(command, desk, code) if code else links.given(command, desk),
        about=f"{ABOUT}{code}",
    )


@router.post("/v1/members/{customer}/prints", openapi_extra=KEYED)
async def add_prints(request: Request, customer: Name, caller: ServerKey, body: PrintsBody) -> Answer[Noted]:
    """What a customer was seen with: devices, addresses, cards that nobody else should share."""

    def judge(command: Command, desk: Desk) -> Noted:
        review.note_prints(command, desk, body.seen())
        return Noted("noted")

    named = await customer_of(request, caller, customer)
    return await perform(request, caller=caller, customer=named, judge=judge, about=ABOUT)


@router.post("/v1/members/{customer}/invitations", status_code=201, openapi_extra=KEYED)
async def invite(request: Request, customer: Name, caller: MemberOrServer, body: InviteBody) -> Answer[Noted]:
    """Have a friend invited by mail, once ever; the answer is the same whoever the address belongs to."""
    store = body.store or caller.store
    if not store:
        raise Refused("store_missing", "say which store invites", pointer="/store")
    spoken = language_of(request.headers.get("accept-language", ""))
    asked = FriendInvited(email=body.email.strip(), giver=body.giver.strip(), locale=spoken)
    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, customer),
        judge=lambda command, desk: invitations.invite(command, desk, asked, store),
        status=201,
        about=f"{INVITED}{invitations.digest_of(caller.account, body.email)}",
    )


@router.post("/v1/referrals", status_code=201, openapi_extra=KEYED)
async def claim(request: Request, body: ReferralClaimBody, caller: MemberOrServer) -> Answer[ReferralClaimed]:
    """A friend signs up with a code; shoppers get the same neutral word whatever becomes of it."""
    said = REFERRAL_NOTED[language_of(request.headers.get("accept-language", ""))]
    if caller.kind == "customer" and body.seen.seen():
        raise Refused("forbidden", "only a server says what it has seen", status=403, pointer="/seen")

    def judge(command: Command, desk: Desk) -> ReferralClaimed:
        made = review.claim(command, desk, body.code, body.seen.seen())
        if caller.kind == "customer":
            return ReferralClaimed(said)
        return ReferralClaimed(said, None if made is None else views.told(made))

    return await perform(
        request,
        caller=caller,
        customer=await customer_of(request, caller, body.customer),
        judge=judge,
        status=201,
        about=f"{ABOUT}{key_of(body.code)}",
    )


@router.get("/v1/referrals")
async def list_referrals(
    request: Request,
    caller: ServerKey,
    status: Annotated[Literal["held", "approved", "rejected"], Query()] = "held",
    limit: Limit = 50,
    cursor: Cursor = "",
) -> Answer[Page[views.ReferralView]]:
    """The review queue, or the referrals of another status; each with its score and reasons."""
    async with reading(request) as reader:
        return answer(await views.page_of(reader, caller.account, status, limit, cursor))


@router.get("/v1/referrals/{referral}")
async def get_referral(request: Request, referral: Name, caller: ServerKey) -> Answer[views.ReferralView]:
    """One referral with its score, reasons and steps."""
    async with reading(request) as reader:
        return answer(views.told(await views.known(reader, caller.account, referral)))


@router.post("/v1/referrals/{referral}/approve", openapi_extra=KEYED)
async def approve(
    request: Request, referral: Name, body: DecisionBody, caller: ServerKey
) -> Answer[views.ReferralView]:
    """Let a referral count after all: what it has brought so far is paid."""
    return await _decide(request, caller, "approve_referral", referral, body, review.approve)


@router.post("/v1/referrals/{referral}/decline", openapi_extra=KEYED)
async def decline(
    request: Request, referral: Name, body: DecisionBody, caller: ServerKey
) -> Answer[views.ReferralView]:
    """Turn a referral down: what it has paid is taken back."""
    return await _decide(request, caller, "decline_referral", referral, body, review.decline)


async def _decide(
    request: Request,
    caller: Caller,
    action: str,
    name: str,
    body: DecisionBody,
    act: Callable[[Command, Desk, str, Note], Referral],
) -> Answer[views.ReferralView]:
    async with reading(request) as reader:
        friend = (await views.known(reader, caller.account, name)).friend
    note = Note(body.reason, body.actor)
    return await perform(
        request,
        caller=caller,
        customer=friend,
        judge=audited(caller, action, name, lambda command, desk: views.told(act(command, desk, name, note))),
        about=ABOUT,
    )
