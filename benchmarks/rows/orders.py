"""From the settled minute to the order: real bots and sidecars, and five waves at once."""

import time
from dataclasses import replace
from pathlib import Path
from statistics import median, quantiles

from benchmarks.contest import Contestant, Goal, Growth, Measured, Row
from benchmarks.measuring import measured

_HERE = "benchmarks.rows.orders"
_TRIALS = 5


def orders(folder: Path, size: int) -> Measured:
    """
    :param size: pairs; as many as the market has are traded by the sidecar's list
    :raises RuntimeError: orders are missing, or the exchange refused requests
    """
    from benchmarks.orders import SCENES, measure, summary

    begun_s, begun_cpu_s = time.perf_counter(), time.process_time()
    (scene,) = (each for each in SCENES if (each.listed or each.market) == size)
    trials, weights = measure(scene, _TRIALS, folder)
    summary(scene, trials, weights)
    each = [seconds for trial in trials for seconds in trial.orders_s]
    low, _, high = quantiles(each, n=4, method="inclusive")
    last = median(max(trial.orders_s) for trial in trials)
    said = f"the last of five after {last:.2f} s, at the worst {max(each):.2f} s"
    cpu_s, wall_s = time.process_time() - begun_cpu_s, time.perf_counter() - begun_s
    return replace(measured(median(each), [len(each)], cpu_s, wall_s, said), low=low, high=high)


_COMPARES = (
    "There is nobody to compare with. A real bot and a real sidecar trade on a simulated exchange "
    "of 500 pairs with its limit of requests; of five trials, each in a minute of its own, all 25 "
    "orders came, and no request was refused. The time begins `settle_s` after the minute's end. "
)
_GROWTH = Growth(
    "pairs", "", (13, 100, 500), cost="value", rows=("orders-13", "orders-100", "orders")
)
MARKET = Row(
    name="orders",
    work="settled minute to order, the whole market of 500 pairs",
    unit="seconds of the clock",
    better="less",
    goal=Goal(3),
    contestants=(Contestant("LiqTrend", f"{_HERE}:orders"),),
    size=500,
    compares=f"{_COMPARES}The waves are of coins that no list had.",
    growth=(_GROWTH,),
    rounds=1,
    repeats=_TRIALS,
    waits=1,
    timeout_s=900,
)
HUNDRED = replace(
    MARKET,
    name="orders-100",
    work="settled minute to order, a static list of 100 pairs",
    size=100,
    compares=f"{_COMPARES}It runs beside the one of 13 pairs, whose bot acts in the same seconds.",
    waits=2,
)
DOZEN = replace(
    MARKET,
    name="orders-13",
    work="settled minute to order, a static list of 13 pairs",
    size=13,
    compares=f"{_COMPARES}It runs beside the one of 100 pairs, whose bot acts in the same seconds.",
    waits=2,
)
