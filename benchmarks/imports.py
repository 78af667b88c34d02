"""
How fast recordings go into an empty SQLite store, beside pandas and DuckDB, and how much memory
that takes.

Everybody reads the same CSV, in turn and in a process of its own, several times; what is compared
is CPU time, without that of Python's imports. Each leaves on disk the orders, each once, and what
they come to in each minute: LiqTrend in its store, pandas in Parquet, DuckDB in its database. Only
LiqTrend names rows that are none, knows what was covered, and can be asked again or killed.

All must have the same orders at the end, to the bit, and rows that are none must be named; if not,
this fails. pandas and DuckDB are left out where they are not installed.

    python benchmarks/imports.py [--rows 300000] [--rounds 5]
"""

import argparse
import gzip
import hashlib
import importlib
import importlib.util
import json
import math
import multiprocessing
import resource
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from liq_provider.core.durations import MINUTE_MS
from liq_provider.history.export import Wanted, export
from liq_provider.history.importer import ImportReport, import_files
from liq_provider.history.restore import restore
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

_T0 = 1_709_251_200_000
_SYMBOLS = [f"{base}USDT" for base in ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK")]
_GROWTH = (1, 4, 16)
_ONE_BAD_IN = 1_000


@dataclass(frozen=True, slots=True)
class Figures:
    """
    Of one run.

    :param digest: of all orders, whatever their order
    """

    cpu_s: float
    wall_s: float
    peak_mb: float
    digest: str = ""


# -- files


def _orders(rows: int) -> Iterator[tuple[int, str, str, str]]:
    for n in range(rows):
        side = "SELL" if n % 3 else "BUY"
        yield _T0 + 40 * n, _SYMBOLS[n % 8], side, f"{1 + n % 977 / 100:.2f}"


def _csv(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("s,S,q,p,ap,X,l,z,T\n")
        for t, s, side, z in _orders(rows):
            file.write(f"{s},{side},{z},50,50.1,FILLED,{z},{z},{t}\n")


def _spoilt_csv(path: Path, rows: int) -> None:
    """One row in a thousand has no price."""
    with path.open("w") as file:
        file.write("s,S,q,p,ap,X,l,z,T\n")
        for n, (t, s, side, z) in enumerate(_orders(rows)):
            price = "50.1" if n % _ONE_BAD_IN else "-"
            file.write(f"{s},{side},{z},{price},{price},FILLED,{z},{z},{t}\n")


def _tardis(path: Path, rows: int) -> None:
    with gzip.open(path, "wt", compresslevel=1) as file:
        file.write("exchange,symbol,timestamp,local_timestamp,id,side,price,amount\n")
        for t, s, side, z in _orders(rows):
            file.write(f"bybit,{s},{t}000,{t + 90}000,,{side.lower()},50,{z}\n")


def _frames(path: Path, rows: int) -> None:
    with path.open("w") as file:
        for t, s, side, z in _orders(rows):
            order = {"s": s, "S": side, "p": "50", "ap": "50", "z": z, "T": t, "X": "FILLED"}
            frame = json.dumps({"e": "forceOrder", "E": t, "o": order})
            line = {"venue": "binance", "received_ms": t + 500, "frame": frame}
            file.write(json.dumps(line) + "\n")


_MADE: dict[str, tuple[str, Callable[[Path, int], None]]] = {
    "binance-forceorder": ("a.csv", _csv),
    "tardis": ("b.csv.gz", _tardis),
    "frames": ("c.jsonl", _frames),
}


# -- who takes part; each runs in a process of its own


def _measured(work: Callable[[], Any]) -> tuple[Any, Figures]:
    wall_s, cpu_s = time.perf_counter(), time.process_time()
    result = work()
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    return result, Figures(cpu_s, wall_s, _peak_mb())


def _imported(name: str, path: Path) -> tuple[ImportReport, Figures]:
    store = Path(f"{path}.sqlite")
    for left in path.parent.glob(f"{store.name}*"):
        left.unlink()
    url = f"sqlite:///{store}"
    writer = Writer(open_engine(url))
    result = _measured(lambda: import_files(writer, Reader(url), [path], name))
    writer.close()
    return result


def _import(name: str, path: Path, rows: int) -> Figures:
    report, figures = _imported(name, path)
    assert report.kept == rows, report
    return figures


def _spoilt(path: Path, rows: int) -> Figures:
    report, figures = _imported("binance-forceorder", path)
    bad = math.ceil(rows / _ONE_BAD_IN)
    assert (report.kept, report.bad) == (rows - bad, bad), report
    lines = [(row.line - 2) % _ONE_BAD_IN for row in report.bad_rows]
    assert lines == [0] * len(lines), report.bad_rows
    return figures


def _liqtrend(path: Path) -> Figures:
    _, figures = _imported("binance-forceorder", path)
    query = "SELECT event_ms, market_id, position_side = 'short', price, quantity, notional_usd "
    with closing(sqlite3.connect(f"{path}.sqlite")) as connection:
        rows = connection.execute(query + "FROM liquidations").fetchall()
    return _with_digest(figures, list(zip(*rows, strict=True)))


def _pandas(path: Path) -> Figures:
    import pandas as pd

    key = ["T", "s", "S", "ap", "z"]

    def work() -> None:
        read = pd.read_csv(path)
        sound = (read["ap"] > 0) & (read["z"] > 0) & read["S"].isin(["BUY", "SELL"])
        orders = read.loc[sound, key].drop_duplicates().sort_values(key)
        orders["usd"] = orders["z"] * orders["ap"]
        orders["minute"] = orders["T"] // MINUTE_MS
        sums = orders.groupby(["s", "minute", "S"], as_index=False)["usd"].agg(["sum", "count"])
        orders.to_parquet(f"{path}.parquet")
        sums.to_parquet(f"{path}.sums.parquet")

    _, figures = _measured(work)
    read = pd.read_parquet(f"{path}.parquet")
    return _with_digest(
        figures, [read["T"], read["s"], read["S"] == "BUY", read["ap"], read["z"], read["usd"]]
    )


def _duckdb(path: Path) -> Figures:
    duckdb = importlib.import_module("duckdb")
    database = Path(f"{path}.duckdb")
    database.unlink(missing_ok=True)

    def work() -> None:
        connection = duckdb.connect(str(database))
        connection.execute("SET threads = 1")
        connection.execute(
            "CREATE TABLE orders AS SELECT DISTINCT t, s, side, ap, z, z * ap AS usd "
            "FROM read_csv($1, header = false, skip = 1, names = "
            "['s', 'side', 'q', 'p', 'ap', 'x', 'l', 'z', 't']) "
            "WHERE ap > 0 AND z > 0 AND side IN ('BUY', 'SELL') ORDER BY ALL",
            [str(path)],
        )
        connection.execute(
            "CREATE TABLE sums AS SELECT s, t // $1 AS minute, side, sum(usd) AS usd, count(*) "
            "FROM orders GROUP BY ALL ORDER BY ALL",
            [MINUTE_MS],
        )
        connection.close()

    _, figures = _measured(work)
    connection = duckdb.connect(str(database))
    query = "SELECT t, s, side = 'BUY', ap, z, usd FROM orders"
    columns = list(connection.execute(query).fetchnumpy().values())
    connection.close()
    return _with_digest(figures, columns)


_CONTESTANTS: dict[str, Callable[[Path], Figures]] = {
    "liqtrend": _liqtrend,
    "pandas": _pandas,
    "duckdb": _duckdb,
}


def _with_digest(figures: Figures, columns: list[Any]) -> Figures:
    """:param columns: time, symbol, whether a short, price, quantity, dollars"""
    kinds = (np.int64, np.str_, np.bool_, np.float64, np.float64, np.float64)
    arrays: list[Any] = [
        np.asarray(column).astype(kind) for column, kind in zip(columns, kinds, strict=True)
    ]
    arrays[1] = arrays[1].astype("U20")
    order = np.lexsort(arrays[::-1])
    digest = hashlib.sha256()
    for array in arrays:
        digest.update(array[order].tobytes())
    return Figures(figures.cpu_s, figures.wall_s, figures.peak_mb, digest.hexdigest())


def _export(path: Path) -> Figures:
    engine = open_engine(f"sqlite:///{path}.sqlite", read_only=True)
    return _measured(lambda: export(engine, path.with_suffix(".export"), Wanted(), 0))[1]


def _restore(path: Path, rows: int) -> Figures:
    writer = Writer(open_engine(f"sqlite:///{path}.copy.sqlite"))
    done, figures = _measured(lambda: restore(writer, path.with_suffix(".export"), 0))
    assert done.rows["liquidations"] == rows
    writer.close()
    return figures


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


# -- what is printed


def _rate(rows: int, seconds: float) -> str:
    return f"{60 * rows / seconds / 1e6:.1f} M"


def _tell(name: str, rows: int, runs: list[Figures]) -> None:
    seconds = [figures.cpu_s for figures in runs]
    wall_s = statistics.median(figures.wall_s for figures in runs)
    print(
        f"{name:22}{_rate(rows, statistics.median(seconds)):>8} rows a minute of CPU "
        f"({_rate(rows, max(seconds))} to {_rate(rows, min(seconds))}), "
        f"{_rate(rows, wall_s)} of the clock, peak {max(one.peak_mb for one in runs):,.0f} MB"
    )


Apply = Callable[..., Figures]


def _contest(apply: Apply, path: Path, rows: int, rounds: int) -> None:
    names = [n for n in _CONTESTANTS if n == "liqtrend" or importlib.util.find_spec(n)]
    runs: dict[str, list[Figures]] = {name: [] for name in names}
    for turn in range(rounds):
        first = turn % len(names)
        for name in names[first:] + names[:first]:
            runs[name].append(apply(_CONTESTANTS[name], (path,)))
    digests = {figures.digest for some in runs.values() for figures in some}
    if len(digests) != 1:
        raise SystemExit(f"The orders are not the same: {runs}")
    print(f"The same {rows:,} orders for {', '.join(names)}; {rounds} rounds, medians:")
    for name in names:
        _tell(name, rows, runs[name])
    for name in names[1:]:
        pairs = zip(runs["liqtrend"], runs[name], strict=True)
        ratio = statistics.median(own.cpu_s / other.cpu_s for own, other in pairs)
        print(f"LiqTrend takes {ratio:.1f} times the CPU of {name}")
    for name in _CONTESTANTS.keys() - set(names):
        print(f"{name} is not installed")


def _growth(apply: Apply, folder: Path, rows: int) -> None:
    seconds = []
    for times in _GROWTH:
        path = folder / f"x{times}.csv"
        apply(_csv, (path, times * rows))
        figures = apply(_import, ("binance-forceorder", path, times * rows))
        _tell(f"rows x{times}", times * rows, [figures])
        seconds.append(figures.cpu_s)
        for left in folder.glob(f"{path.name}*"):
            left.unlink()
    power = float(np.polyfit(np.log(_GROWTH), np.log(seconds), 1)[0])
    print(f"The time grows with the rows to the power of {power:.2f}")


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    rows = args.rows
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as made, spawn.Pool(1, maxtasksperchild=1) as pool:
        folder = Path(made)
        for file, make in _MADE.values():
            pool.apply(make, (folder / file, rows))
        _contest(pool.apply, folder / "a.csv", rows, args.rounds)
        spoilt = folder / "spoilt.csv"
        pool.apply(_spoilt_csv, (spoilt, rows))
        _tell("one bad row in 1,000", rows, [pool.apply(_spoilt, (spoilt, rows))])
        for name, (file, _) in _MADE.items():
            _tell(name, rows, [pool.apply(_import, (name, folder / file, rows))])
        exported = folder / _MADE["frames"][0]
        _tell("export", rows, [pool.apply(_export, (exported,))])
        _tell("import of the export", rows, [pool.apply(_restore, (exported, rows))])
        _growth(pool.apply, folder, rows)


if __name__ == "__main__":
    main()
