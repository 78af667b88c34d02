"""The row of prices: heat map, candles, verdicts, trades with their stops."""

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import plotly.graph_objects as go

from liq_provider.plot.records import TradeRecord, VerdictMark
from liq_provider.plot.text import length, safe, usd, utc
from liq_provider.plot.theme import Theme
from liq_provider.plot.view import PairView

_PAD_SHARE = 0.12  # of the range of prices, left free above and below
_VERDICT_SHARE = 0.05  # of the range of prices, between a verdict and the price
_LEAST, _MOST = 0.01, 0.99  # money beyond these shares needs no room at first sight
_STARS = {"LONG": "star-triangle-up", "SHORT": "star-triangle-down"}


def visible_range(view: PairView) -> tuple[float, float]:
    """:return: lowest and highest price seen at first; zooming out shows the rest"""
    low, high = np.inf, -np.inf
    if len(view.candles):
        low, high = float(view.candles.low.min()), float(view.candles.high.max())
    if len(view.heat.price):
        money = np.cumsum(view.heat.usd.sum(axis=1))
        first, last = np.searchsorted(money, [_LEAST * money[-1], _MOST * money[-1]])
        low = min(low, float(view.heat.price[first]))
        high = max(high, float(view.heat.price[last + 1]))
    if low > high:
        return 0.0, 1.0
    pad = _PAD_SHARE * (high - low) or 0.001 * high
    return low - pad, high + pad


def traces(view: PairView, colors: Theme, height: float) -> list[Any]:
    """
    :param height: of the visible range of prices
    :return: from back to front, only what there is
    """
    drawn: list[Any] = []
    if view.heat.usd.any():
        drawn.append(_heat(view, colors))
    drawn.append(_candles(view, colors) if len(view.candles) else _mean_prices(view, colors))
    drawn += _verdicts(view.verdicts, colors, height)
    drawn += _trades(view, colors)
    return drawn


def _heat(view: PairView, colors: Theme) -> go.Heatmap:
    heat = view.heat
    rows = np.flatnonzero(heat.usd.any(axis=1))
    shown = slice(int(rows[0]), int(rows[-1]) + 1)
    both, longs, shorts = (a[shown] for a in (heat.usd, heat.long_usd, heat.short_usd))
    logs = np.log10(np.maximum(both, 1.0))
    least, most = float(logs[both > 0].min()), float(logs.max())
    marks = range(int(np.ceil(least)), int(np.floor(most)) + 1)
    step = f"{heat.price[1] - heat.price[0]:g}"
    cell_ms = int(heat.time_ms[1] - heat.time_ms[0])
    return go.Heatmap(
        x=heat.time_ms.astype(float),
        y=heat.price[shown.start : shown.stop + 1],
        # Mostly empty: null is shorter than a number, and is not drawn.
        z=[
            [round(float(z), 3) if m > 0 else None for z, m in zip(*pair, strict=True)]
            for pair in zip(logs, both, strict=True)
        ],
        customdata=[
            [
                [round(a), round(b), round(a + b)] if a + b > 0 else None
                for a, b in zip(*pair, strict=True)
            ]
            for pair in zip(longs.tolist(), shorts.tolist(), strict=True)
        ],
        zmin=least if most > least else least - 1,
        zmax=most,
        colorscale=[[0, colors.heat[0]], [0.6, colors.heat[1]], [1, colors.heat[2]]],
        hoverongaps=False,
        hovertemplate=(
            "liquidated around %{y:,~r}, %{x|%H:%M} UTC: %{customdata[2]:$,.0f}<br>"
            "long positions: %{customdata[0]:$,.0f}<br>"
            "short positions: %{customdata[1]:$,.0f}<br>"
            f"cell: {length(cell_ms)} by {step}; measured, not modelled<extra></extra>"
        ),
        colorbar={
            "title": {"text": "liquidated<br>per cell,<br>measured", "font": {"size": 11}},
            "tickvals": [float(mark) for mark in marks] or [most],
            "ticktext": [usd(10.0**mark) for mark in marks] or [usd(10.0**most)],
            "x": 1.005,
            "y": 1,
            "yanchor": "top",
            "len": 0.45,
            "thickness": 12,
            "outlinewidth": 0,
        },
    )


def _candles(view: PairView, colors: Theme) -> go.Candlestick:
    candles = view.candles
    return go.Candlestick(
        x=candles.open_ms.astype(float),
        open=candles.open,
        high=candles.high,
        low=candles.low,
        close=candles.close,
        xperiod=view.timeframe_ms,
        xperiodalignment="middle",
        name="candles (hollow: up)",
        increasing={"line": {"color": colors.wick, "width": 1}, "fillcolor": colors.up_fill},
        decreasing={"line": {"color": colors.wick, "width": 1}, "fillcolor": colors.down_fill},
    )


def _mean_prices(view: PairView, colors: Theme) -> go.Scatter:
    known = np.isfinite(view.bars.mean_price)
    return go.Scatter(
        x=view.bars.open_ms[known].astype(float),
        y=view.bars.mean_price[known],
        xperiod=view.timeframe_ms,
        xperiodalignment="middle",
        mode="markers",
        name="mean price of liquidations",
        marker={"symbol": "line-ew", "size": 6, "line": {"color": colors.wick, "width": 1.5}},
        hovertemplate="mean price of liquidations: %{y:,~r}<br>%{x} UTC<extra></extra>",
    )


