"""What Freqtrade's own charts show: FreqUI, and ``freqtrade plot-dataframe``."""

from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import talib
from pandas import DataFrame

from liq_provider.core.arrays import FloatArray
from liq_provider.measure.scales import score_words
from liq_provider.measure.waves import Strength, direction_word

_Row = Mapping[Any, Any]

_UP, _DOWN, _LIMIT = "#2e9e6b", "#d1495b", "#b0a080"

# Annotations are drawn over the price only, so the thresholds are columns. No type means a line;
# plot-dataframe knows no other name for it than FreqUI does. FreqUI writes the names of the
# plots upwards, beside plots that are not high: longer ones run into each other.
PLOT_CONFIG: dict[str, Any] = {
    "main_plot": {},
    "subplots": {
        "Liq. USD": {
            "liq_short_usd": {"color": _UP, "type": "bar"},
            "liq_long_usd_down": {"color": _DOWN, "type": "bar"},
        },
        "Z-score": {
            "liq_z": {"color": "#7b5ea7"},
            "liq_z_threshold": {"color": _LIMIT},
            "liq_z_strong": {"color": _DOWN},
        },
        "Purity": {
            "liq_purity": {"color": "#e0a030"},
            "liq_purity_threshold": {"color": _LIMIT},
            "liq_purity_strong": {"color": _DOWN},
        },
        "Wave": {
            "liq_wave_side": {"color": "#3a7ca5", "type": "bar"},
            "liq_verdict_side": {"color": "#16425b"},
        },
        "RSI": {"rsi": {"color": "#888888"}},
    },
}

_COLORS = {1: "rgba(46, 158, 107, 0.15)", -1: "rgba(209, 73, 91, 0.15)"}
_NEEDED = (
    *("date", "liq_wave", "liq_sign", "liq_strength", "liq_zscore", "liq_z"),
    *("liq_purity", "liq_judged", "liq_level", "liq_candidate"),
)


def shown_indicators(high: FloatArray, low: FloatArray, close: FloatArray) -> dict[str, FloatArray]:
    """:return: columns of ATR and RSI, which are shown but decide nothing"""
    high, low, close = (prices.astype(float, copy=False) for prices in (high, low, close))
    return {
        "atr": talib.ATR(high, low, close, timeperiod=14),
        "rsi": talib.RSI(close, timeperiod=14),
    }


def annotations(
    frame: DataFrame, timeframe_ms: int, words: Callable[[int], str]
) -> list[dict[str, Any]]:
    """
    :param words: what became of the wave, by the close of a candle
    :return: one area for each wave of the frame, in Freqtrade's annotation format
    """
    if not set(_NEEDED) <= set(frame.columns):
        return []
    marked = frame.loc[frame["liq_strength"] > Strength.NONE, list(_NEEDED)]
    waves: dict[tuple[int, int], list[_Row]] = {}
    for row in marked.to_dict("records"):
        waves.setdefault((row["liq_sign"], row["liq_wave"]), []).append(row)
    timeframe = timedelta(milliseconds=timeframe_ms)
    return [_area(rows, timeframe, words) for rows in waves.values()]


def _area(
    rows: Sequence[_Row], timeframe: timedelta, words: Callable[[int], str]
) -> dict[str, Any]:
    """From the wave's first candle to its last, with what it came to."""
    sign, peak = int(rows[0]["liq_sign"]), max(rows, key=lambda row: row["liq_z"])
    surest = _surest(rows)["date"].to_pydatetime() + timeframe
    strength = Strength(int(max(row["liq_strength"] for row in rows))).word
    # A narrow area has room for words below each other only.
    label = (
        f"{strength} {direction_word(sign)}\n"
        f"{score_words(peak['liq_zscore'], peak['liq_z'])}, {peak['liq_purity']:.0%}\n"
        f"{words(round(surest.timestamp() * 1000))}"
    )
    return {
        "type": "area",
        "start": rows[0]["date"].to_pydatetime(),
        "end": (rows[-1]["date"] + timeframe).to_pydatetime(),
        "color": _COLORS[sign],
        "label": label,
    }


def _surest(rows: Sequence[_Row]) -> _Row:
    """Of equally sure ones the last."""
    return max(
        reversed(rows), key=lambda row: (row["liq_candidate"], row["liq_level"], row["liq_judged"])
    )
