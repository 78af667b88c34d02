"""The rows of the table, in their order."""

from benchmarks.contest import Row
from benchmarks.rows import appending, disk, features, importing, processes, reading

ROWS: tuple[Row, ...] = (
    disk.ROW,
    importing.ROW,
    appending.ROW,
    reading.YEAR,
    reading.SPAN,
    reading.MARKET,
    features.ROW,
    processes.STATUS,
    processes.REST,
)
