"""The rows of the table, in their order."""

from benchmarks.contest import Row
from benchmarks.rows import (
    appending,
    disk,
    features,
    freqtrading,
    importing,
    orders,
    processes,
    reading,
)

ROWS: tuple[Row, ...] = (
    orders.DOZEN,
    orders.HUNDRED,
    orders.MARKET,
    freqtrading.LOOP,
    freqtrading.BACKTEST,
    freqtrading.HYPEROPT,
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
