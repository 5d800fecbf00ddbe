"""How suspicious a referral is: each reason has its weight in the programme, and the score is their sum."""

from collections.abc import Sequence
from typing import NamedTuple

import msgspec

from services.loyalty.referral_records import Party, Status
from services.loyalty.referrals import prints
from services.loyalty.referring import Reason, Referrals

SELF = "same_customer"
EXISTING = "existing_customer"
NEVER = frozenset({SELF, EXISTING})
_SHARED: tuple[tuple[str, Reason], ...] = (
    ("email", "same_email"),
    ("mailbox", "similar_email"),
    ("phone", "same_phone"),
    ("device", "same_device"),
    ("address", "same_address"),
    ("card", "same_card"),
    ("ip", "same_ip"),
)


class Verdict(NamedTuple):
    """What becomes of a referral, its score, and every reason that counted."""

    status: Status
    score: int
    reasons: tuple[str, ...]


class Ties(msgspec.Struct, frozen=True):
    """What ties two customers beside their prints.

    `brought` are those who have brought the referrer, and so on up; `recent` how many friends the referrer has
    brought of late; `existing` that the friend is a customer of the account already.
    """

    brought: Sequence[str] = ()
    recent: int = 0
    existing: bool = False


def judged(friend: Party, referrer: Party, ties: Ties, terms: Referrals) -> Verdict:
    """The verdict on a referral; the same customer and an existing one are turned down whatever the weights."""
    reasons = _reasons(friend, referrer, ties, terms)
    score = sum(terms.weight(reason) for reason in reasons)
    hard = _hard(friend, referrer, ties)
    if hard:
        return Verdict("rejected", max(score, terms.reject_at), (*hard, *reasons))
    if score >= terms.reject_at:
        return Verdict("rejected", score, tuple(reasons))
    return Verdict("held" if score >= terms.review_at else "approved", score, tuple(reasons))


def ids_of(party: Party) -> set[str]:
    """All ids that a customer has ever gone by."""
    return {party.customer, *party.known.names}


def _hard(friend: Party, referrer: Party, ties: Ties) -> tuple[str, ...]:
    same = bool(ids_of(friend) & ids_of(referrer))
    return (*([SELF] if same else []), *([EXISTING] if ties.existing else []))


def _reasons(friend: Party, referrer: Party, ties: Ties, terms: Referrals) -> list[Reason]:
    if ids_of(friend) & ids_of(referrer):
        return []
    common = prints.shared(friend.known, referrer.known)
    if "email" in common:
        common.discard("mailbox")
    found = [reason for kind, reason in _SHARED if kind in common]
    if ids_of(friend) & set(ties.brought):
        found.append("cycle")
    if ties.recent >= terms.velocity_friends:
        found.append("velocity")
    return [reason for reason in found if terms.weight(reason)]
