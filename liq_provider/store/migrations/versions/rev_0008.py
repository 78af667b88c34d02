"""Who heard a minute, and minutes that are in doubt although somebody did."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

_KEPT = "venue, base_asset, source, start_ms, end_ms, available_at"


def upgrade() -> None:
    # SQLite cannot change a primary key, so the table is made anew on both databases.
    op.rename_table("coverage", "coverage_0007")
    op.create_table(
        "coverage",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("heard_by", sa.String(), nullable=False, server_default=""),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "venue", "base_asset", "source", "heard_by", "start_ms", name="coverage_key"
        ),
    )
    op.execute(
        f"INSERT INTO coverage ({_KEPT}) SELECT {_KEPT} FROM coverage_0007"  # noqa: S608
    )
    # It was the time of writing; of live spans it is now when their first minute was known.
    op.execute("UPDATE coverage SET available_at = 0 WHERE source = 'live'")
    op.drop_table("coverage_0007")
    op.create_table(
        "doubts",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("heard_by", sa.String(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "base_asset", "heard_by", "start_ms", "available_at"),
    )
