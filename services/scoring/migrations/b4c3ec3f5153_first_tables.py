"""first tables."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant, Uid

revision = "b4c3ec3f5153"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables as the models have them."""
    op.create_table(
        "archive",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("id", Uid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("recorded", Instant(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_index("archive_account", "archive", ["account", "seq"], unique=False)
    op.create_table(
        "config",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("revision", sa.BigInteger(), nullable=False),
        sa.Column("deleted", sa.Boolean(), nullable=False),
        sa.Column("lookup", sa.Text(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id"),
    )
    op.create_index("config_lookup", "config", ["lookup"], unique=False)
    op.create_table(
        "counter",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("writer", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", "writer"),
    )
    op.create_table(
        "customer_alias",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("loser", sa.Text(), nullable=False),
        sa.Column("survivor", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "loser"),
    )
    op.create_table(
        "heartbeat",
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("behind", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("partition"),
    )
    op.create_table(
        "idempotency",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("body_hash", sa.LargeBinary(), nullable=False),
        sa.Column("status", sa.Integer(), nullable=False),
        sa.Column("answer", sa.LargeBinary(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("account", "route", "key"),
    )
    op.create_index("idempotency_at", "idempotency", ["at"], unique=False)
    op.create_table(
        "inbox",
        sa.Column("id", Uid(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("id"),
    )
    op.create_index("inbox_at", "inbox", ["at"], unique=False)
    op.create_table(
        "lease",
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("holder", sa.Text(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name"),
    )
    op.create_table(
        "member",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("segment", sa.Text(), nullable=False),
        sa.Column("since", Instant(), nullable=False),
        sa.Column("first_day", sa.Integer(), nullable=False),
        sa.Column("last_day", sa.Integer(), nullable=False),
        sa.Column("occasions", sa.Integer(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("last_order", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("purses", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "customer"),
    )
    op.create_index("member_segment", "member", ["account", "segment", "customer"], unique=False)
    op.create_index("member_store", "member", ["account", "store", "customer"], unique=False)
    op.create_table(
        "model",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("cards", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "version"),
    )
    op.create_table(
        "outbox",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("id", Uid(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("lane", sa.Text(), nullable=False),
        sa.Column("recorded", Instant(), nullable=False),
        sa.Column("head", sa.LargeBinary(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
        sqlite_autoincrement=True,
    )
    op.create_table(
        "parked",
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("item", sa.LargeBinary(), nullable=False),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.Column("at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("seq"),
    )
    op.create_index("parked_customer", "parked", ["account", "customer", "seq"], unique=False)
    op.create_table(
        "progress",
        sa.Column("topic", sa.Text(), nullable=False),
        sa.Column("partition", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("read_to", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("topic", "partition"),
    )
    op.create_table(
        "pulse",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "store"),
    )
    op.create_table(
        "purchase",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("order_id", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("zone", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), nullable=False),
        sa.Column("currency", sa.Text(), nullable=False),
        sa.Column("value", sa.BigInteger(), nullable=False),
        sa.Column("counts", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("account", "order_id"),
    )
    op.create_index("purchase_customer", "purchase", ["account", "customer"], unique=False)
    op.create_index("purchase_store", "purchase", ["account", "store", "day"], unique=False)
    op.create_table(
        "refit",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("asked", Instant(), nullable=False),
        sa.Column("until", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "served",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("served", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.create_table(
        "timer",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("store", sa.Text(), nullable=False),
        sa.Column("due", Instant(), nullable=False),
        sa.Column("generation", Uid(), nullable=False),
        sa.Column("payload", sa.LargeBinary(), nullable=False),
        sa.Column("unguarded", sa.Boolean(), nullable=False),
        sa.Column("correlation", Uid(), nullable=True),
        sa.Column("trace", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "name"),
    )
    op.create_index("timer_customer", "timer", ["account", "customer"], unique=False)
    op.create_index("timer_due", "timer", ["due"], unique=False)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("timer_due", table_name="timer")
    op.drop_index("timer_customer", table_name="timer")
    op.drop_table("timer")
    op.drop_table("served")
    op.drop_table("refit")
    op.drop_index("purchase_store", table_name="purchase")
    op.drop_index("purchase_customer", table_name="purchase")
    op.drop_table("purchase")
    op.drop_table("pulse")
    op.drop_table("progress")
    op.drop_index("parked_customer", table_name="parked")
    op.drop_table("parked")
    op.drop_table("outbox")
    op.drop_table("model")
    op.drop_index("member_store", table_name="member")
    op.drop_index("member_segment", table_name="member")
    op.drop_table("member")
    op.drop_table("lease")
    op.drop_index("inbox_at", table_name="inbox")
    op.drop_table("inbox")
    op.drop_index("idempotency_at", table_name="idempotency")
    op.drop_table("idempotency")
    op.drop_table("heartbeat")
    op.drop_table("customer_alias")
    op.drop_table("counter")
    op.drop_index("config_lookup", table_name="config")
    op.drop_table("config")
    op.drop_index("archive_account", table_name="archive")
    op.drop_table("archive")
