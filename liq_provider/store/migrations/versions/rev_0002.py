"""Filled minutes beside booked ones; vendors' bars, imported files, opened hold-outs."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

_KEPT = (
    "base_asset, minute_ms, venue, pair, filled, "
    "long_usd, short_usd, long_count, short_count, available_at"
)


def upgrade() -> None:
    # SQLite cannot change a primary key, so the table is made anew on both databases.
    op.drop_index("ix_minutes_minute_ms", table_name="minutes")
    op.rename_table("minutes", "minutes_0001")
    op.create_table(
        "minutes",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("minute_ms", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("long_usd", sa.Float(precision=53), nullable=False),
        sa.Column("short_usd", sa.Float(precision=53), nullable=False),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("long_count", sa.Integer(), nullable=False),
        sa.Column("short_count", sa.Integer(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "base_asset", "minute_ms", "venue", "pair", "filled", name="minutes_key"
        ),
        sqlite_with_rowid=False,
    )
    op.execute(
        f"INSERT INTO minutes ({_KEPT}) SELECT {_KEPT} FROM minutes_0001"  # noqa: S608
        " WHERE long_count IS NOT NULL AND short_count IS NOT NULL"
    )
    op.drop_table("minutes_0001")
    op.create_index("ix_minutes_minute_ms", "minutes", ["minute_ms"], unique=False)
    op.create_table(
        "bars",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("bar_min", sa.Integer(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("market", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("long_usd", sa.Float(precision=53), nullable=False),
        sa.Column("short_usd", sa.Float(precision=53), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset", "source", "bar_min", "start_ms", "market"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "imports",
        sa.Column("digest", sa.String(), nullable=False),
        sa.Column("read_as", sa.String(), nullable=False),
        sa.Column("name", sa.String(), nullable=False),
        sa.Column("orders", sa.Integer(), nullable=False),
        sa.Column("finished_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("digest", "read_as"),
    )
    op.create_table(
        "holdouts",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("opened_ms", sa.BigInteger(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset", "source", "start_ms", "end_ms"),
    )
