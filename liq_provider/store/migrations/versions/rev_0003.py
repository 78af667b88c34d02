"""Questions to models, and the headlines that were found."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "model_calls",
        sa.Column("call_id", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("symbol", sa.String(), nullable=False),
        sa.Column("direction", sa.String(), nullable=False),
        sa.Column("wave_start_ms", sa.BigInteger(), nullable=False),
        sa.Column("close_ms", sa.BigInteger(), nullable=False),
        sa.Column("judge", sa.String(), nullable=False),
        sa.Column("news_key", sa.String(), nullable=False),
        sa.Column("asked_ms", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms", sa.Integer(), nullable=False),
        sa.Column("requests", sa.Integer(), nullable=False),
        sa.Column("prompt", sa.Text(), nullable=False),
        sa.Column("answer", sa.Text(), nullable=False),
        sa.Column("prompt_tokens", sa.Integer()),
        sa.Column("answer_tokens", sa.Integer()),
        sa.Column("charged_tokens", sa.Integer(), nullable=False),
        sa.Column("cost_usd", sa.Float(precision=53)),
        sa.Column("outcome", sa.String(), nullable=False),
        sa.Column("detail", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id"),
    )
    op.create_index("ix_model_calls_asked_ms", "model_calls", ["asked_ms"], unique=False)
    op.create_table(
        "news",
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("item_id", sa.String(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("source", sa.String(), nullable=False),
        sa.Column("summary", sa.Text(), nullable=False),
        sa.Column("published_ms", sa.BigInteger(), nullable=False),
        sa.Column("provider", sa.String(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("base_asset", "item_id"),
    )
    op.create_index("ix_news_available_at", "news", ["available_at"], unique=False)
