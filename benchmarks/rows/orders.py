"""From the settled minute to the order: a real bot of the whole market, and five waves at once."""

import time
from pathlib import Path
from statistics import median, quantiles

from benchmarks.contest import Contestant, Goal, Measured, Row
from benchmarks.measuring import measured

_HERE = "benchmarks.rows.orders"
_TRIALS = 5


def orders(folder: Path, size: int) -> Measured:
    """:param size: pairs of the market, all of them traded by the sidecar's list"""
    from benchmarks.orders import Scene, measure, summary

    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    scene = Scene(size, 0)
    trials, weights = measure(scene, _TRIALS, folder)
    summary(scene, trials, weights)  # refuses what is missing
    each = [seconds for trial in trials for seconds in trial.orders_s]
    low, _, high = quantiles(each, n=4, method="inclusive")
    said = (
        f"{_TRIALS} trials of five waves in one bot, quartiles {low:.2f} to {high:.2f} s, at the "
        f"worst {max(each):.2f} s"
    )
    cpu_s = time.process_time() - begun_cpu_s
    return measured(median(each), [len(each)], cpu_s, time.perf_counter() - begun_s, said)


ROW = Row(
    name="orders",
    work="settled minute to order, 500 pairs, the whole market",
    unit="seconds of the clock",
    better="less",
    goal=Goal(3),
    contestants=(Contestant("LiqTrend", f"{_HERE}:orders"),),
    size=500,
    compares=(
        "A real bot and a real sidecar on the simulated exchange with its limit of requests; in "
        "each trial five waves at once of coins that no list had. All 25 orders came, and no "
        "request was refused. `python benchmarks/orders.py` has 13 and 100 pairs, too."
    ),
    rounds=1,
    repeats=_TRIALS,
    warm=False,
    timeout_s=900,
)
