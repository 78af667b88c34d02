"""
How fast recordings go into an empty SQLite store, and how much memory that takes.

Each format is imported by a process of its own, so that the peak is its own; the files are
made before by another one.

    python benchmarks/imports.py [--rows 300000]
"""

import argparse
import gzip
import json
import multiprocessing
import resource
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from liq_provider.history.export import Wanted, export
from liq_provider.history.importer import import_files
from liq_provider.history.restore import restore
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

_T0 = 1_709_251_200_000
_SYMBOLS = [f"{base}USDT" for base in ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK")]


def _orders(rows: int) -> Iterator[tuple[int, str, str, str]]:
    for n in range(rows):
        side = "SELL" if n % 3 else "BUY"
        yield _T0 + 40 * n, _SYMBOLS[n % 8], side, f"{1 + n % 977 / 100:.2f}"


def _csv(path: Path, rows: int) -> None:
    with path.open("w") as file:
        file.write("s,S,q,p,ap,X,l,z,T\n")
        for t, s, side, z in _orders(rows):
            file.write(f"{s},{side},{z},50,50,FILLED,{z},{z},{t}\n")


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


def _import(name: str, path: Path, rows: int) -> tuple[float, float]:
    """:return: seconds, and the peak of memory in MB"""
    url = f"sqlite:///{path}.sqlite"
    writer = Writer(open_engine(url))
    begin = time.perf_counter()
    report = import_files(writer, Reader(url), [path], name)
    took = time.perf_counter() - begin
    assert report.kept == rows, report
    writer.close()
    return took, _peak_mb()


def _export(path: Path, rows: int) -> tuple[float, float]:
    begin = time.perf_counter()
    engine = open_engine(f"sqlite:///{path}.sqlite", read_only=True)
    export(engine, path.with_suffix(".export"), Wanted(), 0)
    return time.perf_counter() - begin, _peak_mb()


def _restore(path: Path, rows: int) -> tuple[float, float]:
    writer = Writer(open_engine(f"sqlite:///{path}.copy.sqlite"))
    begin = time.perf_counter()
    done = restore(writer, path.with_suffix(".export"), 0)
    took = time.perf_counter() - begin
    assert done.rows["liquidations"] == rows
    writer.close()
    return took, _peak_mb()


def _peak_mb() -> float:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak / (1 << 20 if sys.platform == "darwin" else 1 << 10)


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--rows", type=int, default=300_000)
    rows = parser.parse_args().rows
    print(f"{rows:,} rows each")
    spawn = multiprocessing.get_context("spawn")
    with tempfile.TemporaryDirectory() as folder, spawn.Pool(1, maxtasksperchild=1) as pool:

        def report(name: str, figures: tuple[float, float]) -> None:
            rate = rows / figures[0]
            million = f"{60 * rate / 1e6:.1f} M a minute"
            print(f"{name:20}{rate:>9,.0f} rows/s  {million:16} peak {figures[1]:>5,.0f} MB")

        for name, (file, make) in _MADE.items():
            path = Path(folder) / file
            pool.apply(make, (path, rows))
            report(name, pool.apply(_import, (name, path, rows)))
        report("export", pool.apply(_export, (path, rows)))
        report("import of the export", pool.apply(_restore, (path, rows)))


if __name__ == "__main__":
    main()
