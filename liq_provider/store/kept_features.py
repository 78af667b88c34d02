"""
Features are kept for as long as a bot looks back, and computed again beyond.

They are made from the minutes alone, as everybody knew them at the time, and would be most of
what lies on the disk. Who asks for a time of any age asks ``features_of``.
"""

from dataclasses import fields

from sqlalchemy import Connection, delete, select

from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.measure.feature_rows import FeatureRows, State
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.scales import EVERY_SCORE
from liq_provider.store import schema
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader

# What a bot reads when it starts, and an hour for a store that is behind.
KEPT_MS = 49 * HOUR_MS

# A minute brings some hundreds; whoever kept more gets rid of it by and by.
_AT_ONCE = 5_000


def forget(connection: Connection, computed_ms: int) -> int:
    """
    Delete features that are older than everybody's look back, the oldest first and whole closes
    only: from the oldest one that is left on, all are there.

    :param computed_ms: the newest close with features
    :return: number of rows
    """
    close_ms = schema.features.c.close_ms
    old = close_ms < computed_ms - KEPT_MS
    last = select(close_ms).where(old).order_by(close_ms).limit(1).offset(_AT_ONCE - 1)
    last_ms = connection.execute(last).scalar()
    bound = old if last_ms is None else close_ms <= last_ms
    return connection.execute(delete(schema.features).where(bound)).rowcount


def features_of(
    reader: Reader,
    base_asset: str,
    from_ms: int,
    to_ms: int,
    computed: FeatureRows | None = None,
) -> FeatureRows:
    """
    Features of a coin with ``from_ms <= close_ms <= to_ms``: as they were recorded where they
    are kept, else computed with the windows that the sidecar tells of.

    :param computed: what the caller has computed itself, instead of that
    """
    stored = reader.features([base_asset], from_ms, to_ms).get(base_asset) or FeatureRows.empty()
    oldest_ms = reader.oldest_features_ms()
    if oldest_ms is not None and oldest_ms <= from_ms:
        return stored or computed or FeatureRows.empty()
    if computed is not None:
        return computed
    before_ms = to_ms if oldest_ms is None else min(to_ms, oldest_ms - MINUTE_MS)
    return _computed(reader, base_asset, from_ms, before_ms).then(stored)


def _computed(reader: Reader, base_asset: str, from_ms: int, to_ms: int) -> FeatureRows:
    facts = reader.states(["computed_ms", "sidecar"])
    # Later minutes are not settled, and nobody's features yet.
    to_ms = min(to_ms, int(facts.get("computed_ms") or 0))
    windows = (facts.get("sidecar") or {}).get("windows") or {}
    names = [field.name for field in fields(FeatureParams)]
    if from_ms > to_ms or not windows.keys() >= {"venues", *names}:
        return FeatureRows.empty()
    params = FeatureParams(**{name: windows[name] for name in names})
    (coin,) = compute(reader, [base_asset], windows["venues"], params, from_ms, to_ms)
    rows = coin.rows(EVERY_SCORE)
    # Where the baseline is deleted, too, they say nothing of what they were.
    return rows if State.READY in rows.state else FeatureRows.empty()
