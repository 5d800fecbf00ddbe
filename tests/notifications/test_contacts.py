"""Contacts: the newest profile and word count, merges are strict, erasure leaves nothing personal."""

import itertools
from datetime import timedelta

from msgspec.structs import replace

from services.notifications.contacts import (
    clean,
    consent_of,
    erased,
    merged,
    proven,
    with_consent,
    with_profile,
    word_of,
)
from services.notifications.records import Consent, Contact
from tests.notifications.some import ACCOUNT, NOON, STORE, a_contact, after, consent, profile

KEY = b"k"
NOBODY = Contact(account=ACCOUNT, customer="cus_x")


def test_the_newest_profile_counts_in_whatever_order() -> None:
    old, new = profile(NOON, email="old@example.com").fact, profile(after(hours=1), email="New@example.com").fact
    for facts in ([old, new], [new, old]):
        contact = NOBODY
        for fact in facts:
            contact = with_profile(contact, fact, STORE, KEY)
        assert contact.email == "New@example.com"


def test_a_profile_without_a_true_address_has_no_address() -> None:
    contact = with_profile(NOBODY, profile(email="ana at home").fact, STORE, KEY)
    assert (contact.email, contact.address) == ("", "")


def test_the_newest_word_counts_and_at_the_same_moment_the_no() -> None:
    words = [Consent("email", "marketing", yes, after(hours=at)) for yes, at in [(True, 1), (False, 2), (True, 2)]]
    for order in itertools.permutations(words):
        contact = NOBODY
        for word in order:
            contact = with_consent(contact, word)
        assert consent_of(contact, "email", "marketing") is False
    assert consent_of(NOBODY, "email", "marketing") is None


def test_a_merge_keeps_the_stricter_word_and_fills_the_gaps() -> None:
    loser = replace(a_contact(email="", address=""), customer="cus_old", first_name="Ana", ordered_at=after(hours=2))
    loser = with_consent(loser, Consent("email", "marketing", False, after(hours=1)))
    both = merged(a_contact(ordered_at=NOON), loser)
    assert (both.email, both.first_name, both.ordered_at) == ("ana@example.com", "Ana", after(hours=2))
    assert consent_of(both, "email", "marketing") is False
    assert merged(replace(a_contact(), email="", address=""), replace(loser, email="b@x.com")).email == "b@x.com"


def test_an_erased_contact_is_not_brought_back_by_what_was_said_before() -> None:
    gone = erased(a_contact(first_name="Ana"), after(hours=1))
    assert gone == Contact(account=ACCOUNT, customer="cus_ana", erased_at=after(hours=1))
    assert with_profile(gone, profile(NOON).fact, STORE, KEY) == gone
    assert with_consent(gone, word_of(consent(at=NOON).fact)) == gone
    assert with_profile(gone, profile(after(hours=2)).fact, STORE, KEY).email == "ana@example.com"


def test_the_consent_ledger_is_a_chain() -> None:
    first, line = proven(NOBODY, consent().fact, "cns_1", NOON)
    second, following = proven(first, consent(granted=False, at=NOON + timedelta(days=1)).fact, "cns_2", NOON)
    assert (line.previous, following.previous, second.proof) == ("", line.digest, following.digest)
    forged, _ = proven(NOBODY, replace(consent().fact, wording="other"), "cns_1", NOON)
    assert forged.proof != first.proof


def test_text_for_a_mail_is_one_short_line() -> None:
    assert clean("Ana\r\nBcc: x@y.z\x00") == "Ana Bcc: x@y.z"
    assert len(clean("x" * 10_000)) == 200
    assert clean("مرحبا 🎁") == "مرحبا 🎁"
