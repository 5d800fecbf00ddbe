"""What the API shows of contacts, messages, decisions, suppressions and journeys."""

from datetime import datetime
from typing import Any, Literal

import msgspec
from sqlalchemy import Select, and_, or_, select

from services.notifications import tables
from services.notifications.audience import language_of
from services.notifications.journeys import JOURNEYS, After, Await
from services.notifications.records import Consent, ConsentProof, Contact, Decision, Message, Suppression
from shared.db.base import Reader
from shared.tables import AliasRow
from shared.web import Page, page, read_cursor

_message, _decision, _suppression, _consent = tables.message, tables.decision, tables.suppression, tables.consent


class MessageView(msgspec.Struct, frozen=True):
    """A message and what became of it; `detail` says why it was refused, withdrawn or is unknown."""

    id: str
    customer: str
    store: str
    journey: str
    version: int
    step: str
    key: str
    channel: str
    purpose: str
    state: str
    detail: str
    attempts: int
    recorded_at: datetime
    settled_at: datetime | None


class SuppressionView(msgspec.Struct, frozen=True):
    """What an address must not be written to for, since when and why."""

    channel: str
    purpose: str
    reason: str
    since: datetime


class SuppressedAddress(msgspec.Struct, frozen=True):
    """An address, as a keyed hash, that must not be written to."""

    address: str
    channel: str
    purpose: str
    reason: str
    since: datetime


class DecisionView(msgspec.Struct, frozen=True, kw_only=True):
    """Why a message was not sent, or not yet: reason code with the version of the rule that said so."""

    id: str
    customer: str
    journey: str
    version: int
    step: str
    key: str
    channel: str
    reason: str
    rule: str
    at: datetime


class ConsentView(msgspec.Struct, frozen=True, kw_only=True):
    """One line of the consent ledger; `digest` covers the line and the digest before it."""

    id: str
    customer: str
    channel: str
    purpose: str
    granted: bool
    at: datetime
    source: str
    wording: str
    recorded: datetime
    previous: str
    digest: str


class JourneyStep(msgspec.Struct, frozen=True):
    """A step of a journey: what it sends by which channel, so many seconds after the start or at the latest."""

    name: str
    channel: str
    kind: Literal["after", "await"]
    seconds: int


class JourneyView(msgspec.Struct, frozen=True, kw_only=True):
    """A journey, its steps, and since when it listens."""

    name: str
    version: int
    purpose: str
    valid_for_seconds: int
    since: datetime
    steps: list[JourneyStep]


class ContactView(msgspec.Struct, frozen=True):
    """What is known of a contact; `consents` are the newest words, `suppressions` bind the address whoever has it."""

    customer: str
    email: str
    first_name: str
    phone: str
    country: str
    locale: str
    language: str
    zone: str
    consents: tuple[Consent, ...]
    suppressions: list[SuppressionView]


async def survivor(reader: Reader, account: str, customer: str) -> str:
    """The customer that one was merged into, or the same."""
    seen: set[str] = set()
    while customer not in seen:
        seen.add(customer)
        rows = await reader.fetch_by_keys(tables.kernel.alias, [(account, customer)], AliasRow)
        customer = rows[0].survivor if rows else customer
    return customer


async def contact_of(reader: Reader, account: str, customer: str) -> Contact | None:
    """A contact; None for nobody and for whom we forgot."""
    rows = await reader.fetch_by_keys(tables.contact, [(account, customer)], Contact)
    return next((row for row in rows if row.erased_at is None), None)


async def contact_view(reader: Reader, contact: Contact) -> ContactView:
    """A contact as the API shows it."""
    keys = [(contact.account, contact.address)] if contact.address else []
    held = await reader.fetch_by_keys(_suppression, keys, Suppression, by=("account", "address"))
    return ContactView(
        customer=contact.customer,
        email=contact.email,
        first_name=contact.first_name,
        phone=contact.phone,
        country=contact.country,
        locale=contact.locale,
        language=language_of(contact.locale, ""),
        zone=contact.zone,
        consents=contact.consents,
        suppressions=[_suppressed(row) for row in held],
    )


async def messages_page(
    reader: Reader, account: str, customer: str, state: str, limit: int, cursor: str
) -> Page[MessageView]:
    """Messages of a customer (of all for ''), in one state or in any, the newest first."""
    chosen = _newest_first(select(*_message.columns), _message, _message.c.claimed_at, account, customer, cursor)
    if state:
        chosen = chosen.where(_message.c.state == state)
    rows = [tables.message_row(*row) for row in await reader.fetch(chosen.limit(limit + 1))]
    found = page(rows, limit, lambda row: (row.claimed_at, row.id))
    return found.each(_message_view)


