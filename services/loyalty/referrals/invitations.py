"""Invitations: a friend is written to once, ever, whoever asks for it; only a digest of the address stays here."""

import re

import msgspec
from msgspec.structs import replace

from services.loyalty import terms as days
from services.loyalty.desk import Desk
from services.loyalty.handlers import enrolled
from services.loyalty.referral_records import Invitation
from services.loyalty.referrals import prints
from services.loyalty.referrals.links import terms_of, with_code
from shared.errors import Refused
from shared.events.loyalty import FriendInvited
from shared.workset import Command

ADDRESS = re.compile(r"[^@\s]{1,64}@[^@\s.]+(\.[^@\s.]+)+")
GIVER = re.compile(r"[^\W\d_]+([ '’-][^\W\d_]+){0,3}\.?")


class Noted(msgspec.Struct, frozen=True):
    """The answer that tells nothing more than that something was taken down."""

    status: str


def digest_of(account: str, address: str) -> str:
    """What is kept of an address: the digest of the mailbox that it reaches."""
    name, host = prints.mailbox(address)
    return prints.print_of(account, "email", f"{name}@{host}")[1]


def invite(command: Command, desk: Desk, asked: FriendInvited, store: str) -> Noted:
    """Ask that somebody be invited by a member's link; the answer does not tell who is known or was invited before.

    Raises Refused 403 `no_invitations`, 409 `too_many_invitations`, 422 `unusable_address` or `unusable_name`.
    """
    programme, terms = terms_of(command, desk)
    if not terms.invitations_per_day:
        raise Refused("no_invitations", "this programme sends no invitations", status=403)
    _check(asked)
    enrolled(desk, command.account, command.customer, programme)
    party = with_code(desk, desk.party(command.account, command.customer))
    today = days.local_day(programme.zone, desk.now)
    sent = party.known.invited[1] if party.known.invited[0] == today else 0
    if sent >= terms.invitations_per_day:
        raise Refused("too_many_invitations", f"{terms.invitations_per_day} a day", status=409)
    known = replace(party.known, invited=(today, sent + 1))
    desk.parties[command.account, command.customer] = replace(party, known=known)
    digest = digest_of(command.account, asked.email)
    if (command.account, digest) not in desk.invitations and ("email", digest) not in known.prints:
        desk.invitations[command.account, digest] = Invitation(command.account, digest, command.customer, desk.now)
        fact = replace(asked, link=terms.link_for(party.code))
        desk.emit(fact, customer=f"inv_{digest[:32]}", store=store)
    return Noted("noted")


def _check(asked: FriendInvited) -> None:
    if len(asked.email) > 254 or ADDRESS.fullmatch(asked.email.strip()) is None:
        raise Refused("unusable_address", "this is no e-mail address", pointer="/email")
    if GIVER.fullmatch(asked.giver.strip()) is None:
        raise Refused("unusable_name", "a name has letters only", pointer="/giver")
