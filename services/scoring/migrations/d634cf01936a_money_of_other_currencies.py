"""money of other currencies."""

import sqlalchemy as sa
from alembic import op

revision = "d634cf01936a"
down_revision = "7d512151c531"
branch_labels = None
depends_on = None

_OF_OTHERS = sa.text("paid_currency <> ''")
_WHOLE = "'BIF','CLP','DJF','GNF','ISK','JPY','KMF','KRW','PYG','RWF','UGX','VND','VUV','XAF','XOF','XPF'"
_THOUSANDTHS = "'BHD','IQD','JOD','KWD','LYD','OMR','TND'"


def upgrade() -> None:
    """Make the tables as the models have them; orders known so far are in their own currency."""
    op.create_table(
        "exchange_rates",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("day", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("rates", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account", "day"),
    )
    op.create_table(
        "reporting",
        sa.Column("account", sa.Text(), nullable=False),
        sa.Column("reporting", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("account"),
    )
    op.add_column("purchase", sa.Column("paid_currency", sa.Text(), nullable=False, server_default=""))
    op.add_column("purchase", sa.Column("paid", sa.BigInteger(), nullable=False, server_default="0"))
    op.add_column("purchase", sa.Column("exponent", sa.Integer(), nullable=False, server_default="2"))
    op.add_column("purchase", sa.Column("waits", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.execute(f"UPDATE purchase SET exponent = 0 WHERE currency IN ({_WHOLE})")  # noqa: S608 - constants
    op.execute(f"UPDATE purchase SET exponent = 3 WHERE currency IN ({_THOUSANDTHS})")  # noqa: S608 - constants
    op.create_index(
        "purchase_foreign",
        "purchase",
        ["account", "order_id"],
        unique=False,
        postgresql_where=_OF_OTHERS,
        sqlite_where=_OF_OTHERS,
    )


def downgrade() -> None:
    """Take them away again."""
    op.drop_index("purchase_foreign", table_name="purchase", postgresql_where=_OF_OTHERS, sqlite_where=_OF_OTHERS)
    op.drop_column("purchase", "waits")
    op.drop_column("purchase", "exponent")
    op.drop_column("purchase", "paid")
    op.drop_column("purchase", "paid_currency")
    op.drop_table("reporting")
    op.drop_table("exchange_rates")
