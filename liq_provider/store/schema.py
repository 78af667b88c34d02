"""
The store's tables. ``minute_ms`` is a minute's open, ``close_ms`` its close, both in UTC.

Any change here needs a migration in ``migrations/versions`` and a new ``REVISION``.
"""

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Float,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    String,
    Table,
    Text,
    UniqueConstraint,
)

REVISION = "0009"
KNOWN_REVISIONS = ("0001", "0002", "0003", "0004", "0005", "0006", "0007", "0008", "0009")

# In a column heard_by: not one sidecar alone, but whoever heard it.
EVERYBODY = ""

metadata = MetaData()
# What is read under the names of before; migrations make them.
views = MetaData()

# What tables say by number instead of by name. A number is given once and stands for ever.
coin_keys = Table(
    "coin_keys",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("base_asset", String, nullable=False),
    UniqueConstraint("base_asset", name="coin_keys_names"),
)

# A pair of a venue, and its coin.
series_keys = Table(
    "series_keys",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("venue", String, nullable=False),
    Column("pair", String, nullable=False),
    Column("base_asset", String, nullable=False),
    UniqueConstraint("venue", "pair", "base_asset", name="series_keys_names"),
)

# A market of a venue, and the series of its first order.
market_keys = Table(
    "market_keys",
    metadata,
    Column("key", Integer, primary_key=True),
    Column("venue", String, nullable=False),
    Column("market_id", String, nullable=False),
    Column("series", Integer, nullable=False),
    UniqueConstraint("venue", "market_id", name="market_keys_names"),
)

# One row per forced order, as it is stored; read it as ``liquidations``. The key is the order's
# identity; it starts with the time, so that inserts go to the end of the index. side: 0 long, 1
# short. series: NULL for that of its market. notional_usd: NULL for exactly price times quantity.
# delay_ms: from event to receipt. booked_ms: from the open of the minute in which it happened to
# that of the minute it counts in, NULL for none.
orders = Table(
    "orders",
    metadata,
    Column("event_ms", BigInteger, primary_key=True),
    Column("market", Integer, primary_key=True, autoincrement=False),
    Column("side", SmallInteger, primary_key=True, autoincrement=False),
    Column("price", Float(53), primary_key=True),
    Column("quantity", Float(53), primary_key=True),
    Column("ordinal", Integer, primary_key=True, autoincrement=False),
    Column("series", Integer),
    Column("notional_usd", Float(53)),
    Column("delay_ms", BigInteger, nullable=False),
    Column("booked_ms", BigInteger),
    sqlite_with_rowid=False,
)

# Sums of a minute, as they are stored; read them as ``minutes``. known_ms: from the minute's close
# to when they were available.
sums = Table(
    "sums",
    metadata,
    Column("coin", Integer, primary_key=True, autoincrement=False),
    Column("minute_ms", BigInteger, primary_key=True, autoincrement=False),
    Column("series", Integer, primary_key=True, autoincrement=False),
    Column("filled", Boolean, primary_key=True),
    Column("long_usd", Float(53), nullable=False),
    Column("short_usd", Float(53), nullable=False),
    Column("long_count", Integer, nullable=False),
    Column("short_count", Integer, nullable=False),
    Column("known_ms", BigInteger, nullable=False),
    Index("ix_sums_minute_ms", "minute_ms"),
    sqlite_with_rowid=False,
)

# A view of ``orders`` with all names. minute_ms is the minute it counts in, NULL if it was too late
# for any; received_ms is when it was available. The key is the order's identity.
liquidations = Table(
    "liquidations",
    views,
    Column("event_ms", BigInteger, primary_key=True),
    Column("venue", String, primary_key=True),
    Column("market_id", String, primary_key=True),
    Column("position_side", String, primary_key=True),
    Column("price", Float(53), primary_key=True),
    Column("quantity", Float(53), primary_key=True),
    Column("ordinal", Integer, primary_key=True),
    Column("pair", String, nullable=False),
    Column("base_asset", String, nullable=False),
    Column("notional_usd", Float(53), nullable=False),
    Column("received_ms", BigInteger, nullable=False),
    Column("minute_ms", BigInteger),
)

# A view of ``sums`` with all names: what was booked in a minute. Sparse: a covered minute without a
# row is zero. A filled row is a whole minute that had no coverage, completed later; it serves
# baselines of closes from available_at on.
minutes = Table(
    "minutes",
    views,
    Column("base_asset", String, primary_key=True),
    Column("minute_ms", BigInteger, primary_key=True),
    Column("venue", String, primary_key=True),
    Column("pair", String, primary_key=True),
    Column("long_usd", Float(53), nullable=False),
    Column("short_usd", Float(53), nullable=False),
    Column("filled", Boolean, primary_key=True, default=False),
    Column("long_count", Integer, nullable=False),
    Column("short_count", Integer, nullable=False),
    Column("available_at", BigInteger, nullable=False),
)

