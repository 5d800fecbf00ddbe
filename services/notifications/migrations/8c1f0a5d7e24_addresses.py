"""One address, several customers: messages know where they went, a mailbox is held while a slot in it is taken."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant

revision = "8c1f0a5d7e24"
down_revision = "c51f0d8e7a24"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the mailbox table and two columns; messages that are there went where their customer is reached now."""
    op.create_table(
        "mailbox",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("account", "address"),
    )
    op.add_column("contact", sa.Column("known_at", Instant(), nullable=True))
    op.create_index("contact_address", "contact", ["account", "address"], unique=False)
    op.add_column("message", sa.Column("address", sa.Text(), nullable=True))
    op.execute(
        "UPDATE message SET address = COALESCE((SELECT contact.address FROM contact"
        " WHERE contact.account = message.account AND contact.customer = message.customer), '')"
    )
    with op.batch_alter_table("message") as table:
        table.alter_column("address", existing_type=sa.Text(), nullable=False)
    op.create_index("message_address", "message", ["account", "address"], unique=False)


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("message_address", table_name="message")
    op.drop_column("message", "address")
    op.drop_index("contact_address", table_name="contact")
    op.drop_column("contact", "known_at")
    op.drop_table("mailbox")
