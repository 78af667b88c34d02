"""Reads a CSV of liquidations as one does who trusts it: no row is checked, nothing is stored."""

from pathlib import Path
from typing import Any

from benchmarks.contest import Measured
from benchmarks.liquidation_files import orders_digest
from benchmarks.measuring import measured, run_and_measure


def _per_minute(size: int, columns: Any, cpu_s: float, wall_s: float) -> Measured:
    return measured(size / cpu_s * 60 / 1e6, [orders_digest(columns)], cpu_s, wall_s)


def pandas(folder: Path, size: int) -> Measured:
    """``read_csv``, then side, quantity and dollars of each row."""
    import pandas as pd

    def read() -> list[Any]:
        frame = pd.read_csv(folder / "scene" / "orders.csv")
        usd = frame["z"] * frame["ap"]
        return [frame["T"], frame["s"], frame["S"] == "BUY", frame["ap"], frame["z"], usd]

    return _per_minute(size, *run_and_measure(read))


def duckdb(folder: Path, size: int) -> Measured:
    """``read_csv`` into a table in memory, in one thread as the others."""
    import duckdb as duck

    def read() -> Any:
        connection = duck.connect()
        connection.execute("SET threads = 1")
        connection.execute(
            "CREATE TABLE orders AS SELECT T AS t, s, S1 = 'BUY' AS short, ap, z, z * ap AS usd "
            "FROM read_csv($1, header = false, skip = 1, names = "
            "['s', 'S1', 'q', 'p', 'ap', 'X', 'l', 'z', 'T'])",
            [str(folder / "scene" / "orders.csv")],
        )
        return connection

    connection, cpu_s, wall_s = run_and_measure(read)
    columns = connection.execute("SELECT t, s, short, ap, z, usd FROM orders").fetchnumpy()
    return _per_minute(size, list(columns.values()), cpu_s, wall_s)