# Sums that a data vendor published for bars coarser than a minute, as they came. A bar that is
# missing is unknown. market is the vendor's name of a single market, or empty: all together.
bars = Table(
    "bars",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("bar_min", Integer, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("market", String, primary_key=True),
    Column("pair", String, nullable=False),
    Column("long_usd", Float(53), nullable=False),
    Column("short_usd", Float(53), nullable=False),
    Column("available_at", BigInteger, nullable=False),
    sqlite_with_rowid=False,
)

# Files that were imported to their end without a bad row, by the SHA-256 of their content and
# what they were read as: another import of them has nothing to do.
imports = Table(
    "imports",
    metadata,
    Column("digest", String, primary_key=True),
    Column("read_as", String, primary_key=True),
    Column("name", String, nullable=False),
    Column("orders", Integer, nullable=False),
    Column("finished_ms", BigInteger, nullable=False),
)

# Spans that a study has looked at, hold-outs among them: from then on they can be no hold-outs.
holdouts = Table(
    "holdouts",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, primary_key=True),
    Column("opened_ms", BigInteger, nullable=False),
    Column("detail", Text, nullable=False),
)

# Features of a coin at a settled minute close whose segment is not empty. steady: the close before
# was READY for the same venues. Where it was not, before_* measures the segment without its newest
# minute; elsewhere they are NULL. Rows of versions before schema 0007 have neither.
features = Table(
    "features",
    metadata,
    Column("close_ms", BigInteger, primary_key=True),
    Column("base_asset", String, primary_key=True),
    Column("pair", String, nullable=False),
    Column("long_usd", Float(53), nullable=False),
    Column("short_usd", Float(53), nullable=False),
    Column("count", Integer, nullable=False),
    Column("z", Float(53)),
    Column("robust_z", Float(53)),
    Column("percentile", Float(53)),
    Column("state", Integer, nullable=False),
    Column("baseline_n", Integer, nullable=False),
    Column("active_n", Integer, nullable=False),
    Column("venues", String, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("steady", Boolean),
    Column("before_long_usd", Float(53)),
    Column("before_short_usd", Float(53)),
    Column("before_count", Integer),
    Column("before_z", Float(53)),
    Column("before_robust_z", Float(53)),
    Column("before_percentile", Float(53)),
    sqlite_with_rowid=False,
)

# How far each coin's baseline is, refreshed at every settled minute.
readiness = Table(
    "readiness",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("pair", String, nullable=False),
    Column("close_ms", BigInteger, nullable=False),
    Column("state", Integer, nullable=False),
    Column("baseline_n", Integer, nullable=False),
    Column("active_n", Integer, nullable=False),
)

# Minutes that were heard; source is live, import or fill. base_asset is the only coin of which
# that is known, or empty: the whole venue. heard_by is the run of the sidecar that heard them: a
# live minute is known if one of them heard all of it. available_at is when an import was made;
# of a fill, the first minute close that may know of it; of a live span, the first close that may
# know of its first minute (at most its own close, or later if another sidecar settled before),
# and each later minute is known as long after its own close.
coverage = Table(
    "coverage",
    metadata,
    Column("venue", String, primary_key=True),
    Column("base_asset", String, primary_key=True),
    Column("source", String, primary_key=True),
    Column("heard_by", String, primary_key=True, server_default=""),
    Column("start_ms", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False),
)

# Whole minutes that are not known although coverage says that they were heard. base_asset is the
# coin of which something may be missing, or empty: any. heard_by is the run of the sidecar that
# may have missed something, or empty: an order exists that they do not count. available_at is
# the first minute close that may know of the doubt; decisions before it were made without.
doubts = Table(
    "doubts",
    metadata,
    Column("venue", String, primary_key=True),
    Column("base_asset", String, primary_key=True),
    Column("heard_by", String, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("available_at", BigInteger, primary_key=True),
    Column("end_ms", BigInteger, nullable=False),
)

# Waves above the judge's floor. last_ms is the close of the last confirming minute; seen says
# whether the beginning was, NULL in versions before schema 0007.
waves = Table(
    "waves",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("start_ms", BigInteger, primary_key=True),
    Column("pair", String, nullable=False),
    Column("last_ms", BigInteger, nullable=False),
    Column("minutes", Integer, nullable=False),
    Column("strength", String, nullable=False),
    Column("peak_z", Float(53), nullable=False),
    Column("peak_usd", Float(53), nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("seen", Boolean),
    Index("ix_waves_last_ms", "last_ms"),
)

# One row per judged state of a wave; inputs and guard are JSON objects, confirmed is the list of
# spans of minutes (closes of the first and the last) whose settled features showed that state.
verdicts = Table(
    "verdicts",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("wave_start_ms", BigInteger, primary_key=True),
    Column("strength", String, primary_key=True),
    Column("aligned", String, primary_key=True),
    Column("news_key", String, primary_key=True),
    Column("judge", String, primary_key=True),
    Column("symbol", String, nullable=False),
    Column("news", String, nullable=False),
    Column("action", String, nullable=False),
    Column("confidence", String, nullable=False),
    Column("downgrade", Integer, nullable=False),
    Column("liq_note", Text, nullable=False),
    Column("trend_note", Text, nullable=False),
    Column("news_note", Text, nullable=False),
    Column("action_reason", Text, nullable=False),
    Column("close_ms", BigInteger, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Column("expires_at", BigInteger, nullable=False),
    Column("inputs", Text, nullable=False),
    Column("guard", Text, nullable=False),
    Column("confirmed", Text),
    Index("ix_verdicts_expires_at", "expires_at"),
)

# Every question to a model, also those without a usable answer. prompt is the JSON list of
# messages, answer the raw text; cost_usd is NULL without configured prices.
model_calls = Table(
    "model_calls",
    metadata,
    Column("call_id", String, primary_key=True),
    Column("base_asset", String, nullable=False),
    Column("symbol", String, nullable=False),
    Column("direction", String, nullable=False),
    Column("wave_start_ms", BigInteger, nullable=False),
    Column("close_ms", BigInteger, nullable=False),
    Column("judge", String, nullable=False),
    Column("news_key", String, nullable=False),
    Column("asked_ms", BigInteger, nullable=False),
    Column("latency_ms", Integer, nullable=False),
    Column("requests", Integer, nullable=False),
    Column("prompt", Text, nullable=False),
    Column("answer", Text, nullable=False),
    Column("prompt_tokens", Integer),
    Column("answer_tokens", Integer),
    Column("charged_tokens", Integer, nullable=False),
    Column("cost_usd", Float(53)),
    Column("outcome", String, nullable=False),
    Column("detail", Text, nullable=False),
    Index("ix_model_calls_asked_ms", "asked_ms"),
)

# Calls that are paid for, by what they are for and the day of UTC (days since 1970).
spending = Table(
    "spending",
    metadata,
    Column("what", String, primary_key=True),
    Column("day", BigInteger, primary_key=True),
    Column("calls", Integer, nullable=False),
    Column("usd", Float(53), nullable=False),
)

# What a model is being asked, or was asked, by whichever sidecar: one row per state of a wave.
# Until lease_ms it is left to the asker; answer is JSON, NULL if there is none.
questions = Table(
    "questions",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("direction", String, primary_key=True),
    Column("wave_start_ms", BigInteger, primary_key=True),
    Column("strength", String, primary_key=True),
    Column("aligned", String, primary_key=True),
    Column("news_key", String, primary_key=True),
    Column("judge", String, primary_key=True),
    Column("close_ms", BigInteger, nullable=False),
    Column("early", Boolean, nullable=False),
    Column("asker", String, nullable=False),
    Column("lease_ms", BigInteger, nullable=False),
    Column("call_id", String, nullable=False),
    Column("outcome", String, nullable=False),
    Column("detail", Text, nullable=False),
    Column("answer", Text),
    Index("ix_questions_close_ms", "close_ms"),
    Index("ix_questions_call_id", "call_id"),
)

# Headlines as they were let through, with the time at which they were first seen. origins are
# the registered domains behind one, NULL in records of versions before schema 0005.
news = Table(
    "news",
    metadata,
    Column("base_asset", String, primary_key=True),
    Column("item_id", String, primary_key=True),
    Column("title", Text, nullable=False),
    Column("source", String, nullable=False),
    Column("summary", Text, nullable=False),
    Column("published_ms", BigInteger, nullable=False),
    Column("origins", Text),
    Column("provider", String, nullable=False),
    Column("available_at", BigInteger, nullable=False),
    Index("ix_news_available_at", "available_at"),
)

# What each venue lists, as of the last time the list could be loaded. known_ms is when a market
# was first in it: until then a feed knew nothing of it.
markets = Table(
    "markets",
    metadata,
    Column("venue", String, primary_key=True),
    Column("market_id", String, primary_key=True),
    Column("pair", String, nullable=False),
    Column("base_asset", String, nullable=False),
    Column("contract_size", Float(53), nullable=False),
    Column("linear", Boolean, nullable=False),
    Column("listed_ms", BigInteger),
    Column("known_ms", BigInteger, nullable=False),
)

# Small facts by name: watermark, min_event_usd, heartbeats, status; the value is JSON.
state = Table(
    "state",
    metadata,
    Column("key", String, primary_key=True),
    Column("value", Text, nullable=False),
    Column("updated_ms", BigInteger, nullable=False),
)

# Where the rows of the views are.
_STORED = {"liquidations": orders, "minutes": sums}


def table(name: str) -> Table:
    """:return: what is read under a name, a table or a view"""
    return (views if name in _STORED else metadata).tables[name]


def stored(name: str) -> Table:
    """:return: the table that holds the rows of what is read under a name"""
    return _STORED[name] if name in _STORED else metadata.tables[name]
