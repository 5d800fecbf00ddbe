"""What facts make of a contact: profile, consent, orders, merges, erasure; pure, the order of facts does not matter."""

import hashlib
from collections.abc import Iterable
from datetime import datetime

from msgspec.structs import replace

from services.notifications.audience import address_hash, canonical_address
from services.notifications.records import Consent, ConsentProof, Contact
from shared.events.ingest import ConsentChanged, Order, ProfileUpdated

CUT = 200


def with_profile(contact: Contact, profile: ProfileUpdated, store: str, key: bytes) -> Contact:
    """The contact under the newest profile; one told before an erasure or a newer one changes nothing."""
    newest = max((at for at in (contact.profile_at, contact.erased_at) if at is not None), default=None)
    if newest is not None and profile.updated_at < newest:
        return contact
    address = canonical_address(profile.email)
    return replace(
        contact,
        store=store or contact.store,
        email=profile.email.strip() if address else "",
        address=address_hash(key, address),
        first_name=clean(profile.first_name, 60),
        phone=profile.phone[:CUT],
        country=profile.country[:CUT],
        locale=profile.locale[:CUT],
        zone=profile.zone[:CUT],
        profile_at=profile.updated_at,
    )


def clean(text: str, length: int = CUT) -> str:
    """Text for a mail: on one line, without control characters, cut to `length`."""
    line = " ".join("".join(char if char.isprintable() else " " for char in text).split())
    return line if len(line) <= length else line[: length - 1] + "…"


def consent_of(contact: Contact, channel: str, purpose: str) -> bool | None:
    """The newest word on a channel and purpose; None if there was none."""
    return next((word.granted for word in contact.consents if (word.channel, word.purpose) == (channel, purpose)), None)


def with_consent(contact: Contact, word: Consent) -> Contact:
    """The contact under the newest word on each channel and purpose; at the same moment a no counts."""
    if contact.erased_at is not None and word.at <= contact.erased_at:
        return contact
    old = next((one for one in contact.consents if _topic(one) == _topic(word)), None)
    if old is not None and (word.at, not word.granted) <= (old.at, not old.granted):
        return contact
    return replace(contact, consents=_sorted([word, *(one for one in contact.consents if one is not old)]))


def word_of(fact: ConsentChanged) -> Consent:
    """A consent fact as a word."""
    return Consent(fact.channel, fact.purpose, fact.granted, fact.at)


def with_order(contact: Contact, order: Order, store: str) -> Contact:
    """The contact after an order: when the newest was placed, and the newest that belongs to no cart."""
    return replace(
        contact,
        store=store or contact.store,
        ordered_at=latest(contact.ordered_at, order.placed_at),
        swept_at=contact.swept_at if order.cart else latest(contact.swept_at, order.placed_at),
    )


def latest(first: datetime | None, second: datetime | None) -> datetime | None:
    """The later of two moments, either of which may be missing."""
    return max((at for at in (first, second) if at is not None), default=None)


def merged(survivor: Contact, loser: Contact) -> Contact:
    """Two contacts as one: the survivor's data, gaps filled from the loser, the stricter word where both gave one."""
    theirs = {_topic(word): word for word in loser.consents}
    ours = {_topic(word): word for word in survivor.consents}
    words = [_stricter(ours.get(topic), theirs.get(topic)) for topic in {**ours, **theirs}]
    filled = {
        name: getattr(survivor, name) or getattr(loser, name)
        for name in ("store", "first_name", "phone", "country", "locale", "zone")
    }
    giver = survivor if survivor.email else loser
    return replace(
        survivor,
        **filled,
        email=giver.email,
        address=giver.address,
        profile_at=latest(survivor.profile_at, loser.profile_at),
        consents=_sorted(words),
        ordered_at=latest(survivor.ordered_at, loser.ordered_at),
        swept_at=latest(survivor.swept_at, loser.swept_at),
        known_at=latest(survivor.known_at, loser.known_at),
    )


def erased(contact: Contact, at: datetime) -> Contact:
    """What remains of somebody who is forgotten: the random id and when."""
    return Contact(account=contact.account, customer=contact.customer, erased_at=at)


def proven(contact: Contact, fact: ConsentChanged, line_id: str, recorded: datetime) -> tuple[Contact, ConsentProof]:
    """The consent ledger's next line, chained to the one before, and the contact that holds the chain's new head."""
    said = (fact.channel, fact.purpose, str(fact.granted), fact.at.isoformat(), fact.source, fact.wording)
    digest = hashlib.sha256("\x1f".join((contact.proof, contact.customer, *said)).encode()).hexdigest()
    line = ConsentProof(
        account=contact.account,
        id=line_id,
        customer=contact.customer,
        channel=fact.channel,
        purpose=fact.purpose,
        granted=fact.granted,
        at=fact.at,
        source=fact.source,
        wording=fact.wording,
        recorded=recorded,
        previous=contact.proof,
        digest=digest,
    )
    return replace(contact, proof=digest), line


def _topic(word: Consent) -> tuple[str, str]:
    return word.channel, word.purpose


def _stricter(ours: Consent | None, theirs: Consent | None) -> Consent:
    words = [word for word in (ours, theirs) if word is not None]
    granted = all(word.granted for word in words)
    return replace(words[0], granted=granted, at=max(word.at for word in words))


def _sorted(words: Iterable[Consent]) -> tuple[Consent, ...]:
    return tuple(sorted(words, key=_topic))
