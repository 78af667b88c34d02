"""Where headlines come from, and what is spent in a day."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("news", sa.Column("origins", sa.Text()))
    op.create_table(
        "spending",
        sa.Column("what", sa.String(), nullable=False),
        sa.Column("day", sa.BigInteger(), nullable=False),
        sa.Column("calls", sa.Integer(), nullable=False),
        sa.Column("usd", sa.Float(53), nullable=False),
        sa.PrimaryKeyConstraint("what", "day"),
    )
