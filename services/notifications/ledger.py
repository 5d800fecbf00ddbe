"""The send ledger: a message is claimed once, looked at a last time, handed over, and settled."""

import hashlib
from datetime import datetime, timedelta

from msgspec.structs import replace

from services.notifications import contacts
from services.notifications.audience import zone_of
from services.notifications.channels.base import Fate, Outcome
from services.notifications.desk import RETRY, Desk
from services.notifications.journeys import BY_NAME
from services.notifications.policy import ALWAYS_BINDING, RULE, why_suppressed
from services.notifications.records import (
    INVITEE,
    Contact,
    Content,
    Message,
    MessageState,
    Purpose,
    Run,
    RunState,
    Shred,
    Suppression,
)
from shared.events.notifications import MessageSent, MessageSkipped
from shared.workset import Due

FIRST_PAUSE = timedelta(minutes=1)
LONGEST_PAUSE = timedelta(hours=1)
AT_LEAST = timedelta(hours=1)
TOO_LATE = "sent_after_known_purchase"


def message_id(run: Run, step: str, channel: str) -> str:
    """The id that one step of one subject has, whoever claims it: a second claim meets the first."""
    parts = (run.account, run.journey, str(run.version), step, run.subject, run.customer, channel)
    return "msg_" + hashlib.sha256("\x1f".join(parts).encode()).hexdigest()[:32]


def claim(desk: Desk, run: Run, step: str, channel: str, purpose: Purpose, valid_until: datetime) -> bool:
    """Enter a message into the ledger; False if it is there already."""
    name = message_id(run, step, channel)
    if (run.account, name) in desk.messages:
        return False
    message = Message(
        account=run.account,
        id=name,
        customer=run.customer,
        store=run.store or desk.contact.store,
        journey=run.journey,
        version=run.version,
        step=step,
        key=run.key,
        subject=run.subject,
        channel=channel,
        purpose=purpose,
        state=MessageState.CLAIMED,
        detail="",
        attempts=0,
        valid_until=valid_until,
        claimed_at=desk.now,
        address=desk.contact.address,
        trace=desk.trace,
    )
    desk.claims.append(message)
    desk.keep_message(message)
    desk.count("messages:claimed")
    return True


def look_again(due: Due, desk: Desk) -> None:
    """The last look before the bytes go out: what has changed since the claim withdraws or holds the message."""
    message = desk.messages[due.account, due.name]
    if message.state is not MessageState.CLAIMED:
        return
    contact = desk.contact
    run = desk.runs.get((message.account, message.journey, message.key))
    reason = _over(message, run, contact, desk.now) or _forbidden(message, contact, desk)
    if reason:
        withdraw(desk, message, reason)
        return
    shop = desk.shop(message.store)
    if message.purpose is Purpose.MARKETING:
        zone = zone_of(contact.zone, contact.phone, contact.country, shop.zone)
        if desk.limits.quiet.covers(desk.now, zone):
            _hold_until(desk, message, desk.limits.quiet.next_open(desk.now, zone))
            return
    handed = replace(
        message,
        state=MessageState.HANDING_OVER,
        attempts=message.attempts + 1,
        handed_at=desk.machine,
        detail="",
        address=contact.address,
    )
    desk.keep_message(handed)
    desk.handed.append((handed, contact, run.content if run else Content(), shop))


def leave_claimed(due: Due, desk: Desk) -> None:
    """A last look that was parked and runs again finds nobody waiting to send: the next round takes its own."""


def settle(due: Due, desk: Desk) -> None:
    """Write down what became of a message that was handed over."""
    outcome = Outcome(
        Fate(due.payload["fate"]), due.payload["detail"], no_such_address=due.payload.get("no_such_address", False)
    )
    note(desk, desk.messages[due.account, due.name], outcome)


def note(desk: Desk, message: Message, outcome: Outcome) -> None:
    """Move a message on by its outcome; what is settled stays settled, only an unknown may still be cleared up."""
    if message.state not in {MessageState.HANDING_OVER, MessageState.UNKNOWN}:
        return
    if message.state is MessageState.UNKNOWN:
        desk.count("messages:unknown", -1)
    if outcome.fate is Fate.REFUSED_FOR_NOW:
        _try_later(desk, message, outcome.detail)
    elif outcome.fate is Fate.ACCEPTED:
        _count_too_late(desk, message)
        _close(desk, message, MessageState.ACCEPTED, "")
        sent = MessageSent(message=message.id, journey=message.journey, step=message.step, channel=message.channel)
        desk.emit(sent, store=message.store)
    elif outcome.fate is Fate.REFUSED:
        _close(desk, message, MessageState.REFUSED, outcome.detail)
        _decide(desk, message, "render_error" if outcome.detail.startswith("render_error") else "refused")
    else:
        _count_too_late(desk, message)
        _close(desk, message, MessageState.UNKNOWN, outcome.detail)
        _decide(desk, message, "outcome_unknown")
    if outcome.no_such_address:
        _suppress(desk, message, "hard_bounce")
    if desk.contact.erased_at is not None:
        desk.shreds.append(Shred(message.account, message.id, message.channel))


