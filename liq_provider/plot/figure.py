"""
The picture: rows that share the time axis, price above, then liquidations, z, and the feeds.

Only bars, lines, candles and a heat map on plain canvas: no WebGL, which needs ``eval``.
"""

import plotly.graph_objects as go
from plotly.subplots import make_subplots

from liq_provider.plot import lower, price
from liq_provider.plot.bands import bands, threshold_labels
from liq_provider.plot.text import length, safe, usd, utc
from liq_provider.plot.theme import THEMES, Theme, ThemeName
from liq_provider.plot.view import PairView

HEIGHT_PX = 960
NOTE = "Sampled feeds: sums are a lower bound; a quiet window is not a quiet market."

_LINE = 120  # characters
_HEIGHTS = [0.55, 0.19, 0.19, 0.07]


def figure(view: PairView, theme: ThemeName = "light") -> go.Figure:
    """:return: the picture, with a height of ``HEIGHT_PX`` and as wide as there is room"""
    colors = THEMES[theme]
    drawn = make_subplots(
        rows=len(_HEIGHTS),
        cols=1,
        shared_xaxes=True,
        row_heights=_HEIGHTS,
        vertical_spacing=0.025,
    )
    low, high = price.visible_range(view)
    drawn.add_traces(price.traces(view, colors, high - low), rows=1, cols=1)
    drawn.add_traces(lower.bars(view, colors), rows=2, cols=1)
    drawn.add_traces(lower.z(view, colors), rows=3, cols=1)
    drawn.add_traces(lower.feeds(view, colors), rows=4, cols=1)
    _layout(drawn, view, colors)
    _axes(drawn, view, colors, (low, high))
    drawn.update_layout(shapes=[*drawn.layout.shapes, *bands(view, colors, drawn.layout)])
    return drawn


def title(view: PairView) -> str:
    """:return: plain text: what is shown"""
    span = f"{utc(view.from_ms)} to {utc(view.to_ms)} UTC"
    candles = f"{length(view.timeframe_ms)} candles" if len(view.candles) else "NO candles"
    said = "SIMULATED: " if view.simulated else ""
    return f"{said}{view.pair}, {candles}, {span}"


def notes(view: PairView) -> list[str]:
    """:return: plain text: what has to be known to read the picture"""
    cell = length(int(view.heat.time_ms[1] - view.heat.time_ms[0]))
    said = [view.simulated] if view.simulated else []
    said.append(NOTE)
    if len(view.heat.price):
        said.append(
            f"Heat map: liquidations as they were received, in cells of {cell}; not modelled."
        )
    if view.heat.outside_usd:
        said.append(
            f"{usd(view.heat.outside_usd)} were liquidated at prices too far away to be shown."
        )
    if not len(view.candles):
        said.append(f"No candles{_because(view)}: prices are of liquidations.")
    elif view.candle_share < 1:
        said.append(f"Candles of {view.candle_share:.0%} of the span{_because(view)}.")
    if view.unknown:
        said.append(f"Known: {view.known_share:.1%} of the span; the rest is unknown, not zero.")
    if view.source != "minutes":
        said.append(f"Sums and z are made of the bars of {view.source}.")
    return said


def _because(view: PairView) -> str:
    return f" ({view.without_candles})" if view.without_candles else ""


def _watermark(colors: Theme) -> dict[str, object]:
    """Whoever sees only a part of the picture still sees what it is."""
    return {
        "text": "SIMULATED",
        "xref": "paper",
        "yref": "paper",
        "x": 0.5,
        "y": 0.74,
        "xanchor": "center",
        "yanchor": "middle",
        "showarrow": False,
        "textangle": -18,
        "opacity": 0.22,
        "font": {"size": 52, "color": colors.text},
    }


def _layout(drawn: go.Figure, view: PairView, colors: Theme) -> None:
    said = [safe(line, _LINE) for line in notes(view)]
    drawn.update_layout(
        template="none",
        title={
            "text": safe(title(view), _LINE),
            "x": 0.01,
            "y": 0.985,
            "yanchor": "top",
            "font": {"size": 17},
        },
        paper_bgcolor=colors.paper,
        plot_bgcolor=colors.paper,
        font={"color": colors.text, "family": "system-ui, sans-serif", "size": 12},
        margin={"l": 85, "r": 95, "t": 100, "b": 75 + 15 * len(said)},
        height=HEIGHT_PX,
        barmode="relative",
        bargap=0,
        hovermode="closest",
        hoverlabel={
            "bgcolor": colors.paper,
            "font": {"color": colors.text},
            "align": "left",
            "namelength": 0,
        },
        # Below the title, from where it grows downwards in a narrow window.
        legend={
            "orientation": "h",
            "x": 0,
            "y": 0.955,
            "yref": "container",
            "yanchor": "top",
            "font": {"size": 11},
        },
        annotations=[
            {
                "text": "<br>".join(said),
                "xref": "paper",
                "yref": "paper",
                "x": 0,
                "y": 0,
                "yshift": -60,
                "xanchor": "left",
                "yanchor": "top",
                "align": "left",
                "showarrow": False,
                "font": {"size": 11, "color": colors.dim},
            },
            *threshold_labels(view, colors),
            *([_watermark(colors)] if view.simulated else []),
        ],
    )


def _axes(drawn: go.Figure, view: PairView, colors: Theme, visible: tuple[float, float]) -> None:
    quote = safe(view.pair.partition("/")[2].partition(":")[0])
    lines = {"gridcolor": colors.grid, "zeroline": False, "linecolor": colors.grid}
    drawn.update_xaxes(
        type="date",
        range=[view.from_ms, view.to_ms],
        rangeslider={"visible": False},
        hoverformat="%Y-%m-%d %H:%M:%S",
        showspikes=True,
        spikemode="across",
        spikesnap="cursor",
        spikethickness=1,
        spikedash="dot",
        spikecolor=colors.dim,
        **lines,
    )
    drawn.update_xaxes(title={"text": "time (UTC)", "standoff": 6}, row=4, col=1)
    drawn.update_yaxes(exponentformat="none", separatethousands=True, **lines)
    drawn.update_yaxes(title=f"price ({quote})", range=list(visible), row=1, col=1)
    per = f"USD per {length(view.timeframe_ms)}"
    drawn.update_yaxes(title=f"{per}<br>longs ↓   shorts ↑", tickformat="$~s", row=2, col=1)
    drawn.update_yaxes(title="z (asinh scale)", row=3, col=1)
    drawn.update_yaxes(lower.z_axis(view), row=3, col=1)
    drawn.update_yaxes(
        title="feeds<br>heard",
        type="category",
        range=[-0.6, len(view.covered) - 0.4],
        showgrid=False,
        row=4,
        col=1,
    )
    for axis in ("yaxis", "yaxis2", "yaxis3", "yaxis4"):
        drawn.layout[axis].title.font = {"size": 11}
    drawn.add_hline(y=0, line={"color": colors.dim, "width": 1}, row=2, col=1)
