"""Bytes of a store for each liquidation, everything included, beside a Parquet file."""

import random
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.days_of_orders import SEGMENT_MIN, START_MS, days_of_orders
from benchmarks.measuring import measured, run_and_measure
from liq_provider.core.durations import DAY_MS, MINUTE_MS

_HERE = "benchmarks.rows.disk"
_HOUR_MIN = 60


def liqtrend(folder: Path, size: int) -> Measured:
    """
    Days of liquidations, their minutes, and the features of each minute as a sidecar writes them.

    :param size: days
    """
    from liq_provider.core.liquidation import Liquidation
    from liq_provider.store.booked_minute import Incoming
    from liq_provider.store.database import open_engine
    from liq_provider.store.reader import Reader
    from liq_provider.store.writer import Writer

    path = folder / "store.sqlite"
    url = f"sqlite:///{path}"
    orders = list(days_of_orders(size))
    incoming = [Incoming(Liquidation(*order)) for order in orders]

    def fill() -> int:
        written = 0
        with closing(Writer(open_engine(url))) as writer:
            for first in range(0, len(incoming), 5_000):
                writer.append(incoming[first : first + 5_000])
            for close_ms, rows in _hours(orders, _a_row(Reader(url)), size):
                writer.put_results(rows, [], close_ms, close_ms)
                written += len(rows)
        return written

    written, cpu_s, wall_s = run_and_measure(fill)
    stored = Reader(url).count("liquidations")
    if stored != len(orders):
        raise ValueError(f"{stored:,} of {len(orders):,} liquidations are in the store")
    size_bytes = sum(file.stat().st_size for file in folder.glob("store.sqlite*"))
    kept = Reader(url).count("features")
    said = f"{stored:,} liquidations, {written:,} rows of features written and {kept:,} kept"
    return measured(size_bytes / stored, [stored], cpu_s, wall_s, said)


def _a_row(reader: Any) -> dict[str, Any]:
    """:return: features of one coin at the end of the second day, as a sidecar stores them"""
    from liq_provider.config.measuring import feature_params_of
    from liq_provider.config.settings import Settings
    from liq_provider.measure.minute_results import NewestMinutes
    from liq_provider.store.minute_features import compute

    settings, close_ms = Settings(), START_MS + 2 * DAY_MS
    computed = compute(
        reader, ["C0"], settings.venues.enabled, feature_params_of(settings), close_ms, close_ms
    )
    return NewestMinutes(computed).table_rows({"C0": "C0/USDT:USDT"}, close_ms)[0]


def _hours(
    orders: list[tuple[Any, ...]], template: dict[str, Any], days: int
) -> Iterator[tuple[int, list[dict[str, Any]]]]:
    """
    :return: of each hour its close and its rows: one of each coin and minute in whose segment
        something happened, with numbers of their own
    """
    rng = random.Random(2)  # noqa: S311
    active: dict[int, set[str]] = {}
    for order in orders:
        minute, coin = (order[8] - START_MS) // MINUTE_MS, order[3]
        for later in range(SEGMENT_MIN):
            active.setdefault(minute + later + 1, set()).add(coin)
    numbers = [name for name, value in template.items() if name in _NUMBERS]
    for first in range(0, days * 24 * _HOUR_MIN, _HOUR_MIN):
        rows = []
        for minute in range(first + 1, first + _HOUR_MIN + 1):
            close_ms = START_MS + minute * MINUTE_MS
            for coin in sorted(active.get(minute, ())):
                own = {"close_ms": close_ms, "base_asset": coin, "available_at": close_ms + 3_000}
                if "pair" in template:
                    own["pair"] = f"{coin}/USDT:USDT"
                rows.append(template | own | {name: rng.lognormvariate(3, 3) for name in numbers})
        yield START_MS + (first + _HOUR_MIN) * MINUTE_MS, rows


# What is a real number in a sidecar's row, and takes eight bytes.
_NUMBERS = {
    *("long_usd", "short_usd", "notional_usd", "z", "robust_z", "percentile", "long_ratio"),
    *("purity", "mean_usd", "std_usd", "before_long_usd", "before_short_usd", "before_z"),
    *("before_robust_z", "before_percentile"),
}


ROW = Row(
    name="disk",
    work="bytes on disk for each liquidation, everything included, after 60 days",
    unit="bytes",
    better="less",
    goal=Goal(120),
    contestants=(
        Contestant("LiqTrend", f"{_HERE}:liqtrend"),
        Contestant("Parquet", "benchmarks.peers.parquet:parquet", peer=True),
    ),
    size=60,
    interruptible=True,
    compares=(
        "20 coins of three venues, 1,000 liquidations a day: their rows, their minutes, and "
        "features of each close in whose segment something happened, with all files of the store "
        "as they lie there once it is closed. Parquet has the liquidations alone, compressed, "
        "and nothing can be added to it. Both have as many."
    ),
    growth=(Growth("days", f"{_HERE}:liqtrend", (4, 16, 64), cost="value"),),
)
