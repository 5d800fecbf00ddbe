"""Prints: digests by which two customers are seen to share a mailbox, telephone, device, address or card.

What they are made of is not kept; each is salted with the account, so that no two accounts' can be compared.
"""

import hashlib
from collections.abc import Iterable
from typing import Literal

from msgspec.structs import replace

from services.loyalty.referral_records import Known

Kind = Literal["email", "mailbox", "phone", "device", "address", "card", "ip"]
MOST_PRINTS = 60
SHORTEST_MAILBOX = 5
_DOTLESS = frozenset({"gmail.com", "googlemail.com"})

Print = tuple[str, str]


def print_of(account: str, kind: Kind, value: str) -> Print:
    """The print of a value: SHA-256, salted with account and kind, upper and lower case and white space aside."""
    plain = "".join(value.casefold().split())
    return kind, hashlib.sha256(f"{account}|{kind}|{plain}".encode("utf-8", "surrogatepass")).hexdigest()


def of_email(account: str, address: str) -> list[Print]:
    """The prints of an e-mail address: of the mailbox it reaches, and of its name's letters whatever the host."""
    name, host = mailbox(address)
    if not name or not host:
        return []
    letters = "".join(sign for sign in name if sign.isalpha())
    prints = [print_of(account, "email", f"{name}@{host}")]
    return [*prints, print_of(account, "mailbox", letters)] if len(letters) >= SHORTEST_MAILBOX else prints


def mailbox(address: str) -> tuple[str, str]:
    """Name and host of the mailbox that an address reaches: without its plus part, and without dots at Gmail."""
    name, _, host = address.strip().casefold().rpartition("@")
    name = name.partition("+")[0]
    if host in _DOTLESS:
        return name.replace(".", ""), "gmail.com"
    return name, host


def added(known: Known, prints: Iterable[Print]) -> Known:
    """What is known, with more prints; of too many the latest are kept."""
    new = [one for one in dict.fromkeys(prints) if one not in known.prints]
    if not new:
        return known
    return replace(known, prints=(*known.prints, *new)[-MOST_PRINTS:])


def shared(one: Known, other: Known) -> set[str]:
    """The kinds of prints that two customers have in common."""
    return {kind for kind, _digest in set(one.prints) & set(other.prints)}
