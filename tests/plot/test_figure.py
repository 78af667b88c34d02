"""The picture: complete, small, escaped, readable without colour, and needing nothing else."""

import base64
import json
import re
import struct
from dataclasses import replace
from html import escape
from pathlib import Path
from typing import Any

import numpy as np
import plotly.graph_objects as go
import pytest

from liq_provider.core.coverage import Interval
from liq_provider.errors import UsageError
from liq_provider.plot.figure import HEIGHT_PX, NOTE, figure, notes, title
from liq_provider.plot.figure_file import browser, page, write_picture
from liq_provider.plot.heat import HeatMap
from liq_provider.plot.records import Candles
from liq_provider.plot.theme import THEMES, ThemeName
from liq_provider.plot.view import PairView, pair_view
from liq_provider.store.reader import Reader
from tests.plot.helpers import DAY, HOLE, HOSTILE, MINUTE, PAIR, SETTINGS, SHORT_HOLE, at

NO_WEBGL = {"bar", "candlestick", "heatmap", "scatter"}


@pytest.fixture(scope="module")
def drawn(view: PairView) -> go.Figure:
    return figure(view, "light")


@pytest.fixture(scope="module")
def written(drawn: go.Figure, view: PairView) -> str:
    return page(drawn, title(view), "light")


def trace(drawn: go.Figure, name: str) -> Any:
    return next(item for item in drawn.data if item.name == name)


@pytest.mark.parametrize("theme", THEMES)
def test_a_day_of_minutes_is_small_and_needs_no_webgl(view: PairView, theme: ThemeName) -> None:
    shown = figure(view, theme)
    assert len(shown.to_json()) < 600_000
    assert {item.type for item in shown.data} == NO_WEBGL
    assert shown.layout.paper_bgcolor == THEMES[theme].paper


def test_the_worst_day_is_below_a_megabyte(view: PairView) -> None:
    """Every cell of the heat map hit, and a hole every ten minutes."""
    full = np.random.default_rng(1).lognormal(8, 2, (60, 144))
    heat = HeatMap(view.heat.time_ms, np.arange(61.0), full, full)
    holes = tuple(Interval(at(n), at(n + 1)) for n in range(0, DAY, 10))
    assert len(figure(replace(view, heat=heat, unknown=holes)).to_json()) < 1_000_000


def test_the_note_and_the_units_are_there(drawn: go.Figure, view: PairView) -> None:
    said = drawn.layout.annotations[0].text
    assert said.startswith(NOTE) and "not modelled" in said
    assert "Known: 95.8% of the span; the rest is unknown, not zero." in said
    assert drawn.layout.yaxis.title.text == "price (USDT)"
    assert "USD per 1m" in drawn.layout.yaxis2.title.text
    assert drawn.layout.xaxis4.title.text == "time (UTC)"
    assert title(view) == "BTC/USDT:USDT, 1m candles, 2026-03-04 00:00 to 2026-03-05 00:00 UTC"
    assert "UTC" in drawn.layout.title.text


def test_numbers_are_those_of_the_view(drawn: go.Figure, view: PairView) -> None:
    longs, shorts = (trace(drawn, f"{side} positions liquidated") for side in ("long", "short"))
    assert np.array_equal(longs.y, -view.bars.long_usd, equal_nan=True), "longs go down"
    assert np.array_equal(shorts.y, view.bars.short_usd, equal_nan=True)
    assert np.array_equal(trace(drawn, "z").customdata, view.rows.z, equal_nan=True)
    assert np.array_equal(trace(drawn, "robust z").customdata, view.rows.robust_z, equal_nan=True)
    cells = next(item for item in drawn.data if item.type == "heatmap")
    money = [cell for row in cells.customdata for cell in row if cell is not None]
    assert sum(cell[0] for cell in money) == pytest.approx(view.heat.long_usd.sum(), rel=1e-3)
    assert sum(cell[1] for cell in money) == pytest.approx(view.heat.short_usd.sum(), rel=1e-3)
    assert "long positions" in cells.hovertemplate and "short positions" in cells.hovertemplate


def test_unknown_spans_are_grey_and_said_in_words(drawn: go.Figure) -> None:
    grey = [s for s in drawn.layout.shapes if s.fillcolor == THEMES["light"].unknown]
    assert [(s.x0, s.x1, s.y0, s.y1) for s in grey] == [
        (at(a), at(b), 0, 1) for a, b in (HOLE, SHORT_HOLE)
    ]
    assert [s.label.text for s in grey] == ["unknown", ""]
    words = trace(drawn, "unknown: no feed was heard").hovertext
    assert words[0].endswith("2026-03-04 15:00 to 2026-03-04 16:00 UTC, 1h")