async def decisions_page(reader: Reader, account: str, customer: str, limit: int, cursor: str) -> Page[DecisionView]:
    """Why messages to a customer were not sent, or not yet, the newest first."""
    chosen = _newest_first(select(*_decision.columns), _decision, _decision.c.at, account, customer, cursor)
    rows = [Decision(*row) for row in await reader.fetch(chosen.limit(limit + 1))]
    found = page(rows, limit, lambda row: (row.at, row.id))
    return found.each(_decision_view)


async def consents_page(reader: Reader, account: str, customer: str, limit: int, cursor: str) -> Page[ConsentView]:
    """What a customer said on consent, with its proof, the oldest first."""
    table = _consent.c
    chosen = select(*_consent.columns).where(table.account == account, table.customer == customer)
    if cursor:
        at, last = read_cursor(cursor, tuple[datetime, str])
        chosen = chosen.where(or_(table.recorded > at, and_(table.recorded == at, table.id > last)))
    rows = await reader.fetch(chosen.order_by(table.recorded, table.id).limit(limit + 1))
    found = page([ConsentProof(*row) for row in rows], limit, lambda row: (row.recorded, row.id))
    return found.each(_consent_view)


async def suppressions_page(reader: Reader, account: str, limit: int, cursor: str) -> Page[SuppressedAddress]:
    """Addresses (keyed hashes) that must not be written to."""
    table = _suppression.c
    place = (table.address, table.channel, table.purpose)
    chosen = select(*_suppression.columns).where(table.account == account).order_by(*place)
    if cursor:
        address, channel, purpose = read_cursor(cursor, tuple[str, str, str])
        within = or_(table.channel > channel, and_(table.channel == channel, table.purpose > purpose))
        chosen = chosen.where(or_(table.address > address, and_(table.address == address, within)))
    rows = [Suppression(*row) for row in await reader.fetch(chosen.limit(limit + 1))]
    found = page(rows, limit, lambda row: (row.address, row.channel, row.purpose))
    return found.each(lambda row: SuppressedAddress(row.address, row.channel, row.purpose, row.reason, row.since))


def journeys_view() -> list[JourneyView]:
    """The journeys, their steps, and since when each listens."""
    return [
        JourneyView(
            name=journey.name,
            version=journey.version,
            purpose=journey.purpose.value,
            valid_for_seconds=int(journey.valid_for.total_seconds()),
            since=journey.since,
            steps=[_step(step) for step in journey.steps],
        )
        for journey in JOURNEYS
    ]


def _newest_first(
    chosen: Select[Any], table: Any, moment: Any, account: str, customer: str, cursor: str
) -> Select[Any]:
    chosen = chosen.where(table.c.account == account).order_by(moment.desc(), table.c.id.desc())
    if customer:
        chosen = chosen.where(table.c.customer == customer)
    if cursor:
        at, last = read_cursor(cursor, tuple[datetime, str])
        chosen = chosen.where(or_(moment < at, and_(moment == at, table.c.id < last)))
    return chosen


def _message_view(row: Message) -> MessageView:
    return MessageView(
        id=row.id,
        customer=row.customer,
        store=row.store,
        journey=row.journey,
        version=row.version,
        step=row.step,
        key=row.key,
        channel=row.channel,
        purpose=row.purpose.value,
        state=row.state.value,
        detail=row.detail,
        attempts=row.attempts,
        recorded_at=row.claimed_at,
        settled_at=row.settled_at,
    )


def _decision_view(row: Decision) -> DecisionView:
    return DecisionView(**_without_account(row))


def _consent_view(row: ConsentProof) -> ConsentView:
    return ConsentView(**_without_account(row))


def _without_account(row: Decision | ConsentProof) -> dict[str, Any]:
    return {name: value for name, value in msgspec.structs.asdict(row).items() if name != "account"}


def _suppressed(row: Suppression) -> SuppressionView:
    return SuppressionView(row.channel, row.purpose, row.reason, row.since)


def _step(step: After | Await) -> JourneyStep:
    after = step.delay if isinstance(step, After) else step.timeout
    kind: Literal["after", "await"] = "after" if isinstance(step, After) else "await"
    return JourneyStep(step.message.template, step.message.channel, kind, int(after.total_seconds()))
