"""deliveries by source, and until when a source was redacted."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant

revision = "a41c77d0b9e2"
down_revision = "ef9cd7c31290"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables as the models have them."""
    op.create_index("delivery_source", "delivery", ["source", "seq"], unique=False)
    op.add_column("source", sa.Column("redacted_at", Instant(), nullable=True))


def downgrade() -> None:
    """Take them away again."""
    op.drop_column("source", "redacted_at")
    op.drop_index("delivery_source", table_name="delivery")
