"""What loyalty keeps of referrals: one frozen struct for each table, its fields in the order of the table's columns."""

from datetime import datetime
from typing import Literal

import msgspec

from services.loyalty.records import Note

Status = Literal["approved", "held", "rejected"]
How = Literal["link", "code"]


class Touch(msgspec.Struct, frozen=True, array_like=True, gc=False, order=True):
    """A friend came by a member's code at a moment: by a link, or `typed` it."""

    at: datetime
    code: str
    typed: bool = False


class Known(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What referrals are judged by: touches, prints (kind, digest), and ids that were merged into this customer.

    `invited` is the last local day (ordinal) on which the member sent invitations, and how many.
    """

    touches: tuple[Touch, ...] = ()
    prints: tuple[tuple[str, str], ...] = ()
    names: tuple[str, ...] = ()
    invited: tuple[int, int] = (0, 0)


class Party(msgspec.Struct, frozen=True, gc=False):
    """A customer as referrals see one: the own code ('' for none yet) and how many friends it has brought."""

    account: str
    customer: str
    code: str = ""
    friends: int = 0
    known: Known = Known()


class ReferralCode(msgspec.Struct, frozen=True, gc=False):
    """A code as it is compared (`key`) and as it is written, and the member whose it is."""

    account: str
    key: str
    code: str
    customer: str


class Invitation(msgspec.Struct, frozen=True, gc=False):
    """An address (its digest only) that was invited, and by whom: nobody is invited twice."""

    account: str
    digest: str
    customer: str
    invited_at: datetime


class Step(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Something of a friend's that may bring rewards: the sign-up (order '', number 0) or an order, the `number`th.

    `kept` is what of it counts now, `told` what both sides were told last: minor units of the programme's currency,
    1 for a sign-up.
    """

    order: str
    number: int
    kept: int
    told: int
    at: datetime


class Case(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """What is known of a referral: its code, the programme's version, score and reasons, steps, who decided and why.

    Facts to the friend go by `told_as`, the id it was referred under, so that they stay in line after merges.
    """

    told_as: str
    code: str
    how: How
    program: str
    version: int
    score: int = 0
    reasons: tuple[str, ...] = ()
    steps: tuple[Step, ...] = ()
    decided: Note | None = None


class Referral(msgspec.Struct, frozen=True, gc=False):
    """A friend whom a member has brought; changed only with the friend's row locked, paid for only once approved."""

    account: str
    id: str
    friend: str
    referrer: str
    status: Status
    created_at: datetime
    body: Case