def try_again(due: Due, desk: Desk) -> None:
    """Put a message back in line after its pause."""
    message = desk.messages.get((due.account, due.name))
    if message is not None and message.state is MessageState.WAITING:
        desk.keep_message(replace(message, state=MessageState.CLAIMED))


def withdraw(desk: Desk, message: Message, reason: str) -> None:
    """Take a claimed message back, because it may or need no longer go out."""
    if message.state is MessageState.WAITING:
        desk.cancel_timer(RETRY, message.id)
    _close(desk, message, MessageState.WITHDRAWN, reason)
    _decide(desk, message, reason)
    skipped = MessageSkipped(journey=message.journey, step=message.step, reason=reason)
    desk.emit(skipped, customer=message.customer, store=message.store)


def suppressed(desk: Desk, contact: Contact, channel: str, purpose: Purpose) -> str:
    """Why a contact's address must not be written to; '' if it may."""
    held = desk.suppressions.get((contact.account, contact.address, channel, purpose.value))
    return held.reason if held is not None else ""


def consented(desk: Desk, contact: Contact, channel: str, purpose: Purpose) -> bool | None:
    """The word on a channel and purpose, None if there was none; a no of anybody at the same address is a no.

    Who was invited by a friend may be written to until a no, but not at the address of somebody we know.
    """
    own, *others = (contacts.consent_of(one, channel, purpose.value) for one in desk.sharing(contact))
    if contact.customer.startswith(INVITEE):
        return None if others else own is not False
    return False if False in others else own


def _over(message: Message, run: Run | None, contact: Contact, now: datetime) -> str:
    if run is None:
        return "erased"
    if run.state is RunState.ENDED:
        return run.reason
    if _bought(message, run, contact):
        return "purchased"
    return "expired" if now > message.valid_until else ""


def _bought(message: Message, run: Run, contact: Contact) -> bool:
    """Whether a purchase has ended what the message is about."""
    outdated = BY_NAME[run.journey].outdated_by(contact)
    ended = run.state is RunState.ENDED and run.reason == "purchased"
    return ended or run.subject != message.subject or (outdated is not None and run.clock <= outdated)


def _count_too_late(desk: Desk, message: Message) -> None:
    """Count a mail that went out although its purchase was known: every guard before this one has failed then."""
    run = desk.runs.get((message.account, message.journey, message.key))
    known, handed = desk.contact.known_at, message.handed_at
    if run is None or known is None or handed is None or message.state is not MessageState.HANDING_OVER:
        return
    if known < handed and _bought(message, run, desk.contact):
        desk.count(TOO_LATE)


def _forbidden(message: Message, contact: Contact, desk: Desk) -> str:
    if not contact.address:
        return "no_address"
    held = suppressed(desk, contact, message.channel, message.purpose)
    if held:
        return why_suppressed(held)
    free = message.purpose is not Purpose.MARKETING
    return "" if free or consented(desk, contact, message.channel, message.purpose) else "no_consent"


def _hold_until(desk: Desk, message: Message, morning: datetime) -> None:
    """Wait for the morning; for somebody who moved meanwhile it may come later than was thought at the claim."""
    _pause(desk, replace(message, valid_until=max(message.valid_until, morning + AT_LEAST)), "quiet_hours", morning)


def _pause(desk: Desk, message: Message, detail: str, until: datetime) -> None:
    desk.keep_message(replace(message, state=MessageState.WAITING, detail=detail))
    desk.set_timer(RETRY, message.id, until, customer=message.customer, unguarded=True)


def _try_later(desk: Desk, message: Message, detail: str) -> None:
    spread = int(message.id[-4:], 16) / 0xFFFF  # the same for ever, and different for each message
    pause = min(LONGEST_PAUSE, FIRST_PAUSE * 2 ** min(message.attempts - 1, 10)) * (0.8 + 0.4 * spread)
    until = desk.now + pause
    if until > message.valid_until:
        _close(desk, message, MessageState.REFUSED, detail)
        _decide(desk, message, "expired")
    else:
        _pause(desk, message, detail, until)


def _close(desk: Desk, message: Message, state: MessageState, detail: str) -> None:
    desk.keep_message(replace(message, state=state, detail=detail, settled_at=desk.now))
    desk.count(f"messages:{state.value}")


def _suppress(desk: Desk, message: Message, reason: str) -> None:
    if not message.address:
        return
    for purpose in Purpose:
        key = (message.account, message.address, message.channel, purpose.value)
        held = desk.suppressions.get(key)
        if held is None or held.reason not in ALWAYS_BINDING:
            desk.suppressions[key] = Suppression(*key, reason, desk.now)


def _decide(desk: Desk, message: Message, reason: str) -> None:
    desk.decide(message, message.step, reason, RULE, message.channel)
