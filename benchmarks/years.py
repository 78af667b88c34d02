"""Minutes of a pair, made up and always the same, in both environments."""

from typing import Any

import numpy as np

START_MS = 1_735_689_600_000
YEAR_MIN = 525_600


def usd_of_year(minutes: int, share: float) -> tuple[Any, Any]:
    """
    :param share: of minutes in which something happens
    :return: dollars of longs and of shorts, heavy-tailed
    """
    rng = np.random.default_rng(1)
    usd = np.where(rng.random(minutes) < share, rng.lognormal(7, 2.5, minutes), 0.0)
    longs = np.where(rng.random(minutes) < 0.5, usd, 0.0)
    return longs, usd - longs
