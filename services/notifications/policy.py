"""The one arbiter: may this message go out now, later, or not at all, and why; pure.

It asks in this order: can and may we write to the address (address, suppression, consent), is it still wanted (exit,
expiry, holdout), would it be too much (cooldown, cap, rank), is it the wrong hour (quiet hours). The first no decides.
Transactional messages need no consent, count against no cap, have no holdout and are not held at night; suppression
binds them too.
"""

import hashlib
from datetime import datetime, timedelta
from enum import StrEnum

import msgspec

from services.notifications.quiet import QuietHours
from services.notifications.records import Purpose

RULE = "arbiter/2"
ALWAYS_BINDING = frozenset({"hard_bounce", "complaint"})


class Answer(StrEnum):
    """What the arbiter can say."""

    SEND = "send"
    WAIT = "wait"
    SKIP = "skip"


class Verdict(msgspec.Struct, frozen=True):
    """The arbiter's word; a no carries its reason, a wait until when, and all the version of the rule."""

    answer: Answer
    reason: str = ""
    until: datetime | None = None
    rule: str = RULE


class Limits(msgspec.Struct, frozen=True):
    """What an operator allows: marketing messages per channel in a rolling window, quiet hours, and who gets none.

    `holdout` is drawn anew for each journey, `control` once for all of them; both in 1/1000.
    """

    cap: int
    window: timedelta
    quiet: QuietHours
    holdout: int
    control: int = 0


class Ask(msgspec.Struct, frozen=True):
    """All that the arbiter looks at; `consent` None means never asked, `exit_reason` '' that the run is still wanted.

    `recent` is how many messages the address already got on the channel within the window, `rivals` how many messages
    of a higher rank will want a slot soon, `cooling` whether the same step went there too short a time ago; the lots
    are 0 to 999, `lot` of the journey, `common_lot` of all journeys.
    """

    purpose: Purpose
    address: str
    suppressed: str
    consent: bool | None
    exit_reason: str
    due: datetime
    now: datetime
    valid_for: timedelta
    recent: int
    lot: int
    zone: str
    common_lot: int = 1000
    rivals: int = 0
    cooling: bool = False


def judge(ask: Ask, limits: Limits) -> Verdict:
    """Say send, wait or skip; the same question always gets the same answer."""
    marketing = ask.purpose is Purpose.MARKETING
    reason = _forbidden(ask) or _unwanted(ask, limits, marketing=marketing)
    if not reason and marketing:
        reason = _too_much(ask, limits)
    if reason:
        return Verdict(Answer.SKIP, reason)
    if marketing and limits.quiet.covers(ask.now, ask.zone):
        return Verdict(Answer.WAIT, "quiet_hours", limits.quiet.next_open(ask.now, ask.zone))
    return Verdict(Answer.SEND)


def expires(ask: Ask, limits: Limits) -> datetime:
    """When the message is too old: `valid_for` after it was due, hours in which it might not go out left aside.

    So what is held in the evening is still good in the morning, for as long as it would have been in the evening.
    """
    if ask.purpose is not Purpose.MARKETING:
        return ask.due + ask.valid_for
    return limits.quiet.after_open(ask.due, ask.valid_for, ask.zone)


def lot_of(account: str, journey: str, customer: str) -> int:
    """Where somebody falls, 0 to 999: the same for ever, whatever the share held out is."""
    digest = hashlib.sha256(f"{account}|{journey}|{customer}".encode()).digest()
    return int.from_bytes(digest[:8], "big") % 1000


def held_out(lot: int, common_lot: int, limits: Limits) -> str:
    """Why somebody gets none of a journey, to compare with those who do; '' if they do."""
    if common_lot < limits.control:
        return "control_group"
    return "holdout" if lot < limits.holdout else ""


def why_suppressed(reason: str) -> str:
    """The reason code for a suppressed address: what the person asked for is a matter of consent."""
    return "no_consent" if reason == "unsubscribed" else "suppressed"


def lifted_by_consent(reason: str) -> bool:
    """Whether a later opt-in ends a suppression: what a person asked for, not what a mail server said."""
    return reason not in ALWAYS_BINDING


def _forbidden(ask: Ask) -> str:
    if not ask.address:
        return "no_address"
    if ask.suppressed:
        return why_suppressed(ask.suppressed)
    if ask.purpose is Purpose.MARKETING and not ask.consent:
        return "no_consent"
    return ""


def _unwanted(ask: Ask, limits: Limits, *, marketing: bool) -> str:
    if ask.exit_reason:
        return ask.exit_reason
    if ask.now > expires(ask, limits):
        return "expired"
    return held_out(ask.lot, ask.common_lot, limits) if marketing else ""


def _too_much(ask: Ask, limits: Limits) -> str:
    if ask.cooling:
        return "cooldown"
    if ask.recent >= limits.cap:
        return "frequency_cap"
    return "outranked" if ask.recent + ask.rivals >= limits.cap else ""
