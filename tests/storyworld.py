"""
A store in which the newest minute of each coin is one combination of gates.

Its minutes are written as they would have been booked, so that a sum, a count, a score and a
beginning come of them by the same ways as live: the sidecar's settling computes what bot and page
read, and whoever looks at the past computes it anew.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from sqlalchemy import insert

from liq_provider.config.settings import Settings
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import State
from liq_provider.measure.trend import trend_inputs
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store import schema
from liq_provider.store.keys import Keys
from liq_provider.store.numbered_rows import put_minutes
from liq_provider.store.reader import Reader
from tests.bot.helpers import Store, at, settings
from tests.bot.test_engine import candles
from tests.judge.combinations import Combination

CLOSE = at(40)
NOW = CLOSE + 3_000
# Two hours are enough of a baseline to be measured by.
SECTION: dict[str, Any] = {
    "baseline_hours": 2.0,
    "min_baseline_segments": 12,
    "min_active_segments": 6,
    "backtest_verdicts": "recorded",
}
_SEGMENTS = 24
# Minutes of the newest segment and before, counted back from the close of the newest.
_NEWEST, _EARLIER, _WAVE_BEFORE = 1, 5, 7
# In USD of one baseline segment's spread: what its segments are worth in turn, and a wave before.
_QUIET = (2.5, 0.5)
_BEFORE = 40.0
_DRIFT = {-1: -0.002, 0: 0.0, 1: 0.002}


class StoryWorld:
    """
    :param path: of the store's file
    :param scenes: one for each coin
    """

    def __init__(self, path: Path, scenes: Sequence[Combination]) -> None:
        self.scenes = {f"C{number:03}": _plain(one) for number, one in enumerate(scenes)}
        self.settings: Settings = settings(**SECTION, store=f"sqlite:///{path}")
        self.store = Store(path, self.settings)
        self.reader = Reader(self.store.url)
        self.files = SidecarFiles(path)
        self._book()
        self._settle()
        with self.store.writer.engine.begin() as connection:
            connection.execute(insert(schema.verdicts), list(self._judged()))
        self.store.writer.put_state("verdict_ms", NOW, NOW)
        self.say()

    @property
    def pairs(self) -> list[str]:
        """Of all its coins."""
        return [pair_of(coin) for coin in self.scenes]

    def say(self, **values: Any) -> None:
        """What the sidecar says of itself, and of the bots that are there."""
        told = {"skew_ms": 0, "feeds": {}, "now_ms": NOW, "bots": self.files.bots()} | values
        self.store.settle(CLOSE - MINUTE_MS, [], **told)
        self.store.writer.put_state("computed_ms", CLOSE, NOW)

    def frame(self, coin: str) -> pd.DataFrame:
        """Candles of the coin; without prices where nothing is known of them."""
        price = self.scenes[coin].price
        frame = candles(CLOSE, 40, _DRIFT[price or 0])
        if price is None:
            frame[["open", "high", "low", "close"]] = np.nan
        return frame

    def close(self) -> None:
        self.reader.close()
        self.store.close()

    # -- how it is made -------------------------------------------------------------------

    def _book(self) -> None:
        minutes, doubts = [], []
        for coin, one in self.scenes.items():
            minutes += list(_minutes(coin, one))
            for first, end in _unknown(one):
                doubts += [
                    {
                        "venue": venue,
                        "base_asset": coin,
                        "heard_by": "",
                        "start_ms": CLOSE - first * MINUTE_MS,
                        "end_ms": CLOSE - end * MINUTE_MS,
                        "available_at": CLOSE - first * MINUTE_MS,
                    }
                    for venue in self.settings.venues.enabled
                ]
        self.store.cover(CLOSE - (5 * _SEGMENTS + 60) * MINUTE_MS, CLOSE)
        with self.store.writer.engine.begin() as connection:
            put_minutes(connection, Keys(connection), minutes)
            if doubts:
                connection.execute(insert(schema.doubts), doubts)

    def _settle(self) -> None:
        """As the sidecar does, minute by minute."""
        names = {coin: pair_of(coin) for coin in self.scenes}
        settler = Settler(self.store.writer, self.reader, self.settings, lambda: names)  # type: ignore[arg-type]
        for back in range(8, -1, -1):
            close_ms = CLOSE - back * MINUTE_MS
            settler.compute(close_ms, close_ms + 2_000)

    def _judged(self) -> Iterator[dict[str, Any]]:
        for coin, one in self.scenes.items():
            closes = self.frame(coin)["close"].to_numpy()
            change, noise = trend_inputs(closes, self.settings.trend_candles)
            inputs: dict[str, Any] = {"trend_change": None, "trend_noise": None}
            if one.price is not None:
                inputs = {"trend_change": float(change[-1]), "trend_noise": float(noise[-1])}
            mine = {"base_asset": coin, "symbol": pair_of(coin), "inputs": json.dumps(inputs)}
            first = 40 - _wave_began(one)
            if one.before is not None:
                yield one.verdict_of(first, first, "enter", one.before) | mine
            if one.said is not None:
                yield one.verdict_of(first, 40, one.said, one.news) | mine


def pair_of(coin: str) -> str:
    return f"{coin}/USDT:USDT"


def _plain(one: Combination) -> Combination:
    """A wave before it is told of where there is one now."""
    poor = one.state is not State.READY or one.usd < 25_000 or one.count < 3
    return replace(one, before=None) if poor else one


def _wave_began(one: Combination) -> int:
    """How many minutes before the newest close."""
    if one.before is not None:
        return _WAVE_BEFORE - 1 if one.seen else _WAVE_BEFORE - 2
    return 0 if one.seen else _EARLIER - 2


def _unknown(one: Combination) -> Iterator[tuple[int, int]]:
    """Minutes of which something may be missing: first and end, counted back from the close."""
    if one.state is State.UNCOVERED:
        yield 1, 0
    if one.state is State.WARMING_UP:
        yield 5 * (_SEGMENTS + 1), 5 * 12
    if not one.seen:
        # The first close that knows its segment finds the money of the wave in it.
        hole = (_WAVE_BEFORE if one.before is not None else _EARLIER) + 4
        yield hole, hole - 1


def _minutes(coin: str, one: Combination) -> Iterator[dict[str, Any]]:
    quiet = [_QUIET[segment % 2] for segment in range(_SEGMENTS)]
    if one.state is State.TOO_THIN:
        quiet = [usd if segment < 5 else 0.0 for segment, usd in enumerate(quiet)]
    known = [
        usd + (_BEFORE if one.before is not None and segment == 0 else 0.0)
        for segment, usd in enumerate(quiet)
        if segment not in _lost_segments(one)
    ]
    spread_usd = one.usd / (np.mean(known) + one.z * np.std(known))
    for segment, usd in enumerate(quiet):
        if usd:
            yield _minute(coin, 5 * (segment + 2), usd * spread_usd, 0.5, 2)
    if one.before is not None:
        yield _minute(coin, _WAVE_BEFORE, _BEFORE * spread_usd, 1.0, 10)
    back = _NEWEST if one.seen or one.before is not None else _EARLIER
    yield _minute(coin, back, one.usd, one.share, one.count)


def _lost_segments(one: Combination) -> set[int]:
    """Those of the baseline in which a single minute is unknown."""
    return {-(-first // 5) - 2 for first, end in _unknown(one) if first - end == 1 < first}


def _minute(coin: str, back: int, usd: float, share: float, count: int) -> dict[str, Any]:
    longs = round(count * share)
    return {
        "base_asset": coin,
        "minute_ms": CLOSE - back * MINUTE_MS,
        "venue": "binance",
        "pair": pair_of(coin),
        "long_usd": usd * share,
        "short_usd": usd * (1 - share),
        "filled": False,
        "long_count": longs,
        "short_count": count - longs,
        "available_at": CLOSE - back * MINUTE_MS + MINUTE_MS,
    }
