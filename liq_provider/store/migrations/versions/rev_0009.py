"""
Venue, market, coin and pair by number: ``liquidations`` and ``minutes`` become views of tables that
take a quarter of the room. Of the features only those that are still kept stay.

Numbers are given in the order of the names, so that the rows come in the order of their new key.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from liq_provider.core.durations import HOUR_MS

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

_KEPT_FEATURES_MS = 49 * HOUR_MS

_WHOLE: dict[str, sa.types.TypeEngine[Any]] = {
    "long_usd": sa.Float(precision=53),
    "short_usd": sa.Float(precision=53),
    "count": sa.Integer(),
    "state": sa.Integer(),
    "baseline_n": sa.Integer(),
    "active_n": sa.Integer(),
}
_FLOATS = (
    *("z", "robust_z", "percentile", "before_long_usd", "before_short_usd"),
    *("before_z", "before_robust_z", "before_percentile"),
)

_SERIES = """
INSERT INTO series_keys (venue, pair, base_asset)
SELECT venue, pair, base_asset FROM (
  SELECT venue, pair, base_asset FROM liquidations_0008
  UNION SELECT venue, pair, base_asset FROM minutes_0008
) AS named ORDER BY venue, pair, base_asset
"""
_COINS = """
INSERT INTO coin_keys (base_asset)
SELECT DISTINCT base_asset FROM series_keys ORDER BY base_asset
"""
_MARKETS = """
INSERT INTO market_keys (venue, market_id, series)
SELECT named.venue, named.market_id, min(s.key)
FROM (SELECT DISTINCT venue, market_id, pair, base_asset FROM liquidations_0008) AS named
JOIN series_keys s
  ON s.venue = named.venue AND s.pair = named.pair AND s.base_asset = named.base_asset
GROUP BY named.venue, named.market_id ORDER BY named.venue, named.market_id
"""
# Left joins keep the order of the old table, which is that of the new one.
_ORDERS = """
INSERT INTO orders (
  event_ms, market, side, price, quantity, ordinal, series, notional_usd, delay_ms, booked_ms
)
SELECT
  l.event_ms, m.key, CASE l.position_side WHEN 'long' THEN 0 ELSE 1 END,
  l.price, l.quantity, l.ordinal,
  CASE WHEN s.key = m.series THEN NULL ELSE s.key END,
  CASE WHEN {exact} THEN NULL ELSE l.notional_usd END,
  l.received_ms - l.event_ms,
  l.minute_ms - (l.event_ms - l.event_ms % 60000)
FROM liquidations_0008 l
LEFT JOIN market_keys m ON m.venue = l.venue AND m.market_id = l.market_id
LEFT JOIN series_keys s
  ON s.venue = l.venue AND s.pair = l.pair AND s.base_asset = l.base_asset
"""
# PostgreSQL stops at a product that is too large or too small for it.
_EXACT = """
CASE WHEN l.price BETWEEN 1e-100 AND 1e100 AND l.quantity BETWEEN 1e-100 AND 1e100
THEN l.notional_usd = l.price * l.quantity ELSE {no} END
"""
_SUMS = """
INSERT INTO sums (
  coin, minute_ms, series, filled, long_usd, short_usd, long_count, short_count, known_ms
)
SELECT
  c.key, o.minute_ms, s.key, o.filled, o.long_usd, o.short_usd, o.long_count, o.short_count,
  o.available_at - o.minute_ms - 60000
FROM minutes_0008 o
LEFT JOIN coin_keys c ON c.base_asset = o.base_asset
LEFT JOIN series_keys s
  ON s.venue = o.venue AND s.pair = o.pair AND s.base_asset = o.base_asset
"""
# Each table by the name of its view, so that a plan of a query tells of what it asks for.
_LIQUIDATIONS = """
CREATE VIEW liquidations AS SELECT
  liquidations.event_ms AS event_ms, m.venue AS venue, m.market_id AS market_id,
  CASE liquidations.side WHEN 0 THEN 'long' ELSE 'short' END AS position_side,
  liquidations.price AS price, liquidations.quantity AS quantity, liquidations.ordinal AS ordinal,
  s.pair AS pair, s.base_asset AS base_asset,
  COALESCE(liquidations.notional_usd, liquidations.price * liquidations.quantity) AS notional_usd,
  liquidations.event_ms + liquidations.delay_ms AS received_ms,
  liquidations.event_ms - liquidations.event_ms % 60000 + liquidations.booked_ms AS minute_ms
FROM orders AS liquidations
LEFT JOIN market_keys m ON m.key = liquidations.market
LEFT JOIN series_keys s ON s.key = COALESCE(liquidations.series, m.series)
"""
_MINUTES = """
CREATE VIEW minutes AS SELECT
  c.base_asset AS base_asset, minutes.minute_ms AS minute_ms, s.venue AS venue, s.pair AS pair,
  minutes.long_usd AS long_usd, minutes.short_usd AS short_usd, minutes.filled AS filled,
  minutes.long_count AS long_count, minutes.short_count AS short_count,
  minutes.minute_ms + 60000 + minutes.known_ms AS available_at
