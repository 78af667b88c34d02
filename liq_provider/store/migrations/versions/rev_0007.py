"""Whether a wave's beginning was seen, and the percentile."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

_FLOATS = (
    *("percentile", "before_long_usd", "before_short_usd"),
    *("before_z", "before_robust_z", "before_percentile"),
)


def upgrade() -> None:
    for name in _FLOATS:
        op.add_column("features", sa.Column(name, sa.Float(53)))
    op.add_column("features", sa.Column("steady", sa.Boolean()))
    op.add_column("features", sa.Column("before_count", sa.Integer()))
    op.add_column("waves", sa.Column("seen", sa.Boolean()))
