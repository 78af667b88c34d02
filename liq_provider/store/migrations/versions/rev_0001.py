"""The first schema."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "coverage",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("end_ms", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "base_asset", "source", "start_ms"),
    )
    op.create_table(
        "features",
        sa.Column("close_ms", sa.BigInteger(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("long_usd", sa.Float(precision=53), nullable=False),
        sa.Column("short_usd", sa.Float(precision=53), nullable=False),
        sa.Column("notional_usd", sa.Float(precision=53), nullable=False),
        sa.Column("count", sa.Integer(), nullable=False),
        sa.Column("z", sa.Float(precision=53), nullable=True),
        sa.Column("robust_z", sa.Float(precision=53), nullable=True),
        sa.Column("long_ratio", sa.Float(precision=53), nullable=False),
        sa.Column("purity", sa.Float(precision=53), nullable=False),
        sa.Column("mean_usd", sa.Float(precision=53), nullable=True),
        sa.Column("std_usd", sa.Float(precision=53), nullable=True),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("baseline_n", sa.Integer(), nullable=False),
        sa.Column("active_n", sa.Integer(), nullable=False),
        sa.Column("venues", sa.String(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("close_ms", "base_asset"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_features_base_asset", "features", ["base_asset", "close_ms"], unique=False)
    op.create_table(
        "liquidations",
        sa.Column("event_ms", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("market_id", sa.String(), nullable=False),
        sa.Column("position_side", sa.String(), nullable=False),
        sa.Column("price", sa.Float(precision=53), nullable=False),
        sa.Column("quantity", sa.Float(precision=53), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("notional_usd", sa.Float(precision=53), nullable=False),
        sa.Column("received_ms", sa.BigInteger(), nullable=False),
        sa.Column("minute_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint(
            "event_ms", "venue", "market_id", "position_side", "price", "quantity", "ordinal"
        ),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "markets",
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("market_id", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("contract_size", sa.Float(precision=53), nullable=False),
        sa.Column("linear", sa.Boolean(), nullable=False),
        sa.Column("listed_ms", sa.BigInteger(), nullable=True),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("venue", "market_id"),
    )
    op.create_table(
        "minutes",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("minute_ms", sa.BigInteger(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("long_usd", sa.Float(precision=53), nullable=False),
        sa.Column("short_usd", sa.Float(precision=53), nullable=False),
        sa.Column("long_count", sa.Integer(), nullable=True),
        sa.Column("short_count", sa.Integer(), nullable=True),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset", "minute_ms", "venue", "pair"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_minutes_minute_ms", "minutes", ["minute_ms"], unique=False)
    op.create_table(
        "readiness",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("close_ms", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.Integer(), nullable=False),
        sa.Column("baseline_n", sa.Integer(), nullable=False),
        sa.Column("active_n", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset"),
    )
    op.create_table(
        "state",
        sa.Column("key", sa.String(), nullable=False),
        sa.Column("value", sa.Text(), nullable=False),
        sa.Column("updated_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
    )
    op.create_table(
        "verdicts",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("wave_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("strength", sa.String(), nullable=False),
        sa.Column("aligned", sa.String(), nullable=False),
        sa.Column("news_key", sa.String(), nullable=False),
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("news", sa.String(), nullable=False),
        sa.Column("action", sa.String(), nullable=False),
        sa.Column("confidence", sa.String(), nullable=False),
        sa.Column("downgrade", sa.Integer(), nullable=False),
        sa.Column("liq_note", sa.Text(), nullable=False),
        sa.Column("trend_note", sa.Text(), nullable=False),
        sa.Column("news_note", sa.Text(), nullable=False),
        sa.Column("action_reason", sa.Text(), nullable=False),
        sa.Column("close_ms", sa.BigInteger(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.BigInteger(), nullable=False),
        sa.Column("inputs", sa.Text(), nullable=False),
        sa.Column("guard", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint(
            "base_asset", "direction", "wave_start_ms", "strength", "aligned", "news_key", "judge"
        ),
    )
    op.create_index("ix_verdicts_expires_at", "verdicts", ["expires_at"], unique=False)
    op.create_table(
        "waves",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("start_ms", sa.BigInteger(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("last_ms", sa.BigInteger(), nullable=False),
        sa.Column("minutes", sa.Integer(), nullable=False),
        sa.Column("strength", sa.String(), nullable=False),
        sa.Column("peak_z", sa.Float(precision=53), nullable=False),
        sa.Column("peak_usd", sa.Float(precision=53), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset", "direction", "start_ms"),
    )
    op.create_index("ix_waves_last_ms", "waves", ["last_ms"], unique=False)
