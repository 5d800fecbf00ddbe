"""Scoring's tables; each row is the struct of the same columns in `records`."""

from typing import Any

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, MetaData, Table, Text, text

from services.scoring.features import Purse
from services.scoring.money import Rates, Reporting
from services.scoring.scores import Served
from shared.db import Document, Instant
from shared.tables import attach

metadata = MetaData()
kernel = attach(metadata)

member = Table(
    "member",
    metadata,
    Column("account", Text, primary_key=True),
    Column("customer", Text, primary_key=True),
    Column("segment", Text, nullable=False),
    Column("since", Instant(), nullable=False),
    Column("first_day", Integer, nullable=False),
    Column("last_day", Integer, nullable=False),
    Column("occasions", Integer, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("last_order", Text, nullable=False),
    Column("store", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("currency", Text, nullable=False),
    Column("purses", Document(tuple[Purse, ...]), nullable=False),
    Index("member_store", "account", "store", "customer"),
    Index("member_segment", "account", "segment", "customer"),
)

purchase = Table(
    "purchase",
    metadata,
    Column("account", Text, primary_key=True),
    Column("order_id", Text, primary_key=True),
    Column("customer", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("store", Text, nullable=False),
    Column("zone", Text, nullable=False),
    Column("day", Integer, nullable=False),
    Column("currency", Text, nullable=False),
    Column("value", BigInteger, nullable=False),
    Column("counts", Boolean, nullable=False),
    Column("paid_currency", Text, nullable=False),
    Column("paid", BigInteger, nullable=False),
    Column("exponent", Integer, nullable=False),
    Column("waits", Boolean, nullable=False),
    Column("business", Boolean, nullable=False),
    Index("purchase_customer", "account", "customer"),
    Index("purchase_store", "account", "store", "day"),
    Index(
        "purchase_foreign",
        "account",
        "order_id",
        postgresql_where=text("paid_currency <> ''"),
        sqlite_where=text("paid_currency <> ''"),
    ),
)

reporting = Table(
    "reporting",
    metadata,
    Column("account", Text, primary_key=True),
    Column("reporting", Document(Reporting), nullable=False),
)

rates = Table(
    "exchange_rates",
    metadata,
    Column("account", Text, primary_key=True),
    Column("day", Integer, primary_key=True, autoincrement=False),
    Column("rates", Document(Rates), nullable=False),
)

served = Table(
    "served",
    metadata,
    Column("account", Text, primary_key=True),
    Column("served", Document(Served), nullable=False),
)

model = Table(
    "model",
    metadata,
    Column("account", Text, primary_key=True),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("at", Instant(), nullable=False),
    Column("status", Text, nullable=False),
    Column("cards", Document(dict[str, Any]), nullable=False),
)

refit = Table(
    "refit",
    metadata,
    Column("account", Text, primary_key=True),
    Column("asked", Instant(), nullable=False),
    Column("until", Instant(), nullable=False),
)

pulse = Table(
    "pulse",
    metadata,
    Column("account", Text, primary_key=True),
    Column("store", Text, primary_key=True),
)
