"""Loyalty's tables; each row is the struct of the same columns in `records`."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    ColumnElement,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    false,
)

from services.loyalty.catalogue import Reward
from services.loyalty.holders import MAIN
from services.loyalty.hook_records import What
from services.loyalty.records import Context, Habits, Note, Part
from services.loyalty.referral_records import Case, Known
from shared.db import Document, Instant
from shared.tables import attach

metadata = MetaData()
attach(metadata)

member = Table(
    "member",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("tier", Text, nullable=False),
    Column("available", BigInteger, nullable=False),
    Column("pending", BigInteger, nullable=False),
    Column("held", BigInteger, nullable=False),
    Column("debt", BigInteger, nullable=False),
    Column("habits", Document(Habits), nullable=False),
)

lot = Table(
    "lot",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("source", Text, nullable=False),
    Column("state", Text, nullable=False),
    Column("issued", BigInteger, nullable=False),
    Column("remaining", BigInteger, nullable=False),
    Column("open", Boolean, nullable=False),
    Column("accrued_at", Instant(), nullable=False),
    Column("matures_at", Instant(), nullable=False),
    Column("expires_at", Instant()),
    Column("awaits", Text, nullable=False, server_default=""),
    Column("reinstated", Boolean, nullable=False, server_default=false()),
    Index("lot_customer", "account", "customer", "open", "expires_at"),
)

journal = Table(
    "journal",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("cause", Text, nullable=False),
    Column("occurred_at", Instant(), nullable=False),
    Column("recorded_at", Instant(), nullable=False),
    Column("revision", Integer, nullable=False),
    Column("note", Document(Note)),
    Index("journal_customer", "account", "customer", "id"),
)

entry = Table(
    "entry",
    metadata,
    Column("account", Text, primary_key=True),
    Column("txn", Text, primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("side", Text, nullable=False),
    Column("lot", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
)

rating = Table(
    "rating",
    metadata,
    Column("account", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("revision", BigInteger, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("written_off", BigInteger, nullable=False),
    Column("context", Document(Context)),
    Column("parts", Document(tuple[Part, ...])),
    Column("spent", BigInteger, nullable=False, server_default="0"),
)

award = Table(
    "award",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("rule", Text, nullable=False),
    Column("version", Integer, nullable=False),
    Column("source", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("txn", Text, nullable=False),
    Column("awarded_at", Instant(), nullable=False),
    Column("returned", BigInteger, nullable=False, server_default="0"),
    Column("written_off", BigInteger, nullable=False, server_default="0"),
    Index("award_customer", "account", "customer", "id"),
)

budget = Table(
    "budget",
    metadata,
    Column("account", Text, primary_key=True),
    Column("period", Text, primary_key=True),
    Column("purse", Integer, primary_key=True, autoincrement=False),
    Column("points", BigInteger, nullable=False),
)

redemption = Table(
    "redemption",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("txn", Text, nullable=False),
    Column("reversed_by", Text, nullable=False),
    Column("created_at", Instant(), nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("returned", BigInteger, nullable=False),
    Column("worth", BigInteger),
    Index("redemption_customer", "account", "customer"),
    Index("redemption_order", "account", "order_ref"),
)

hold = Table(
    "hold",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("points", BigInteger, nullable=False),
    Column("status", Text, nullable=False),
    Column("txn", Text, nullable=False),
    Column("closed_by", Text, nullable=False),
    Column("until", Instant(), nullable=False),
    Column("worth", BigInteger),
    Column("vouchers", Document(tuple[str, ...])),
    Index("hold_customer", "account", "customer"),
)

reward = Table(
    "reward",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("revision", Integer, nullable=False),
    Column("body", Document(Reward), nullable=False),
)

stock = Table(
    "stock",
    metadata,
    Column("account", Text, primary_key=True),
    Column("reward", Text, primary_key=True),
    Column("remaining", BigInteger, nullable=False),
)

code = Table(
    "code",
    metadata,
    Column("account", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("reward", Text, nullable=False),
    Column("voucher", Text, nullable=False),
    Index("code_reward", "account", "reward", "voucher"),
)

voucher = Table(
    "voucher",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("reward", Text, nullable=False),
    Column("code", Text, nullable=False),
    Column("redemption", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("order_ref", Text, nullable=False),
    Column("issued_at", Instant(), nullable=False),
    Column("expires_at", Instant()),
    Index("voucher_customer", "account", "customer", "issued_at", "id"),
    Index("voucher_issued", "account", "issued_at", "id"),
)

referral_party = Table(
    "referral_party",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("friends", Integer, nullable=False),
    Column("known", Document(Known), nullable=False),
)

referral_code = Table(
    "referral_code",
    metadata,
    Column("account", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("code", Text, nullable=False),
    Column("customer", Text, nullable=False),
    Index("referral_code_customer", "account", "customer"),
)

referral = Table(
    "referral",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("friend", Text, nullable=False),
    Column("referrer", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("created_at", Instant(), nullable=False),
    Column("body", Document(Case), nullable=False),
    Index("referral_friend", "account", "friend"),
    Index("referral_referrer", "account", "referrer", "created_at"),
    Index("referral_status", "account", "status", "id"),
)

invitation = Table(
    "invitation",
    metadata,
    Column("account", Text, primary_key=True),
    Column("digest", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("invited_at", Instant(), nullable=False),
)

hook = Table(
    "hook",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("url", Text, nullable=False),
    Column("events", Document(tuple[What, ...]), nullable=False),
    Column("secret", LargeBinary, nullable=False),
    Column("active", Boolean, nullable=False),
    Column("created_at", Instant(), nullable=False),
)

hook_call = Table(
    "hook_call",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("hook", Text, nullable=False),
    Column("event", Text, nullable=False),
    Column("body", LargeBinary, nullable=False),
    Column("made_at", Instant(), nullable=False),
    Column("due", Instant(), nullable=False),
    Column("attempts", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("answered", Text, nullable=False),
    Index("hook_call_due", "state", "due"),
    Index("hook_call_hook", "account", "hook", "made_at", "id"),
)

audit = Table(
    "audit",
    metadata,
    Column("account", Text, primary_key=True),
    Column("id", Text, primary_key=True),
    Column("at", Instant(), nullable=False),
    Column("key", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("customer", Text, nullable=False),
)

program = Table(
    "program",
    metadata,
    Column("account", Text, primary_key=True),
    Column("program", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("effective_from", Instant(), nullable=False),
    Column("recorded_at", Instant(), nullable=False),
    Column("body", LargeBinary, nullable=False),
)


def in_one_wallet(customer: ColumnElement[str], wallet: str) -> ColumnElement[bool]:
    """Rows of whoever holds points of one wallet; of the main one customers hold them themselves."""
    return customer.notlike("%/%") if wallet == MAIN else customer.endswith(f"/{wallet}", autoescape=True)
