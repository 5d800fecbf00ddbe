"""Codes of members, by which their links are made: one for each, others of their choice where the shop lets them."""

import re

import msgspec
from msgspec.structs import replace

from services.loyalty import catalogue
from services.loyalty.desk import Desk
from services.loyalty.handlers import enrolled
from services.loyalty.programmes import Programme
from services.loyalty.referral_records import Party, ReferralCode
from services.loyalty.referring import Referrals
from shared.errors import Refused
from shared.workset import Command

PATTERN = "########"
CHOSEN = re.compile(r"[A-Z0-9]{4,24}")


class Link(msgspec.Struct, frozen=True):
    """A member's code, and the link to share."""

    code: str
    link: str


def given(command: Command, desk: Desk) -> Link:
    """A member's code, made when there is none yet; raises Refused 404 where nothing is paid for friends."""
    programme, terms = terms_of(command, desk)
    enrolled(desk, command.account, command.customer, programme)
    code = with_code(desk, desk.party(command.account, command.customer)).code
    return Link(code, terms.link_for(code))


def with_code(desk: Desk, party: Party) -> Party:
    """A member with a code, a random one where there is none yet."""
    if party.code:
        return party
    code = catalogue.new_code(PATTERN)
    desk.new_referral_codes.append(ReferralCode(party.account, code, code, party.customer))
    desk.parties[party.account, party.customer] = after = replace(party, code=code)
    return after


def chosen(command: Command, desk: Desk, code: str) -> Link:
    """Let a member go by another code; the older ones stay good. Raises Refused 403, 409 `code_taken`, 422."""
    programme, terms = terms_of(command, desk)
    if not terms.own_codes:
        raise Refused("no_own_codes", "in this programme codes cannot be chosen", status=403)
    key = catalogue.key_of(code)
    if CHOSEN.fullmatch(key) is None:
        raise Refused("unusable_code", "4 to 24 letters and digits", pointer="/code")
    enrolled(desk, command.account, command.customer, programme)
    held = desk.referral_codes.get((command.account, key))
    if held is None:
        desk.chosen_codes.append(ReferralCode(command.account, key, code.strip(), command.customer))
    elif held.customer != command.customer:
        raise Refused("code_taken", "this code is taken", status=409, pointer="/code")
    party = desk.party(command.account, command.customer)
    desk.parties[command.account, command.customer] = replace(party, code=code.strip())
    return Link(code.strip(), terms.link_for(code.strip()))


def terms_of(command: Command, desk: Desk) -> tuple[Programme, Referrals]:
    """The programme in force and what it says of referrals; raises Refused 404 where it says nothing."""
    programme = desk.programmes(command.account, command.store).at(desk.now)
    if programme.referrals is None:
        raise Refused("no_referrals", "this programme pays nothing for friends", status=404)
    return programme, programme.referrals
