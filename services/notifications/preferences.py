"""What recipients decide for themselves: one click out, and the page where they choose."""

from services.notifications import contacts
from services.notifications.desk import Desk
from services.notifications.policy import lifted_by_consent
from services.notifications.records import Suppression
from services.notifications.tokens import Link
from shared.db import new_id
from shared.events.ingest import ConsentChanged
from shared.events.notifications import Unsubscribed


def unsubscribe(desk: Desk, link: Link, source: str) -> None:
    """Withdraw consent for a channel and purpose and suppress the address; a second time changes nothing."""
    contact = desk.contact
    key = (contact.account, contact.address, link.channel, link.purpose)
    if contact.erased_at is not None or contacts.consent_of(contact, link.channel, link.purpose) is False:
        return
    _say(desk, link, source, granted=False)
    if contact.address and key not in desk.suppressions:
        desk.suppressions[key] = Suppression(*key, "unsubscribed", desk.now)
    desk.emit(Unsubscribed(channel=link.channel, purpose=link.purpose), store=contact.store)


def resubscribe(desk: Desk, link: Link, source: str) -> None:
    """Give consent for a channel and purpose; a second time changes nothing."""
    contact = desk.contact
    key = (contact.account, contact.address, link.channel, link.purpose)
    if contact.erased_at is not None or contacts.consent_of(contact, link.channel, link.purpose) is True:
        return
    _say(desk, link, source, granted=True)
    held = desk.suppressions.get(key)
    if held is not None and lifted_by_consent(held.reason):
        del desk.suppressions[key]


def _say(desk: Desk, link: Link, source: str, *, granted: bool) -> None:
    word = ConsentChanged(
        channel=link.channel, purpose=link.purpose, granted=granted, at=desk.now, source=source, wording=source
    )
    contact, line = contacts.proven(desk.contact, word, new_id("cns"), desk.now)
    desk.proofs.append(line)
    desk.keep_contact(contacts.with_consent(contact, contacts.word_of(word)))