def test_sides_differ_by_more_than_colour(drawn: go.Figure, view: PairView) -> None:
    assert trace(drawn, "entry long").marker.symbol == "triangle-up"
    assert trace(drawn, "entry short").marker.symbol == "triangle-down"
    assert trace(drawn, "wave LONG").marker.symbol != trace(drawn, "wave SHORT").marker.symbol
    assert trace(drawn, "verdict: enter").marker.symbol == ("star-triangle-down",)
    refused = trace(drawn, "verdict: hold or skip (open)")
    assert refused.marker.symbol == ("star-triangle-up-open",)
    assert refused.hovertext[0].startswith("verdict LONG: skip")
    sign = np.sign(np.array([refused.y[0] - view.verdicts[1].price]))
    assert sign == -1, "LONG stands below the price"
    dashes = {shape.line.dash for shape in drawn.layout.shapes if shape.opacity}
    assert dashes == {"solid", "dash"}


def test_thresholds_are_named_on_a_ground_of_their_own(drawn: go.Figure) -> None:
    named = {note.text: note for note in drawn.layout.annotations if note.yref == "y3"}
    assert list(named) == ["medium: z 3", "strong: z 5"]
    medium, strong = named.values()
    # Away from each other, however close the lines are, and z runs behind them.
    assert (medium.yanchor, strong.yanchor) == ("top", "bottom")
    assert medium.y < strong.y and {medium.bgcolor, strong.bgcolor} == {THEMES["light"].paper}


def test_the_marker_of_the_newest_wave_is_not_cut_off(drawn: go.Figure) -> None:
    assert trace(drawn, "wave SHORT").cliponaxis is False


def test_stops_and_holding_are_drawn_for_closed_and_open_trades(
    drawn: go.Figure, view: PairView
) -> None:
    closed = view.trades[0]
    stop = trace(drawn, "stop")
    assert list(stop.x)[:4] == [ms for ms, _ in closed.stops]
    assert stop.x[4] == closed.close_ms and stop.line.shape == "hv"
    assert list(trace(drawn, "held").x) == [closed.open_ms, closed.close_ms, None]
    assert "price +1.4" in trace(drawn, "exit").hovertext[0]


def test_text_from_elsewhere_is_text(drawn: go.Figure, view: PairView, written: str) -> None:
    for name in ("verdict: enter", "exit"):
        (words,) = trace(drawn, name).hovertext
        assert "&lt;img src=x onerror=" in words and "&lt;/script&gt;&lt;b&gt;" in words
        assert set(re.findall(r"<[^>]*>", words)) == {"<br>"}
    other = figure(replace(view, covered={HOSTILE: view.covered["okx"]}))
    assert "&lt;img" in other.data[-1].hovertemplate and "&lt;img" in other.data[-1].y[0]
    assert HOSTILE not in written and "<img" not in written.partition("<body>")[2]
    assert written.count("</script>") == written.count("<script"), "none was ended too early"


def test_the_page_needs_nothing_else(written: str) -> None:
    assert not re.search(r"<(script|link|img|iframe)[^>]+(src|href)=", written)
    assert "default-src 'none'" in written and "unsafe-eval" not in written
    assert json.dumps({"displaylogo": False, "showSendToCloud": False})[1:-1] in written
    assert f"<title>{escape(PAIR)}" in written


def test_without_candles_the_picture_says_so(reader: Reader) -> None:
    view = pair_view(reader, SETTINGS, PAIR, Candles.of_rows([]), MINUTE, at(700), at(760))
    shown = figure(view, "dark")
    assert "candlestick" not in {item.type for item in shown.data}
    prices = trace(shown, "mean price of liquidations").y
    assert len(prices) and view.heat.price[0] < min(prices) < max(prices) < view.heat.price[-1]
    assert any(line.startswith("No candles") for line in notes(view))


def test_a_quiet_hour_and_an_unknown_one_can_be_drawn(reader: Reader) -> None:
    before = pair_view(reader, SETTINGS, PAIR, Candles.of_rows([]), MINUTE, at(-120), at(-60))
    assert before.known_share == 0
    shown = figure(before)
    assert not {"heatmap", "candlestick"} & {item.type for item in shown.data}
    json.loads(shown.to_json())


def test_arrays_travel_as_plain_bytes(drawn: go.Figure, view: PairView) -> None:
    """What the dashboard hands to plotly.js is what the view holds."""
    candles = next(d for d in json.loads(drawn.to_json())["data"] if d["type"] == "candlestick")
    raw = base64.b64decode(candles["close"]["bdata"])
    assert list(struct.unpack(f"<{DAY}d", raw)) == view.candles.close.tolist()


def has_browser() -> bool:
    try:
        return bool(browser())
    except UsageError:
        return False


@pytest.mark.skipif(not has_browser(), reason="no Chromium or Chrome")
@pytest.mark.processes
def test_a_picture(drawn: go.Figure, view: PairView, tmp_path: Path) -> None:
    out = tmp_path / "new" / "view.png"
    write_picture(drawn, out, title(view), "light")
    head = out.read_bytes()[:24]
    assert head[:8] == b"\x89PNG\r\n\x1a\n"
    assert struct.unpack(">II", head[16:24]) == (1_500, HEIGHT_PX)
    assert out.stat().st_size > 50_000, "not an empty page"
    assert [path.name for path in out.parent.iterdir()] == ["view.png"], "nothing is left over"