def _verdicts(said: Sequence[VerdictMark], colors: Theme, height: float) -> list[go.Scatter]:
    """Beside the price, filled for an entry: pointing up from below, or down from above."""
    shown = [(one, one.price) for one in said if one.price is not None]
    drawn = []
    for enters, name in ((True, "verdict: enter"), (False, "verdict: hold or skip (open)")):
        some = [(one, price) for one, price in shown if one.enters is enters]
        ups = [one.direction == "LONG" for one, _ in some]
        if not some:
            continue
        drawn.append(
            go.Scatter(
                x=[one.available_at for one, _ in some],
                y=[
                    price + (-1 if up else 1) * _VERDICT_SHARE * height
                    for (_, price), up in zip(some, ups, strict=True)
                ],
                mode="markers",
                name=name,
                marker={
                    "symbol": [
                        _STARS[one.direction] + ("" if enters else "-open") for one, _ in some
                    ],
                    "size": 14,
                    "color": [_side(up, colors) for up in ups],
                    "line": {"width": 1.5},
                },
                hovertext=[_about_verdict(one) for one, _ in some],
                hoverinfo="text",
            )
        )
    return drawn


def _about_verdict(one: VerdictMark) -> str:
    return (
        f"verdict {safe(one.direction)}: {safe(one.words)}<br>"
        f"{safe(one.reason)}<br>"
        f"judge: {safe(one.judge)}<br>{utc(one.available_at, seconds=True)} UTC"
    )


def _trades(view: PairView, colors: Theme) -> list[go.Scatter]:
    drawn: list[go.Scatter] = []
    if not view.trades:
        return drawn
    lines: list[Any] = []
    for trade in view.trades:
        if trade.close_ms is not None and trade.close_rate is not None:
            lines += [(trade.open_ms, trade.open_rate), (trade.close_ms, trade.close_rate), None]
    drawn.append(_line(lines, "held", {"color": colors.text, "width": 1, "dash": "dot"}))
    stops: list[Any] = []
    for trade in view.trades:
        end_ms = view.to_ms if trade.close_ms is None else trade.close_ms
        if trade.stops:
            stops += [*trade.stops, (end_ms, trade.stops[-1][1]), None]
    stop_line = _line(stops, "stop", {"color": colors.text, "width": 1.5, "shape": "hv"})
    drawn.append(
        stop_line.update(
            mode="lines+markers",
            marker={"symbol": "line-ew", "size": 7, "line": {"width": 1.5, "color": colors.text}},
            hoverinfo=None,
            hovertemplate="stop at %{y:,~r}<br>%{x} UTC<extra></extra>",
        )
    )
    for side, symbol in (("long", "triangle-up"), ("short", "triangle-down")):
        entered = [trade for trade in view.trades if trade.side == side]
        marker = {"symbol": symbol, "size": 15, "color": _side(side == "long", colors)}
        drawn.append(
            _markers(
                ((trade.open_ms, trade.open_rate, _about_entry(trade)) for trade in entered),
                f"entry {side}",
                marker | {"line": {"width": 1.5, "color": colors.text}},
            )
        )
    left = [t for t in view.trades if t.close_ms is not None and t.close_rate is not None]
    drawn.append(
        _markers(
            ((trade.close_ms, trade.close_rate, _about_exit(trade)) for trade in left),
            "exit",
            {"symbol": "x", "size": 11, "color": colors.text},
        )
    )
    return [trace for trace in drawn if len(trace.x)]


def _line(points: Iterable[Any], name: str, line: dict[str, Any]) -> go.Scatter:
    """A line that is broken at each None."""
    some = list(points)
    return go.Scatter(
        x=[None if point is None else point[0] for point in some],
        y=[None if point is None else point[1] for point in some],
        mode="lines",
        name=name,
        line=line,
        hoverinfo="skip",
    )


def _markers(points: Iterable[Any], name: str, marker: dict[str, Any]) -> go.Scatter:
    some = list(points)
    return go.Scatter(
        x=[point[0] for point in some],
        y=[point[1] for point in some],
        hovertext=[point[2] for point in some],
        mode="markers",
        name=name,
        marker=marker,
        hoverinfo="text",
    )


def _about_entry(trade: TradeRecord) -> str:
    tag = f"<br>tag: {safe(trade.enter_tag)}" if trade.enter_tag else ""
    return (
        f"entry {trade.side} at {trade.open_rate:,.10g}{tag}<br>"
        f"{utc(trade.open_ms, seconds=True)} UTC"
    )


def _about_exit(trade: TradeRecord) -> str:
    assert trade.close_ms is not None and trade.close_rate is not None
    reason = f"<br>reason: {safe(trade.exit_reason)}" if trade.exit_reason else ""
    return (
        f"exit {trade.side} at {trade.close_rate:,.10g}, price {trade.change:+.2%}{reason}<br>"
        f"{utc(trade.close_ms, seconds=True)} UTC"
    )


def _side(is_up: bool, colors: Theme) -> str:
    return colors.up if is_up else colors.down
