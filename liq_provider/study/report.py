"""One self-contained page and one JSON file of a study; plain sentences first."""

import html
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import plotly.graph_objects as go
from plotly.offline import get_plotlyjs

from liq_provider import __version__
from liq_provider.core import private_files
from liq_provider.study.event_study import SHOWN_LEVEL, Cell, Options, Study
from liq_provider.study.findings import headline, limits, minute_text, percent, sentences
from liq_provider.study.judge_findings import confidence, interval, judge_name, judge_sentences
from liq_provider.study.judges import Comparison, Judges
from liq_provider.study.stats import Difference

_BLUE, _RED, _GRAY = "#3987c9", "#d0643f", "#8a8f98"
# Resampling fewer says nothing about the days that were not seen.
_FEW_DAYS = 5
_TITLES = {
    "strength": "by strength",
    "liquidated": "by the side that was liquidated",
    "trend": "by what the candles did",
    "venues": "by the venues that were known",
    "hours": "by hour of the day",
}


@dataclass(frozen=True, slots=True)
class Part:
    """One span of the recording, and what was found in it."""

    study: Study
    judges: Judges

    def lines(self, options: Options) -> list[str]:
        """:return: the answer in one line, then the others"""
        answers = sentences(self.study, options)
        return [headline(self.study), *answers, *judge_sentences(self.judges)]


@dataclass(frozen=True, slots=True)
class StudyReport:
    """
    :param part: that may be looked at
    :param holdout: the hold-out, if it was opened
    :param holdout_note: what became of the hold-out
    :param settings: what the waves were made with
    :param simulated: what is to be said of data that never happened, None if all of it did
    :param unknown: pairs that are left out, as nothing is known of them
    """

    part: Part
    holdout: Part | None
    holdout_note: str
    options: Options
    settings: dict[str, Any]
    made_ms: int
    simulated: str | None = None
    unknown: tuple[str, ...] = ()

    def lines(self) -> list[str]:
        """:return: the plain sentences"""
        said = [*self.part.lines(self.options), self.holdout_note]
        if self.unknown:
            said.insert(1, f"Left out, as nothing is known of them: {', '.join(self.unknown)}.")
        if self.simulated is not None:
            said[0] = f"{self.simulated}. {said[0]}"
        if self.holdout is not None:
            said += [f"Hold-out: {line}" for line in self.holdout.lines(self.options)]
        return said

    def _limits(self) -> list[str]:
        return limits(self.settings["venues"])

    def as_json(self) -> str:
        """:return: everything, with null for what is not defined"""
        document = {
            "liqtrend": __version__,
            "made_ms": self.made_ms,
            "simulated": self.simulated,
            "unknown": list(self.unknown),
            "sentences": self.lines(),
            "limits": self._limits(),
            "options": asdict(self.options),
            "settings": self.settings,
            **asdict(self.part),
            "holdout": None if self.holdout is None else asdict(self.holdout.study),
            "holdout_judges": None if self.holdout is None else asdict(self.holdout.judges),
        }
        return json.dumps(_plain(document), indent=1)

    def as_html(self) -> str:
        """:return: a page that needs nothing else"""
        first, *rest = self.lines()
        made = minute_text(self.made_ms)
        study, judges = self.part.study, self.part.judges
        parts = [
            f"<h1>{html.escape(first)}</h1>",
            *(f"<p>{html.escape(line)}</p>" for line in rest),
            "<ul>" + "".join(f"<li>{html.escape(line)}</li>" for line in self._limits()) + "</ul>",
            "<h2>Returns by horizon</h2>",
            _plot(_horizons(study), "mean return in the direction of the wave, before costs"),
            _table(study.horizons),
            f"<h2>Entry one candle later ({study.horizon_min} min, candles agree)</h2>",
            _table(study.late_entry),
            f"<h2>Each gate left out ({study.horizon_min} min, candles agree)</h2>",
            _table(study.ablation),
        ]
        for name, cells in study.breakdowns.items():
            parts += [f"<h2>{study.horizon_min} min {_TITLES[name]}</h2>", _table(cells)]
        parts += _judges(judges)
        parts += [
            "<h2>What was known, and when waves were</h2>",
            _plot(_days(study), "share of candles with known liquidations; waves a day"),
            _pairs(study),
            "<h2>Made with</h2>",
            f"<p>LiqTrend {html.escape(__version__)}, {made} UTC; "
            f"{study.cells + judges.cells} cells are shown above.</p>",
            f"<pre>{html.escape(json.dumps(self.settings, indent=1, sort_keys=True))}</pre>",
        ]
        return _PAGE.format(script=get_plotlyjs(), body="\n".join(parts))

    def write(self, directory: Path, name: str) -> tuple[Path, Path]:
        """:return: the page and the JSON file"""
        directory.mkdir(parents=True, exist_ok=True)
        page, data = directory / f"{name}.html", directory / f"{name}.json"
        private_files.replace_text(page, self.as_html(), for_all=True)
        private_files.replace_text(data, self.as_json(), for_all=True)
        return page, data


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def _table(cells: Sequence[Cell]) -> str:
    heads = (
        *("", "events", "days", "mean before costs", f"{SHOWN_LEVEL:.0%} interval"),
        *("after 1x costs", "after 2x costs"),
    )
    rows = [
        (
            cell.name,
            f"{cell.gross.n:,}",
            f"{cell.gross.days:,}",
            percent(cell.gross.mean),
            _interval(cell),
            percent(cell.net),
            percent(cell.net_2x),
        )
        for cell in cells
    ]
    return _rows(heads, rows)


