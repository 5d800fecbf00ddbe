"""invitations."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant

revision = "8d3e6f41b2c5"
down_revision = "97dc5f155acb"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables as the models have them."""
    op.create_table(
        "invitation",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("digest", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=False),
        sa.Column("invited_at", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("account", "digest"),
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_table("invitation")
