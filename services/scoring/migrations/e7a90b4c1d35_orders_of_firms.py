"""orders of firms."""

import sqlalchemy as sa
from alembic import op

revision = "e7a90b4c1d35"
down_revision = "d634cf01936a"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the column as the model has it; orders known so far are of people."""
    op.add_column("purchase", sa.Column("business", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("purchase", "business")
