"""What a wave is judged by: its own numbers, the candles of its pair, and the news of its coin."""

import asyncio
from typing import Protocol

from liq_provider.config.settings import Settings
from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import closes
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.verdict import Facts
from liq_provider.judge.wave_facts import make_facts
from liq_provider.measure.minute_results import Anomaly
from liq_provider.news.desk import NOT_ASKED, NewsSet


class _Desk(Protocol):
    async def get(self, base_asset: str) -> NewsSet: ...


class CaseSource:
    """
    :param candles: of the exchange that is traded on
    :param desk: where news comes from; None: nobody is asked
    """

    def __init__(self, candles: WaveCandles, desk: _Desk | None, settings: Settings) -> None:
        self.candles = candles
        self._desk = desk
        self._settings = settings

    async def settled(self, anomaly: Anomaly, pair: str) -> tuple[Facts, FloatArray]:
        """
        :return: what is known of a wave of a settled minute, and the candles of its pair; the
            alignment is None if they cannot be had
        """
        candles = await self.candles.closed(pair, anomaly.close_ms)
        return self._facts(anomaly, pair, candles), candles

    async def expected(self, anomaly: Anomaly, pair: str) -> tuple[Facts, FloatArray, NewsSet]:
        """:return: what ``settled`` and ``news`` would say if price stood still until the close"""
        candles, news = await asyncio.gather(
            self.candles.expected(pair, anomaly.close_ms), self.news(anomaly.base_asset)
        )
        return self._facts(anomaly, pair, candles), candles, news

    async def news(self, base_asset: str) -> NewsSet:
        """:return: news of a coin; never raises"""
        return await self._desk.get(base_asset) if self._desk else NOT_ASKED

    def _facts(self, anomaly: Anomaly, pair: str, candles: FloatArray) -> Facts:
        settings = self._settings
        return make_facts(anomaly, pair, closes(candles), settings.trend_candles, settings.trend_k)
