"""How fast recordings go into a store, and how much memory that takes."""

import gzip
import json
import resource
import sys
import tempfile
import time
from pathlib import Path

from liq_provider.history.importer import import_files
from liq_provider.store.engine import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

_ROWS = 200_000
_T0 = 1_709_251_200_000
_SYMBOLS = [f"{base}USDT" for base in ("BTC", "ETH", "SOL", "XRP", "DOGE", "ADA", "AVAX", "LINK")]


def _orders() -> list[tuple[int, str, str, str]]:
    return [
        (_T0 + 40 * n, _SYMBOLS[n % 8], "SELL" if n % 3 else "BUY", f"{1 + n % 977 / 100:.2f}")
        for n in range(_ROWS)
    ]


def _csv(path: Path) -> None:
    rows = [f"{s},{side},{z},50,50,FILLED,{z},{z},{t}" for t, s, side, z in _orders()]
    path.write_text("\n".join(["s,S,q,p,ap,X,l,z,T", *rows]))


def _tardis(path: Path) -> None:
    head = "exchange,symbol,timestamp,local_timestamp,id,side,price,amount"
    rows = [f"bybit,{s},{t}000,{t + 90}000,,{side.lower()},50,{z}" for t, s, side, z in _orders()]
    path.write_bytes(gzip.compress("\n".join([head, *rows]).encode(), 1))


def _frames(path: Path) -> None:
    lines = []
    for t, s, side, z in _orders():
        order = {"s": s, "S": side, "p": "50", "ap": "50", "z": z, "T": t, "X": "FILLED"}
        frame = json.dumps({"e": "forceOrder", "E": t, "o": order})
        lines.append(json.dumps({"venue": "binance", "received_ms": t + 500, "frame": frame}))
    path.write_text("\n".join(lines))


def main() -> None:
    made = {"binance-forceorder": ("a.csv", _csv), "tardis": ("b.csv.gz", _tardis)}
    made["frames"] = ("c.jsonl", _frames)
    print(f"{_ROWS:,} rows each, into SQLite")
    with tempfile.TemporaryDirectory() as name:
        for form, (file, make) in made.items():
            path = Path(name) / file
            make(path)
            url = f"sqlite:///{path}.sqlite"
            writer = Writer(open_engine(url))
            begin = time.perf_counter()
            report = import_files(writer, Reader(url), [path], form)
            took = time.perf_counter() - begin
            writer.close()
            assert report.kept == _ROWS, report
            rate = _ROWS / took
            print(f"{form:22} {rate:>10,.0f} rows/s {60 * rate / 1e6:>8.1f} M a minute")
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (
        1 if sys.platform == "darwin" else 1024
    )
    print(f"peak memory {peak:,.0f} MB, the generated files included")


if __name__ == "__main__":
    main()
