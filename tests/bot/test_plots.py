"""What charts show, and that it is what was decided."""

from collections.abc import Callable
from copy import deepcopy
from datetime import timedelta
from itertools import pairwise

import pandas as pd
import pytest
from freqtrade.ft_types.plot_annotation_type import AnnotationTypeTA
from freqtrade.plot.plotting import generate_candlestick_graph

from liq_provider.bot.engine import Engine
from liq_provider.bot.plots import PLOT_CONFIG, annotations, shown_indicators
from liq_provider.bot.source import HistorySource
from liq_provider.bot.story_from_bot import story_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.measure.feature_rows import FeatureRows
from tests.bot.helpers import feature_rows, rules, settings, verdict
from tests.bot.test_engine import BTC, candles


class _Past(HistorySource):
    """Features and verdicts as a test wants them, whatever the span."""

    def __init__(self, rows: FeatureRows, verdicts: list[dict[str, object]]) -> None:
        super().__init__(None, settings())
        self._found = rows, verdicts

    def rows(self, *_: object, **__: object) -> FeatureRows:
        return self._found[0]

    def verdicts(self, *_: object) -> list[dict[str, object]]:
        return self._found[1]


Told = Callable[[int], str]


def frame(
    minutes: dict[int, tuple[float, float]], *verdicts: dict[str, object], drift: float = -0.002
) -> pd.DataFrame:
    """A populated frame of the candles that close in minutes 1 to 40."""
    return told(minutes, *verdicts, drift=drift)[0]


def told(
    minutes: dict[int, tuple[float, float]], *verdicts: dict[str, object], drift: float = -0.002
) -> tuple[pd.DataFrame, Told]:
    """The same, and what is told of its candles."""
    mode = "recorded" if verdicts else "matrix"
    past = _Past(feature_rows(minutes), list(verdicts))
    engine = Engine(settings(), MINUTE_MS, past, mode)  # type: ignore[arg-type]
    frame = engine.indicators(candles(drift=drift), BTC, shown=shown_indicators)
    frame = engine.entries(frame, BTC, rules())
    return engine.exits(frame, BTC), lambda ms: story_of(engine, BTC, ms).as_judged.words


def columns_of(config: dict[str, object]) -> set[str]:
    subplots = config["subplots"]
    assert isinstance(subplots, dict)
    return {name for plot in subplots.values() for name in plot}


def test_every_column_that_is_drawn_is_there() -> None:
    assert columns_of(PLOT_CONFIG) <= set(frame({30: (9.0, 0.98)}).columns)


def test_plot_dataframe_draws_every_column() -> None:
    columns = frame({30: (9.0, 0.98)})
    figure = generate_candlestick_graph(BTC, columns, None, plot_config=deepcopy(PLOT_CONFIG))
    assert columns_of(PLOT_CONFIG) <= {trace.name for trace in figure.data}


def test_plot_types_are_those_that_both_charts_know() -> None:
    kinds = {
        conf.get("type") for plot in PLOT_CONFIG["subplots"].values() for conf in plot.values()
    }
    assert kinds == {None, "bar"}


def test_a_wave_is_an_area_from_its_first_to_its_last_minute() -> None:
    frame, words = told({30: (4.0, 0.98), 31: (9.0, 0.97), 33: (6.0, 0.96)})
    (area,) = annotations(frame, MINUTE_MS, words)
    AnnotationTypeTA.validate_python(area, extra="forbid")
    opened = frame["date"].iloc[29]
    assert area["start"] == opened
    assert area["end"] == opened + timedelta(minutes=4)
    assert area["label"] == "strong SHORT\nz 9.0, 97%\nenter (medium)"


def test_both_directions_have_their_color_and_each_wave_its_area() -> None:
    frame, words = told({10: (9.0, 0.98), 20: (9.0, 0.02), 35: (9.0, 0.98)})
    areas = annotations(frame, MINUTE_MS, words)
    assert [area["label"].split("\n")[0] for area in areas] == [
        *("strong SHORT", "strong LONG", "strong SHORT"),
    ]
    assert areas[0]["color"] == areas[2]["color"] != areas[1]["color"]
    assert all(before["end"] < after["start"] for before, after in pairwise(areas))


@pytest.mark.parametrize(
    ("z", "said", "words"),
    [
        (9.0, {"news": "supports"}, "enter (high)"),
        (9.0, {"news": "contradicts", "action": "skip"}, "skip: the news is against it"),
        (9.0, {"downgrade": 3, "action": "skip"}, "skip: the judge is not convinced"),
        (4.0, {}, "skip: confidence low is below min_confidence medium"),
        (9.0, {"base": "BTC", "direction": "LONG"}, "skip: no verdict in time"),
    ],
)
def test_the_label_tells_the_verdict(z: float, said: dict[str, object], words: str) -> None:
    frame, tell = told({30: (z, 0.98)}, verdict(30, **said))  # type: ignore[arg-type]
    (area,) = annotations(frame, MINUTE_MS, tell)
    assert area["label"].split("\n")[2] == words


def test_a_wave_that_was_entered_says_so_whatever_came_later() -> None:
    later = verdict(30, 33, news="contradicts", action="skip", news_key="b", after_s=150)
    frame, words = told({30: (9.0, 0.98), 33: (9.0, 0.98)}, verdict(30, 33), later)
    assert list(frame["liq_level"].iloc[[29, 32]]) == [2, 0]
    (area,) = annotations(frame, MINUTE_MS, words)
    assert area["label"].endswith("enter (medium)")


def test_a_price_that_does_not_follow_is_told() -> None:
    frame, words = told({30: (9.0, 0.98)}, drift=0.002)
    (area,) = annotations(frame, MINUTE_MS, words)
    assert area["label"].endswith("skip: price does not follow")


def test_quiet_frames_and_frames_without_our_columns_have_no_areas() -> None:
    frame, words = told({30: (1.0, 0.98)})
    for quiet in (frame, candles(), candles().iloc[:0]):
        assert annotations(quiet, MINUTE_MS, words) == []


def test_hourly_candles_end_an_hour_after_they_begin() -> None:
    frame, words = told({30: (9.0, 0.98)})
    (area,) = annotations(frame, 60 * MINUTE_MS, words)
    assert area["end"] - area["start"] == timedelta(hours=1)
