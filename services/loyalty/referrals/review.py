"""What shops and members ask of referrals: claim one by code, approve one, turn one down."""

from collections.abc import Mapping

from msgspec.structs import replace

from services.loyalty.catalogue import key_of
from services.loyalty.desk import Desk
from services.loyalty.handlers import enrolled
from services.loyalty.records import Note
from services.loyalty.referral_records import Referral, Touch
from services.loyalty.referrals import cases, prints, steps
from services.loyalty.referrals.cases import Came
from services.loyalty.referrals.judgement import NEVER
from services.loyalty.referrals.links import terms_of
from services.loyalty.referrals.prints import Kind
from shared.errors import Refused, not_found
from shared.workset import Command


def claim(command: Command, desk: Desk, code: str, seen: Mapping[Kind, str]) -> Referral | None:
    """A friend signs up with a code; None when the code is nobody's, or somebody else has brought the friend already.

    `seen` are device, address, card or telephone as the store knows them; digests are kept.
    """
    programme, terms = terms_of(command, desk)
    member = enrolled(desk, command.account, command.customer, programme)
    note_prints(command, desk, seen)
    held = desk.referral_codes.get((command.account, key_of(code)))
    if held is None:
        return None
    before = cases.standing(desk, command.account, command.customer)
    if before is not None:
        return before if before.referrer == held.customer else None
    came = Came(Touch(command.time, held.key, typed=True), held.customer, command.time)
    made = cases.opened(came, desk, programme, terms, existing=bool(member.first_order))
    if made is None:
        return desk.referrals[command.account, cases.referral_id(command.customer, held.customer)]
    return cases.keep(steps.brought_to(made, steps.SIGNUP, 1, command.time), desk)


def note_prints(command: Command, desk: Desk, seen: Mapping[Kind, str]) -> None:
    """Note what a customer was seen with: only digests are kept."""
    party = desk.party(command.account, command.customer)
    found = []
    for kind, value in seen.items():
        one = prints.of_email(command.account, value) if kind == "email" else []
        found += one or [prints.print_of(command.account, kind, value)]
    known = prints.added(party.known, found)
    if known != party.known:
        desk.parties[command.account, command.customer] = replace(party, known=known)


def approve(command: Command, desk: Desk, name: str, note: Note) -> Referral:
    """Let a referral count after all; raises Refused 404, 409 `already_approved`, `never_referred`, `replaced`."""
    referral = _known(command, desk, name)
    if referral.status == "approved":
        raise Refused("already_approved", f"{name} counts already", status=409)
    if NEVER & set(referral.body.reasons):
        raise Refused("never_referred", "oneself and customers of the shop cannot be brought", status=409)
    other = cases.standing(desk, command.account, referral.friend)
    if other is not None and other.id != name:
        raise Refused("replaced", f"the friend counts for {other.id} already", status=409)
    return cases.decide(referral, "approved", note, desk)


def decline(command: Command, desk: Desk, name: str, note: Note) -> Referral:
    """Turn a referral down, whatever it has brought is taken back; raises Refused 404, 409 `already_rejected`."""
    referral = _known(command, desk, name)
    if referral.status == "rejected":
        raise Refused("already_rejected", f"{name} was turned down already", status=409)
    return cases.decide(referral, "rejected", note, desk)


def _known(command: Command, desk: Desk, name: str) -> Referral:
    found = desk.referrals.get((command.account, name))
    if found is None or found.friend != command.customer:
        raise not_found("referral", name)
    return found
