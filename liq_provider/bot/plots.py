"""What Freqtrade's own charts show."""

from typing import Any

import numpy as np
import talib
from pandas import DataFrame, Timedelta

from liq_provider.wave import Strength, direction_word

PLOT_CONFIG: dict[str, Any] = {
    "main_plot": {},
    "subplots": {
        "Liquidations (USD, longs down)": {
            "liq_short_usd": {"color": "#2e9e6b", "type": "bar"},
            "liq_long_usd_down": {"color": "#d1495b", "type": "bar"},
        },
        "Z-score": {"liq_z": {"color": "#7b5ea7"}},
        "Purity": {"liq_purity": {"color": "#e0a030"}},
        "Decision": {
            "liq_strength": {"color": "#3a7ca5"},
            "liq_level": {"color": "#16425b"},
        },
        "RSI": {"rsi": {"color": "#888888"}},
    },
}

_COLORS = {1: "rgba(46, 158, 107, 0.15)", -1: "rgba(209, 73, 91, 0.15)"}


def with_indicators(frame: DataFrame) -> DataFrame:
    """Add ATR and RSI, which are shown but decide nothing."""
    high, low, close = (frame[name].to_numpy(dtype=float) for name in ("high", "low", "close"))
    return frame.assign(
        atr=talib.ATR(high, low, close, timeperiod=14), rsi=talib.RSI(close, timeperiod=14)
    )


def annotations(frame: DataFrame, timeframe_ms: int) -> list[dict[str, Any]]:
    """:return: one area for each wave of the frame, in Freqtrade's annotation format"""
    if "liq_wave" not in frame:
        return []
    marked = frame.loc[frame["liq_strength"] > Strength.NONE]
    found = []
    for _, rows in marked.groupby(["liq_sign", "liq_wave"]):
        sign = int(rows["liq_sign"].iloc[0])
        strength = Strength(int(rows["liq_strength"].max())).word
        peak = float(np.nanmax(rows["liq_z"]))
        found.append(
            {
                "type": "area",
                "start": rows["date"].iloc[0].to_pydatetime(),
                "end": (
                    rows["date"].iloc[-1] + Timedelta(milliseconds=timeframe_ms)
                ).to_pydatetime(),
                "color": _COLORS[sign],
                "label": f"{strength} {direction_word(sign)} z {peak:.1f}",
            }
        )
    return found
