"""Minutes that were settled live: they were decided on, so nothing is added to them any more."""

from bisect import bisect_right
from collections.abc import Iterable, Mapping
from typing import Any

from sqlalchemy import Connection

from liq_provider.core.coverage import Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.store import schema
from liq_provider.store.known_minutes import claims_query, doubts_query, gather, of_coin
from liq_provider.store.statements import read_state


class FinalMinutes:
    """
    Up to the watermark, those that some sidecar heard all of. What the only one that listened
    knew to be incomplete is open: nobody could decide on it.

    :param venues: that are asked about
    """

    def __init__(self, connection: Connection, venues: Iterable[str]) -> None:
        names = sorted(set(venues))
        watermark_ms = int(read_state(connection, "watermark_ms") or 0)
        ever = Interval(0, watermark_ms)
        claims = [
            (*row[:-1], min(row[-1], watermark_ms))
            for row in connection.execute(claims_query(names, None, ever, ["live"]))
        ]
        table = schema.doubts.c
        doubts = connection.execute(
            doubts_query(names, None, ever)
            .where(table.heard_by != "")
            .where(table.available_at <= table.start_ms + MINUTE_MS)
        )
        self._known = gather(claims, doubts)
        self._spans: dict[tuple[str, str], list[Interval]] = {}

    @property
    def none(self) -> bool:
        """Whether nothing is final."""
        return not self._known

    def has(self, row: Mapping[str, Any], minute_ms: int) -> bool:
        """
        :param row: of ``liquidations``
        :return: whether that minute of its coin is final on its venue
        """
        if not self._known:
            return False
        spans = self._of(row["venue"], row["base_asset"])
        at = bisect_right(spans, minute_ms, key=lambda span: span.start_ms) - 1
        return at >= 0 and minute_ms < spans[at].end_ms

    def _of(self, venue: str, base_asset: str) -> list[Interval]:
        key = venue, base_asset
        if key not in self._spans:
            self._spans[key] = of_coin(self._known, venue, base_asset).minutes()
        return self._spans[key]