def _interval(cell: Cell) -> str:
    if cell.gross.days < _FEW_DAYS:
        return "too few days"
    return f"{percent(cell.gross.low)} to {percent(cell.gross.high)}"


def _judges(judges: Judges) -> list[str]:
    horizon = f"{judges.horizon_min} min, in the direction of the trade"
    parts = []
    for compared in judges.comparisons:
        name = html.escape(judge_name(compared.judge))
        cells = [compared.kept, compared.refused, compared.own, compared.by_matrix, compared.alone]
        parts += [
            f"<h2>Did the AI help? {name} against the matrix ({horizon})</h2>",
            _table(cells),
            _differences(compared, judges),
        ]
    for table in judges.tables:
        name = html.escape(judge_name(table.judge))
        parts += [
            f"<h2>What the judge {name} said of {table.waves:,} wave(s) ({horizon})</h2>",
            _table(table.cells),
        ]
    return parts


def _differences(compared: Comparison, judges: Judges) -> str:
    def row(name: str, difference: Difference, level: float) -> Sequence[str]:
        p = f"{difference.p:.4f}" if math.isfinite(difference.p) else "none"
        both = (percent(difference.mean), interval(difference))
        return (name, *both, confidence(level), p)

    rows = [
        row("kept minus refused (the question)", compared.difference, judges.level),
        row("the model's entries minus the matrix's, a trade", compared.gain, SHOWN_LEVEL),
    ]
    return _rows(("", "difference", "interval", "confidence", "p of random signs"), rows)


def _pairs(study: Study) -> str:
    rows = [
        (
            pair.pair,
            f"{pair.candles:,}",
            f"{pair.known:,}",
            f"{pair.known / pair.candles:.1%}" if pair.candles else "none",
            f"{pair.waves:,}",
        )
        for pair in study.pairs
    ]
    return _rows(("pair", "candles", "known", "share", "waves"), rows)


def _rows(heads: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    def line(kind: str, cells: Sequence[str]) -> str:
        return "<tr>" + "".join(f"<{kind}>{html.escape(c)}</{kind}>" for c in cells) + "</tr>"

    body = "".join(line("td", row) for row in rows)
    return f'<div class="wide"><table>{line("th", heads)}{body}</table></div>'


def _horizons(study: Study) -> go.Figure:
    figure = go.Figure()
    for name, color in (("all waves", _GRAY), ("candles agree", _BLUE)):
        cells = [cell for cell in study.horizons if cell.name.endswith(name)]
        means = [100 * cell.gross.mean for cell in cells]
        figure.add_scatter(
            x=[cell.name.partition(",")[0] for cell in cells],
            y=means,
            name=name,
            mode="lines+markers",
            line={"color": color},
            error_y={
                "array": [100 * (cell.gross.high - cell.gross.mean) for cell in cells],
                "arrayminus": [100 * (cell.gross.mean - cell.gross.low) for cell in cells],
            },
        )
    figure.add_hline(y=0, line={"color": _GRAY, "width": 1})
    return _styled(figure, "%")


def _days(study: Study) -> go.Figure:
    figure = go.Figure()
    figure.add_bar(
        x=list(study.known_by_day),
        y=[100 * share for share in study.known_by_day.values()],
        name="known, %",
        marker={"color": _GRAY, "opacity": 0.35},
    )
    figure.add_scatter(
        x=sorted(study.waves_by_day),
        y=[study.waves_by_day[day] for day in sorted(study.waves_by_day)],
        name="waves",
        mode="markers",
        marker={"color": _RED},
        yaxis="y2",
    )
    figure.update_layout(yaxis2={"overlaying": "y", "side": "right", "rangemode": "tozero"})
    return _styled(figure, "%")


def _styled(figure: go.Figure, unit: str) -> go.Figure:
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GRAY, "family": "system-ui, sans-serif"},
        margin={"l": 50, "r": 40, "t": 10, "b": 40},
        height=320,
        legend={"orientation": "h", "y": 1.12},
        yaxis={"title": unit, "gridcolor": "rgba(138,143,152,0.25)", "zeroline": False},
        xaxis={"gridcolor": "rgba(138,143,152,0.25)"},
    )
    return figure


def _plot(figure: go.Figure, caption: str) -> str:
    drawn = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        config={"displayModeBar": False, "responsive": True},
    )
    return f"<figure>{drawn}<figcaption>{html.escape(caption)}</figcaption></figure>"


_PAGE = """<!doctype html>
<html lang="en"><head><meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>LiqTrend study</title>
<script>{script}</script>
<style>
:root {{ color-scheme: light dark; }}
body {{ font: 16px/1.5 system-ui, sans-serif; max-width: 62rem; margin: 2rem auto;
  padding: 0 1rem; color: light-dark(#1c2026, #d8dce2); background: light-dark(#fff, #14171b); }}
h1 {{ font-size: 1.5rem; line-height: 1.25; }}
h2 {{ font-size: 1.1rem; margin-top: 2.2rem; }}
.wide {{ overflow-x: auto; }}
table {{ border-collapse: collapse; font-variant-numeric: tabular-nums; font-size: 0.9rem; }}
th, td {{ padding: 0.25rem 0.8rem; text-align: right; white-space: nowrap;
  border-bottom: 1px solid light-dark(#dfe3e8, #2b3037); }}
th:first-child, td:first-child {{ text-align: left; }}
figure {{ margin: 0.5rem 0; }}
figcaption {{ font-size: 0.85rem; color: #8a8f98; }}
pre {{ overflow-x: auto; font-size: 0.85rem; }}
</style></head><body>
{body}
</body></html>
"""
