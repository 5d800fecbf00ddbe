"""The tables of notifications; each row is the struct of the same columns in `records`."""

from typing import Any

from msgspec.structs import replace
from sqlalchemy import Boolean, Column, Index, Integer, LargeBinary, MetaData, Table, Text

from services.notifications.policy import Limits
from services.notifications.records import Consent, Content, Message, MessageState, Purpose, Run, RunState
from shared.db import Document, Instant
from shared.tables import attach

metadata = MetaData()
kernel = attach(metadata)

contact = Table(
    "contact",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("store", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("first_name", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("country", Text, nullable=False),
    Column("locale", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("profile_at", Instant(), nullable=True),
    Column("consents", Document(tuple[Consent, ...]), nullable=False),
    Column("ordered_at", Instant(), nullable=True),
    Column("swept_at", Instant(), nullable=True),
    Column("proof", Text, nullable=False),
    Column("erased_at", Instant(), nullable=True),
    Column("known_at", Instant(), nullable=True),
    Index("contact_address", "account", "address"),
)

mailbox = Table(
    "mailbox",
    metadata,
    Column("account", Text, primary_key=True),
    Column("address", Text, primary_key=True),
)

journey_run = Table(
    "journey_run",
    metadata,
    Column("account", Text, primary_key=True),
    Column("journey", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("clock", Instant(), nullable=False),
    Column("position", Integer, nullable=False),
    Column("stepped_at", Instant(), nullable=True),
    Column("bought_at", Instant(), nullable=True),
    Column("content", Document(Content), nullable=False),
    Index("journey_run_customer", "account", "customer", "state"),
)

message = Table(
    "message",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("journey", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("detail", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("valid_until", Instant(), nullable=False),
    Column("claimed_at", Instant(), nullable=False),
    Column("handed_at", Instant(), nullable=True),
    Column("settled_at", Instant(), nullable=True),
    Column("address", Text, nullable=False),
    Column("trace", Text, nullable=False),
    Index("message_address", "account", "address"),
    Index("message_customer", "account", "customer", "claimed_at", "id"),
    Index("message_state", "state", "claimed_at", "id"),
)

decision = Table(
    "decision",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("journey", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("step", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("reason", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("at", Instant(), nullable=False),
    Index("decision_customer", "account", "customer", "at", "id"),
)

suppression = Table(
    "suppression",
    metadata,
    Column("account", Text, primary_key=True),
    Column("address", Text, primary_key=True),
    Column("channel", Text, primary_key=True),
    Column("purpose", Text, primary_key=True),
    Column("reason", Text, nullable=False),
    Column("since", Instant(), nullable=False),
)

consent = Table(
    "consent",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("channel", Text, nullable=False),
    Column("purpose", Text, nullable=False),
    Column("granted", Boolean, nullable=False),
    Column("at", Instant(), nullable=False),
    Column("source", Text, nullable=False),
    Column("wording", Text, nullable=False),
    Column("recorded", Instant(), nullable=False),
    Column("previous", Text, nullable=False),
    Column("digest", Text, nullable=False),
    Index("consent_customer", "account", "customer", "recorded", "id"),
)

shred = Table(
    "shred",
    metadata,
    Column("account", Text, primary_key=True),
    Column("message", Text, primary_key=True),
    Column("channel", Text, nullable=False),
)

house = Table(
    "house",
    metadata,
    Column("name", Text, primary_key=True),
    Column("key", LargeBinary, nullable=False),
    Column("limits", Document(Limits), nullable=False),
)


def run_row(*row: Any) -> Run:
    """A run as read from its table."""
    run = Run(*row)
    return replace(run, state=RunState(run.state))


def message_row(*row: Any) -> Message:
    """A message as read from its table."""
    found = Message(*row)
    return replace(found, purpose=Purpose(found.purpose), state=MessageState(found.state))