FROM sums AS minutes
JOIN coin_keys c ON c.key = minutes.coin
LEFT JOIN series_keys s ON s.key = minutes.series
"""


def upgrade() -> None:
    sqlite = op.get_bind().dialect.name == "sqlite"
    op.rename_table("liquidations", "liquidations_0008")
    op.rename_table("minutes", "minutes_0008")
    _create_tables()
    for fill in (_SERIES, _COINS, _MARKETS):
        op.execute(fill)
    exact = _EXACT.format(no="0" if sqlite else "FALSE")
    op.execute(_ORDERS.format(exact=exact))
    op.execute(_SUMS)
    op.drop_table("liquidations_0008")
    op.drop_table("minutes_0008")
    op.create_index("ix_sums_minute_ms", "sums", ["minute_ms"], unique=False)
    op.execute(_LIQUIDATIONS)
    op.execute(_MINUTES)
    _keep_newest_features()


def _create_tables() -> None:
    op.create_table(
        "coin_keys",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("base_asset", name="coin_keys_names"),
    )
    op.create_table(
        "series_keys",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("venue", "pair", "base_asset", name="series_keys_names"),
    )
    op.create_table(
        "market_keys",
        sa.Column("key", sa.Integer(), nullable=False),
        sa.Column("venue", sa.String(), nullable=False),
        sa.Column("market_id", sa.String(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key"),
        sa.UniqueConstraint("venue", "market_id", name="market_keys_names"),
    )
    op.create_table(
        "orders",
        sa.Column("event_ms", sa.BigInteger(), nullable=False),
        sa.Column("market", sa.Integer(), nullable=False),
        sa.Column("side", sa.SmallInteger(), nullable=False),
        sa.Column("price", sa.Float(precision=53), nullable=False),
        sa.Column("quantity", sa.Float(precision=53), nullable=False),
        sa.Column("ordinal", sa.Integer(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=True),
        sa.Column("notional_usd", sa.Float(precision=53), nullable=True),
        sa.Column("delay_ms", sa.BigInteger(), nullable=False),
        sa.Column("booked_ms", sa.BigInteger(), nullable=True),
        sa.PrimaryKeyConstraint("event_ms", "market", "side", "price", "quantity", "ordinal"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "sums",
        sa.Column("coin", sa.Integer(), nullable=False),
        sa.Column("minute_ms", sa.BigInteger(), nullable=False),
        sa.Column("series", sa.Integer(), nullable=False),
        sa.Column("filled", sa.Boolean(), nullable=False),
        sa.Column("long_usd", sa.Float(precision=53), nullable=False),
        sa.Column("short_usd", sa.Float(precision=53), nullable=False),
        sa.Column("long_count", sa.Integer(), nullable=False),
        sa.Column("short_count", sa.Integer(), nullable=False),
        sa.Column("known_ms", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("coin", "minute_ms", "series", "filled"),
        sqlite_with_rowid=False,
    )


def _keep_newest_features() -> None:
    """Not by deleting the others: they are most of a store, and all would pass through its log."""
    op.drop_index("ix_features_base_asset", table_name="features")
    op.rename_table("features", "features_0008")
    floats = {name: sa.Float(precision=53) for name in _FLOATS}
    op.create_table(
        "features",
        sa.Column("close_ms", sa.BigInteger(), nullable=False),
        sa.Column("base_asset", sa.String(), nullable=False),
        sa.Column("pair", sa.String(), nullable=False),
        *(sa.Column(name, kind, nullable=False) for name, kind in _WHOLE.items()),
        *(sa.Column(name, kind, nullable=True) for name, kind in floats.items()),
        sa.Column("venues", sa.String(), nullable=False),
        sa.Column("available_at", sa.BigInteger(), nullable=False),
        sa.Column("steady", sa.Boolean(), nullable=True),
        sa.Column("before_count", sa.Integer(), nullable=True),
        sa.PrimaryKeyConstraint("close_ms", "base_asset", name="features_key"),
        sqlite_with_rowid=False,
    )
    names = ", ".join(
        (
            *("close_ms", "base_asset", "pair", *_WHOLE, *_FLOATS),
            *("venues", "available_at", "steady", "before_count"),
        )
    )
    newest_ms = op.get_bind().execute(sa.text("SELECT max(close_ms) FROM features_0008")).scalar()
    kept_ms = int(newest_ms or 0) - _KEPT_FEATURES_MS
    op.execute(
        f"INSERT INTO features ({names}) SELECT {names} FROM features_0008"  # noqa: S608
        f" WHERE close_ms >= {kept_ms} ORDER BY close_ms, base_asset"
    )
    op.drop_table("features_0008")
