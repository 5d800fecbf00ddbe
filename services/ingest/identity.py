"""Who is who: names that belong to one person, who vouches for them, and when two persons turn out to be one."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Protocol

import msgspec
from msgspec.structs import replace

from services.ingest.claims import Key, Trust
from services.ingest.records import ConsentHeld, CustomerRow, IdentityKeyRow, Told

PERSONAL = frozenset({"customer", "email", "phone"})
SURE = frozenset({"customer", "email"})


class People(Protocol):
    """What is known of names and persons now."""

    def holder(self, key: Key) -> IdentityKeyRow | None:
        """Who goes by a name."""

    def person(self, customer: str) -> CustomerRow:
        """The person behind an id, after merges."""


class Recognition(msgspec.Struct, frozen=True, kw_only=True):
    """Whom a claim is about, and what it changed: persons, names, and (survivor, loser) of each merge."""

    customer: str
    persons: dict[str, CustomerRow]
    names: dict[Key, IdentityKeyRow]
    merges: tuple[tuple[str, str], ...] = ()


class Claimed(msgspec.Struct, frozen=True, kw_only=True):
    """Names said to belong to one person, by whom and when."""

    account: str
    keys: tuple[Key, ...]
    trust: Trust
    at: datetime


def is_known(person: CustomerRow) -> bool:
    """Whether a person goes by more than an anonymous id."""
    return any(key.kind in PERSONAL for key in person.keys)


def recognise(claimed: Claimed, people: People, new: Callable[[], CustomerRow]) -> Recognition:
    """Find or make the person a claim is about, and join persons where whoever vouches for it may.

    Two customer ids of one store never join; a browser never joins two known persons, nor gives a name to a verified
    one; a name that moves leaves its old owner and takes no history along.
    """
    keys = sorted(set(claimed.keys), key=lambda key: key.strength)
    owners = _owners(keys, people)
    chosen = next((person for person in owners if _may_hold(person, keys)), None)
    if chosen is None:
        return _settle(claimed, keys, new(), (), people)
    merges = []
    for other in owners:
        may = other.id != chosen.id and not _at_odds(keys, other.keys)
        if may and _may_join(chosen, other, _shared(keys, other, people), claimed.trust):
            survivor, loser = ranked(chosen, other)
            merges.append((survivor, loser))
            chosen = joined(survivor, loser)
    return _settle(claimed, keys, chosen, merges, people)


def _owners(keys: Sequence[Key], people: People) -> list[CustomerRow]:
    """The persons who go by the names now, that of the surest name first."""
    found: dict[str, CustomerRow] = {}
    for key in keys:
        holder = people.holder(key)
        if holder is not None:
            person = people.person(holder.customer)
            found.setdefault(person.id, person)
    return list(found.values())


def _shared(keys: Sequence[Key], person: CustomerRow, people: People) -> list[Key]:
    return [key for key in keys if (held := people.holder(key)) and people.person(held.customer).id == person.id]


def _ids(keys: Iterable[Key]) -> dict[str, set[str]]:
    """The customer ids among names, by store."""
    found: dict[str, set[str]] = {}
    for key in keys:
        if key.kind == "customer":
            found.setdefault(key.store, set()).add(key.value)
    return found


def _at_odds(one: Iterable[Key], other: Iterable[Key]) -> bool:
    """Whether two sets of names hold no common customer id of a store that both have ids of."""
    mine, theirs = _ids(one), _ids(other)
    return any(store in theirs and theirs[store].isdisjoint(ids) for store, ids in mine.items())


def _may_hold(person: CustomerRow, keys: Sequence[Key]) -> bool:
    """Whether a claim of these names can be about this person: a shared telephone or browser is not enough alone."""
    if _at_odds(person.keys, keys):
        return False
    sure = [key for key in keys if key.kind in SURE]
    if any(key in person.keys for key in sure):
        return True
    return not sure or not any(key.kind in SURE for key in person.keys)


def _may_join(one: CustomerRow, other: CustomerRow, shared: Sequence[Key], trust: Trust) -> bool:
    """Whether a claim may make one person of two; `shared` are its names that the other goes by."""
    if _at_odds(one.keys, other.keys):
        return False
    if not is_known(one) or not is_known(other):
        return True
    if trust is not Trust.VERIFIED:
        return False
    return any(key.kind in {"customer", "email", "order"} for key in shared)


def ranked(one: CustomerRow, other: CustomerRow) -> tuple[CustomerRow, CustomerRow]:
    """(survivor, loser): whom we heard of first survives."""
    first, second = sorted((one, other), key=lambda person: (person.recorded, person.id))
    return first, second


def joined(survivor: CustomerRow, loser: CustomerRow) -> CustomerRow:
    """The survivor with everything that is known of the loser: newer values of the profile, newest consents."""
    return replace(
        survivor,
        verified=survivor.verified or loser.verified,
        keys=tuple(sorted({*survivor.keys, *loser.keys})),
        profile=_newest(survivor.profile, loser.profile),
        consents=_strictest(survivor.consents, loser.consents),
        carts_ended={
            store: max(d[store] for d in (survivor.carts_ended, loser.carts_ended) if store in d)
            for store in {**survivor.carts_ended, **loser.carts_ended}
        },
    )


def _newest(one: dict[str, Told], other: dict[str, Told]) -> dict[str, Told]:
    both = {**one, **other}
    return {name: max((d[name] for d in (one, other) if name in d), key=lambda t: (t.at, t.value)) for name in both}


def _strictest(one: dict[str, ConsentHeld], other: dict[str, ConsentHeld]) -> dict[str, ConsentHeld]:
    both = {**one, **other}
    return {
        name: max((d[name] for d in (one, other) if name in d), key=lambda c: (c.at, not c.granted)) for name in both
    }


def _settle(
    claimed: Claimed,
    keys: Sequence[Key],
    chosen: CustomerRow,
    merges: Sequence[tuple[CustomerRow, CustomerRow]],
    people: People,
) -> Recognition:
    """Write down whose each name is now."""
    persons = {loser.id: _emptied(loser, survivor.id) for survivor, loser in merges}
    same = {chosen.id, *persons, *(survivor.id for survivor, _ in merges)}
    names: dict[Key, IdentityKeyRow] = {}
    held = set(chosen.keys)
    for key in keys:
        holder = people.holder(key)
        owner = people.person(holder.customer) if holder else None
        if owner is not None and holder is not None and owner.id not in same:
            if not _moves(key, holder, claimed):
                continue
            persons[owner.id] = without(persons.get(owner.id, owner), key)
        elif owner is None and not _may_name(chosen, key, claimed.trust):
            continue
        held.add(key)
        names[key] = _name(claimed, key, chosen.id, holder)
    verified = chosen.verified or claimed.trust is Trust.VERIFIED
    persons[chosen.id] = replace(chosen, keys=tuple(sorted(held)), verified=verified)
    pairs = tuple((survivor.id, loser.id) for survivor, loser in merges)
    return Recognition(customer=chosen.id, persons=persons, names=names, merges=pairs)


def _emptied(loser: CustomerRow, survivor: str) -> CustomerRow:
    return replace(loser, merged_into=survivor, keys=(), profile={}, consents={}, carts_ended={})


def _moves(key: Key, holder: IdentityKeyRow, claimed: Claimed) -> bool:
    """Whether a name that another goes by comes over: on a verified claim no older than the one it was held by."""
    return claimed.trust is Trust.VERIFIED and key.kind != "customer" and claimed.at >= holder.at


def _may_name(person: CustomerRow, key: Key, trust: Trust) -> bool:
    """Whether a person may be given a name that nobody has."""
    if _at_odds(person.keys, (key,)):
        return False
    return trust is Trust.VERIFIED or key.kind == "anonymous" or not person.verified


def without(person: CustomerRow, key: Key) -> CustomerRow:
    """The person without a name, nor the contact in the profile that it stands for."""
    profile = person.profile
    told = profile.get(key.kind)
    if told is not None and told.value == key.value:
        profile = {name: said for name, said in profile.items() if name != key.kind}
    return replace(person, keys=tuple(known for known in person.keys if known != key), profile=profile)


def _name(claimed: Claimed, key: Key, customer: str, holder: IdentityKeyRow | None) -> IdentityKeyRow:
    verified = claimed.trust is Trust.VERIFIED
    before = holder.at if holder is not None else claimed.at
    return IdentityKeyRow(
        account=claimed.account,
        kind=key.kind,
        store=key.store,
        value=key.value,
        customer=customer,
        origin=holder.origin if holder is not None else customer,
        at=max(before, claimed.at) if verified or holder is None else before,
        trust=Trust.VERIFIED if verified or (holder is not None and holder.trust == Trust.VERIFIED) else Trust.BROWSER,
    )
