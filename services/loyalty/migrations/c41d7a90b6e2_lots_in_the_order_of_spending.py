"""lots in the order of spending."""

from alembic import op

revision = "c41d7a90b6e2"
down_revision = "8d3e6f41b2c5"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Have the index of a member's lots end with their expiry."""
    op.drop_index("lot_customer", table_name="lot")
    op.create_index("lot_customer", "lot", ["account", "customer", "open", "expires_at"], unique=False)


def downgrade() -> None:
    """Have it end before."""
    op.drop_index("lot_customer", table_name="lot")
    op.create_index("lot_customer", "lot", ["account", "customer", "open"], unique=False)
