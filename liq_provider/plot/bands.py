"""What lies over several rows: unknown spans, waves, thresholds."""

from typing import Any

import numpy as np
import plotly.graph_objects as go

from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.scales import SCALES
from liq_provider.plot.lower import without_z, z_scale
from liq_provider.plot.theme import Theme
from liq_provider.plot.view import PairView

_LABELLED_SHARE = 0.04  # of the span; a narrower band has no room for words
_DASHES = ("dash", "longdashdot")  # of the lower and the upper threshold


def bands(view: PairView, colors: Theme, layout: go.Layout) -> list[dict[str, Any]]:
    """:return: shapes for a layout whose rows have their places already"""
    return [
        *_unknown(view, colors),
        *_waves(view, colors, layout.yaxis3.domain[0]),
        *_cold(view, colors),
        *_thresholds(view, colors),
    ]


def _unknown(view: PairView, colors: Theme) -> list[dict[str, Any]]:
    """Grey over all rows where nothing was known."""
    return [
        _rect(gap.start_ms, gap.end_ms, "paper", 0.0)
        | {
            "fillcolor": colors.unknown,
            # A minute may be narrower than a pixel.
            "line": {"width": 1, "color": colors.unknown},
            "label": _label("unknown", gap.end_ms - gap.start_ms, view, colors),
        }
        for gap in view.unknown
    ]


def _waves(view: PairView, colors: Theme, bottom: float) -> list[dict[str, Any]]:
    """LONG with a solid edge, SHORT with a dashed one, below the thresholds only dotted."""
    shapes = []
    for wave in view.waves:
        up = wave.direction == "LONG"
        color = colors.up if up else colors.down
        dash = "dot" if wave.below else "solid" if up else "dash"
        shapes.append(
            _rect(wave.start_ms - MINUTE_MS, wave.last_ms, "paper", bottom)
            | {
                "opacity": 0.3,
                "fillcolor": "rgba(0,0,0,0)" if wave.below else color,
                "line": {"width": 1, "color": color, "dash": dash},
            }
        )
    return shapes


def _cold(view: PairView, colors: Theme) -> list[dict[str, Any]]:
    """Outlined in the row of z, where something was known, but not enough of the past."""
    return [
        _rect(start_ms, end_ms, "y3 domain", 0.0)
        | {
            "fillcolor": "rgba(0,0,0,0)",
            "line": {"width": 1, "color": colors.unknown, "dash": "dot"},
            "label": _label("no z yet: too little past", end_ms - start_ms, view, colors, 0.11)
            | {"textposition": "bottom center"},
        }
        for start_ms, end_ms in without_z(view)
    ]


def _thresholds(view: PairView, colors: Theme) -> list[dict[str, Any]]:
    return [
        {
            "type": "line",
            "xref": "x domain",
            "yref": "y3",
            "x0": 0,
            "x1": 1,
            "y0": height,
            "y1": height,
            "line": {"width": 1, "color": colors.text, "dash": dash},
        }
        for height, dash in zip(
            z_scale(np.array([view.z_threshold, view.z_strong])), _DASHES, strict=True
        )
    ]


def threshold_labels(view: PairView, colors: Theme) -> list[dict[str, Any]]:
    """:return: annotations beside the lines, on a ground of their own, as z runs behind them"""
    word = SCALES[view.zscore].name
    return [
        {
            "text": f"{name}: {word} {level:g}",
            "xref": "x3 domain",
            "yref": "y3",
            # Away from each other, as the lines may be close; newest events are at the right.
            "x": 0,
            "y": float(z_scale(np.array([level]))[0]),
            "xanchor": "left",
            "yanchor": anchor,
            "showarrow": False,
            "borderpad": 0,
            "bgcolor": colors.paper,
            "opacity": 0.85,
            "font": {"size": 10, "color": colors.text},
        }
        for name, level, anchor in (
            ("medium", view.z_threshold, "top"),
            ("strong", view.z_strong, "bottom"),
        )
    ]


def _rect(x0: int, x1: int, yref: str, y0: float) -> dict[str, Any]:
    return {
        "type": "rect",
        "xref": "x",
        "yref": yref,
        "x0": x0,
        "x1": x1,
        "y0": y0,
        "y1": 1,
        "layer": "below",
    }


def _label(
    text: str, width_ms: int, view: PairView, colors: Theme, least: float = _LABELLED_SHARE
) -> dict[str, Any]:
    fits = width_ms > least * (view.to_ms - view.from_ms)
    return {
        "text": text if fits else "",
        "textposition": "top center",
        "font": {"size": 11, "color": colors.dim},
    }
