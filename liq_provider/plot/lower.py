"""The rows below the prices: liquidations, z, and the feeds that were heard."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from liq_provider.core.arrays import FloatArray
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.gate_list import BEGINNING_UNSEEN
from liq_provider.measure.feature_rows import State
from liq_provider.measure.scales import SCALES, Score, score_words
from liq_provider.plot.text import length, safe, usd, utc
from liq_provider.plot.theme import Theme
from liq_provider.plot.view import PairView

_PAD_SHARE = 0.1
_Z_TICKS = (-3, 0, 3, 10, 30, 100, 300, 1_000)


def bars(view: PairView, colors: Theme) -> list[Any]:
    """:return: what was liquidated: shorts upwards, longs downwards, unknown as gaps"""
    sums = view.bars
    minutes = view.timeframe_ms // MINUTE_MS
    partly = "" if minutes == 1 else f"<br>%{{customdata[1]}} of {minutes} minutes known"
    drawn: list[Any] = [
        go.Bar(
            x=sums.open_ms.astype(float),
            y=sign * money,
            xperiod=view.timeframe_ms,
            xperiodalignment="middle",
            width=view.timeframe_ms,
            name=f"{side} positions liquidated",
            marker={"color": color, "line": {"width": 0}},
            customdata=np.stack([money, sums.minutes_known], axis=1),
            hovertemplate=(
                f"{side} positions liquidated: %{{customdata[0]:$,.0f}}{partly}<br>"
                "%{x} UTC<extra></extra>"
            ),
        )
        for side, sign, money, color in (
            ("short", 1, sums.short_usd, colors.up),
            ("long", -1, sums.long_usd, colors.down),
        )
    ]
    if view.unknown:
        drawn.append(
            go.Scatter(
                x=[(gap.start_ms + gap.end_ms) // 2 for gap in view.unknown],
                y=[0] * len(view.unknown),
                mode="markers",
                name="unknown: no feed was heard",
                marker={
                    "symbol": "x-thin",
                    "size": 7,
                    "line": {"width": 1.5, "color": colors.dim},
                },
                hovertext=[
                    f"unknown, not zero: no feed was heard<br>{utc(gap.start_ms)} to "
                    f"{utc(gap.end_ms)} UTC, {length(gap.end_ms - gap.start_ms)}"
                    for gap in view.unknown
                ],
                hoverinfo="text",
            )
        )
    return drawn


def z(view: PairView, colors: Theme) -> list[Any]:
    """:return: the scores at every close, gaps where there is none, and a marker for each wave"""
    rows = view.rows
    decides: dict[Score, FloatArray] = {
        "classic": rows.z,
        "robust": rows.robust_z,
        "percentile": rows.percentile,
    }
    drawn: list[Any] = []
    for kind in _drawn(view):
        main = kind == view.zscore
        digits = 4 if kind == "percentile" else 2
        about = f"{SCALES[kind].name}: %{{customdata:.{digits}f}}"
        about += "" if main else " (decides nothing)"
        drawn.append(
            go.Scatter(
                x=rows.close_ms.astype(float),
                y=z_scale(decides[kind]),
                customdata=decides[kind],
                mode="lines",
                name=SCALES[kind].name,
                line={
                    "color": colors.z if main else colors.dim,
                    "width": 1.5 if main else 1,
                    "dash": "solid" if main else "dot",
                },
                opacity=1 if main else 0.7,
                hovertemplate=f"{about}<br>%{{x}} UTC<extra></extra>",
            )
        )
    for direction, symbol, color in (
        ("LONG", "triangle-up-open", colors.up),
        ("SHORT", "triangle-down-open", colors.down),
    ):
        waves = [wave for wave in view.waves if wave.direction == direction]
        if waves:
            drawn.append(
                go.Scatter(
                    x=[(wave.start_ms - MINUTE_MS + wave.last_ms) // 2 for wave in waves],
                    y=z_scale(np.array([wave.peak_z for wave in waves])),
                    mode="markers",
                    # The newest wave is at the right edge.
                    cliponaxis=False,
                    name=f"wave {direction}",
                    marker={
                        "symbol": symbol,
                        "size": 10,
                        "color": color,
                        "line": {"width": 2, "color": color},
                    },
                    hovertext=[
                        f"{wave.strength} wave {direction}, peak "
                        f"{score_words(view.zscore, wave.peak_z)}, "
                        f"peak {usd(wave.peak_usd)}<br>"
                        f"{utc(wave.start_ms)} to {utc(wave.last_ms)} UTC"
                        + ("<br>below the thresholds, only judged" if wave.below else "")
                        + ("" if wave.seen else f"<br>its {BEGINNING_UNSEEN}")
                        for wave in waves
                    ],
                    hoverinfo="text",
                )
            )
    return drawn


def _drawn(view: PairView) -> tuple[Score, ...]:
    # A share among z would be a flat line at the bottom.
    return ("percentile",) if view.zscore == "percentile" else ("robust", "classic")


def z_scale(values: FloatArray) -> FloatArray:
    """
    Linear near zero, logarithmic far away (asinh): 3 and 5 can be told apart beside 100.

    :return: heights in the row of z, NaN where there is no z
    """
    return np.arcsinh(values)


def z_axis(view: PairView) -> dict[str, Any]:
    """:return: range and ticks, with room for everything and for the thresholds"""
    peaks = [wave.peak_z for wave in view.waves]
    if view.zscore == "percentile":
        ticks = np.array([0.0, 0.25, 0.5, 0.75, 1.0])
        return {
            "range": z_scale(np.array([-0.05, 1.1])).tolist(),
            "tickvals": z_scale(ticks).tolist(),
            "ticktext": [f"{tick:.0%}" for tick in ticks],
        }
    values = np.concatenate([view.rows.z, view.rows.robust_z, peaks, [-1.0, 1.2 * view.z_strong]])
    low, high = float(z_scale(np.nanmin(values))), float(z_scale(np.nanmax(values)))
    pad = _PAD_SHARE * (high - low)
    return {
        "range": [low - pad, high + pad],
        "tickvals": z_scale(np.array(_Z_TICKS, dtype=float)).tolist(),
        "ticktext": [f"{tick:,}" for tick in _Z_TICKS],
    }


def without_z(view: PairView) -> list[tuple[int, int]]:
    """:return: where a feed was heard and yet there is no z, as the past is too short or thin"""
    rows = view.rows
    if not len(rows):
        return []
    step_ms = int(rows.close_ms[1] - rows.close_ms[0]) if len(rows) > 1 else MINUTE_MS
    cold = (rows.state == State.WARMING_UP) | (rows.state == State.TOO_THIN)
    edges = np.flatnonzero(np.diff(np.concatenate([[False], cold, [False]]).astype(np.int8)))
    first_ms = int(rows.close_ms[0]) - step_ms
    return [
        (first_ms + int(a) * step_ms, first_ms + int(b) * step_ms) for a, b in edges.reshape(-1, 2)
    ]


def feeds(view: PairView, colors: Theme) -> list[Any]:
    """:return: a line for each venue, broken where it was not heard"""
    drawn = []
    # The first is drawn lowest.
    for venue in sorted(view.covered, reverse=True):
        # A vendor's bars bring names of markets from a file.
        heard, name = view.covered[venue], safe(venue)
        times: list[int | None] = []
        for span in heard:
            times += [span.start_ms, span.end_ms, None]
        drawn.append(
            go.Scatter(
                # A venue that was never heard still has its line, which is empty.
                x=times or [view.from_ms],
                y=[None if ms is None else name for ms in times] if times else [name],
                mode="lines",
                line={"color": colors.dim, "width": 5},
                showlegend=False,
                hovertemplate=f"{name} was heard<br>%{{x}} UTC<extra></extra>",
            )
        )
    return drawn
