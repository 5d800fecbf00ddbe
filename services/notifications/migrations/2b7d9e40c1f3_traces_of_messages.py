"""A message knows which trace it follows from."""

import sqlalchemy as sa
from alembic import op

revision = "2b7d9e40c1f3"
down_revision = "8c1f0a5d7e24"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; messages that are there follow from nothing."""
    op.add_column("message", sa.Column("trace", sa.Text(), nullable=True))
    op.execute("UPDATE message SET trace = ''")
    with op.batch_alter_table("message") as table:
        table.alter_column("trace", existing_type=sa.Text(), nullable=False)


def downgrade() -> None:
    """Take it away again."""
    op.drop_column("message", "trace")
