"""The same liquidations in one Parquet file."""

from pathlib import Path

from benchmarks.contest import Measured
from benchmarks.days_of_orders import COLUMNS, days_of_orders
from benchmarks.measuring import measured, run_and_measure


def parquet(folder: Path, size: int) -> Measured:
    """:param size: days"""
    import pyarrow as pa
    from pyarrow import parquet as pq

    orders = list(days_of_orders(size))
    path = folder / "orders.parquet"

    def write() -> None:
        columns = zip(*orders, strict=True)
        table = pa.table(dict(zip(COLUMNS, columns, strict=True)))
        pq.write_table(table, path, compression="zstd")

    _, cpu_s, wall_s = run_and_measure(write)
    rows = pq.read_metadata(path).num_rows
    return measured(path.stat().st_size / rows, [rows], cpu_s, wall_s)
