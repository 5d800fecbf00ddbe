"""${message}."""

import sqlalchemy as sa
from alembic import op

from shared.db.types import Instant, Uid

revision = ${repr(up_revision)}
down_revision = ${repr(down_revision)}
branch_labels = ${repr(branch_labels)}
depends_on = ${repr(depends_on)}


def upgrade() -> None:
    """Make the tables as the models have them."""
    ${upgrades if upgrades else "pass"}


def downgrade() -> None:
    """Take them away again."""
    ${downgrades if downgrades else "pass"}
