"""referrals, awards that are taken back."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant

revision = "5b1d2c7e90af"
down_revision = "0f76070f16cd"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables as the models have them."""
    op.create_table(
        "referral",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("id", sa.Text(), nullable=False),
        sa.Column("friend", sa.Text(), nullable=False),
        sa.Column("referrer", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("created_at", Instant(), nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "id"),
    )
    op.create_index("referral_friend", "referral", ["account", "friend"], unique=False)
    op.create_index("referral_referrer", "referral", ["account", "referrer", "created_at"], unique=False)
    op.create_index("referral_status", "referral", ["account", "status", "id"], unique=False)
    op.create_table(
        "referral_code",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "key"),
    )
    op.create_index("referral_code_customer", "referral_code", ["account", "customer"], unique=False)
    op.create_table(
        "referral_party",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("code", sa.Text(), nullable=False),
        sa.Column("friends", sa.Integer(), nullable=False),
        sa.Column("known", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "customer"),
    )
    op.add_column("award", sa.Column("returned", sa.BigInteger(), server_default="0", nullable=False))
    op.add_column("award", sa.Column("written_off", sa.BigInteger(), server_default="0", nullable=False))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("award", "written_off")
    op.drop_column("award", "returned")
    op.drop_table("referral_party")
    op.drop_index("referral_code_customer", table_name="referral_code")
    op.drop_table("referral_code")
    op.drop_index("referral_status", table_name="referral")
    op.drop_index("referral_referrer", table_name="referral")
    op.drop_index("referral_friend", table_name="referral")
    op.drop_table("referral")
