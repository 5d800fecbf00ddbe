"""Whom a member wants to bring: an address, kept until its one mail is out, under an id that is no customer's."""

from datetime import timedelta
from typing import Any

from msgspec.structs import replace

from services.notifications import contacts
from services.notifications.desk import Desk
from services.notifications.handlers import follow
from shared.events import Event
from shared.events.ingest import ProfileUpdated
from shared.events.loyalty import FriendInvited
from shared.workset import Due

FORGET = "invitee.forget"
KEPT = timedelta(days=3)


def invite(event: Event[FriendInvited], desk: Desk) -> None:
    """Take the address in, once, and let the journey see to the rest; what was told before changes nothing."""
    if desk.contact.address:
        return
    told = ProfileUpdated(email=event.fact.email, locale=event.fact.locale, updated_at=event.time)
    desk.keep_contact(contacts.with_profile(desk.contact, told, event.store, desk.key))
    desk.set_timer(FORGET, event.customer, desk.now + KEPT)
    follow(event, desk)


def forget(due: Due, desk: Desk) -> None:
    """Forget the address; its keyed hash stays, so that a later click on "not me" still counts."""
    held = desk.contact
    nobody: dict[str, Any] = dict.fromkeys(("email", "first_name", "phone", "country", "zone"), "")
    if held.email:
        desk.keep_contact(replace(held, **nobody))
