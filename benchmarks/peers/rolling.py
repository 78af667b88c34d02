"""z of a year's minutes by pandas: a column for each minute of a segment, rolled over 288 rows."""

from pathlib import Path
from typing import Any

from benchmarks.contest import Measured
from benchmarks.measuring import measured, run_and_measure
from benchmarks.years import usd_of_year

_SEGMENT_MIN = 5
_SEGMENTS = 288
_FEWEST = 72


def z_of(usd: Any) -> Any:
    """:return: of every close"""
    import pandas as pd

    segment = pd.Series(usd).rolling(_SEGMENT_MIN).sum().to_numpy()
    lines = pd.DataFrame(segment.reshape(-1, _SEGMENT_MIN))
    baseline = lines.shift(1).rolling(_SEGMENTS, min_periods=_FEWEST)
    return ((lines - baseline.mean()) / baseline.std(ddof=0)).to_numpy().reshape(-1)


def pandas(folder: Path, size: int) -> Measured:
    """:param size: minutes"""
    longs, shorts = usd_of_year(size, 0.02)
    z_of(longs + shorts)
    z, cpu_s, wall_s = run_and_measure(lambda: z_of(longs + shorts))
    return measured(cpu_s * 1e3, [z.tobytes()], cpu_s, wall_s)
