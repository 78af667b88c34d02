"""Whether the disk has room for what a store grows to."""

import shutil
from pathlib import Path

from sqlalchemy.engine import make_url

from liq_provider.core.durations import DAY_MS

_AHEAD_DAYS = 30.0


def disk_remark(
    store_url: str, span_ms: tuple[int, int] | None, keep_days: float | None
) -> str | None:
    """
    :param span_ms: first and last liquidation of the store
    :return: what is to be said if the disk is full before long; None if it has room, if it is
        not known how fast the store grows, or if it is a server's
    """
    url = make_url(store_url)
    if url.get_backend_name() != "sqlite" or span_ms is None:
        return None
    path = Path(url.database or "")
    days = (span_ms[1] - span_ms[0]) / DAY_MS
    try:
        size = path.stat().st_size
        free = shutil.disk_usage(path.parent).free
    except OSError:
        return None
    if days < 1:
        return None
    a_day = size / days
    left_days = _AHEAD_DAYS if keep_days is None else min(_AHEAD_DAYS, max(0.0, keep_days - days))
    if a_day * left_days < free:
        return None
    return (
        f"it grows by {a_day / 1e6:,.0f} MB a day, and its disk has {free / 1e6:,.0f} MB left: "
        f"enough for {free / a_day:.0f} days"
    )
