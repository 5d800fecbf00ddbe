"""Profiles and consent: newer words count, a browser's never against verified ones."""

from msgspec.structs import replace

from services.ingest.claims import ConsentClaim, CustomerClaim, Trust
from services.ingest.desk import IngestDesk, Outcome
from services.ingest.records import ConsentHeld, Told, values
from shared.events.ingest import ConsentChanged


def take_profile(claim: CustomerClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Join names that belong together and take in what is said of the profile."""
    was_verified = _verified(claim, desk)
    customer = desk.recognise(claim.keys, trust, claim.at)
    if trust is Trust.VERIFIED or not was_verified:
        _learn(claim, desk, store, customer)
    return Outcome("translated", customer=customer)


def _verified(claim: CustomerClaim | ConsentClaim, desk: IngestDesk) -> bool:
    """Whether more than a browser vouches for anybody who goes by the names."""
    held = [desk.holder(key) for key in claim.keys]
    return any(desk.person(row.customer).verified for row in held if row is not None)


def _learn(claim: CustomerClaim, desk: IngestDesk, store: str, customer: str) -> None:
    row = desk.person(customer)
    told = dict(row.profile)
    for name, value in claim.profile.items():
        said = Told(value, claim.at)
        known = told.get(name)
        if known is None or (said.at, said.value) > (known.at, known.value):
            told[name] = said
    if told == row.profile:
        return
    desk.customers[row.account, row.id] = after = replace(row, profile=told)
    if values(row) != values(after):
        desk.tell_profile(after, claim.at, store)


def take_consent(claim: ConsentClaim, desk: IngestDesk, store: str, trust: Trust) -> Outcome:
    """Keep and tell consent, unless something newer is known or a browser speaks for a verified customer."""
    if trust is not Trust.VERIFIED and _verified(claim, desk):
        return Outcome("dropped", "untrusted_consent")
    customer = desk.recognise(claim.keys, trust, claim.at)
    row = desk.person(customer)
    name = f"{claim.channel}:{claim.purpose}"
    held = row.consents.get(name)
    if held is None or (claim.at, not claim.granted) > (held.at, not held.granted):
        consents = {**row.consents, name: ConsentHeld(claim.granted, claim.at)}
        desk.customers[row.account, row.id] = replace(row, consents=consents)
        fact = ConsentChanged(
            channel=claim.channel,
            purpose=claim.purpose,
            granted=claim.granted,
            at=claim.at,
            source=claim.source,
            wording=claim.wording,
        )
        desk.emit(fact, customer=customer, store=store, time=claim.at)
    return Outcome("translated", customer=customer)
