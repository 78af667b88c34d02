"""The bot, whoever is told of it, and the page: one decision, told alike."""

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from liq_provider.bot.engine import Engine
from liq_provider.bot.live import LiveLoop
from liq_provider.bot.parameters import NAMES
from liq_provider.bot.rules_of_bots import in_force_now, in_force_of, refusals_of, rules_from
from liq_provider.bot.story_from_bot import story_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.signals import Stories, record
from liq_provider.judge.matrix import News
from liq_provider.judge.verdict_story import read_story
from liq_provider.launch.narrator import Narrator
from liq_provider.measure.trend import trend_inputs
from liq_provider.measure.waves import Strength
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.reader import Reader
from liq_provider.study.judges import _judged
from liq_provider.study.pair_past import PairPast
from tests.bot.helpers import Store, live_source, settings, stored, verdict
from tests.bot.markdown import shown
from tests.bot.test_engine import BTC, CLOSE, NOW, candles
from tests.bot.test_last_look import FakeBook, last_trade
from tests.bot.test_live import WatchNow

_NEEDED = ("trend_change", "trend_noise")


def locked() -> FakeBook:
    book = FakeBook()
    book.locks = {BTC}
    return book


def held() -> FakeBook:
    """A position that is open, by hand."""
    book = FakeBook()
    book.held = {BTC: last_trade(39, level=0)}
    return book


@pytest.mark.parametrize(
    ("book", "words"),
    [
        (FakeBook(), None),
        (locked(), "Freqtrade has locked the pair"),
        (FakeBook(BTC=last_trade(40, level=3)), None),
        (held(), "a position of this pair is open"),
    ],
)
def test_what_only_the_bot_knows_is_on_the_page_as_it_was_told(
    store: Store, tmp_path: Path, book: FakeBook, words: str | None
) -> None:
    own = settings()
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    store.judge(verdict(40, inputs=measured(candles())))
    engine = Engine(own, MINUTE_MS, live_source(store.url, own), "live")
    bot = LiveLoop(engine, WatchNow(store, None), -0.99, {"name": "A"})
    bot.begin(NOW, [BTC], {name: getattr(own, name) for name in NAMES})
    engine.exits(engine.entries(engine.indicators(candles(), BTC), BTC, rules_from({}, own)), BTC)
    engine.analyzed([BTC], {BTC: CLOSE})
    engine.choose(CLOSE, [BTC], 5, set())
    (message,) = bot.waves(book, [BTC], CLOSE, NOW)  # type: ignore[arg-type]
    bot.begin(NOW, [BTC], {name: getattr(own, name) for name in NAMES})
    bots = SidecarFiles(store.path).bots()
    reader = PageReader(store.url)
    (row,) = reader.newest_verdicts(0, 5)
    (page,) = Stories(reader).of([row], in_force_now(bots, own, MINUTE_MS), refusals_of(bots))
    said = "enter (medium)" if words is None else f"not entered: {words}"
    assert (page.words, page.refused_by) == (said, words)
    assert said in shown(message.text)
    shown_record = record(reader, row, in_force_now(bots, own, MINUTE_MS), refusals_of(bots))
    assert shown_record["signal"]["words"] == said
    # Whoever is not alone may have done otherwise.
    assert refusals_of([*bots, *bots]) == {} and refusals_of([{"refusals": [1]}]) == {}


# -- with a store: the page, the narrator and the study -------------------------------------


CASES: list[tuple[float, dict[str, Any], dict[str, Any], str]] = [
    # z, hyperopted values, what the sidecar made of it with its own, what everybody says
    (
        4.5,
        {"z_strong": 4.0},
        {"strength": "medium", "action": "skip", "confidence": "low"},
        "enter (medium)",
    ),
    (5.5, {"z_strong": 6.0}, {}, "skip: no news supports it"),
    (9.0, {}, {}, "enter (medium)"),
    (9.0, {"min_confidence": "high"}, {}, "skip: confidence medium is below min_confidence high"),
    (9.0, {"z_threshold": 9.5}, {}, "skip: z 9.0 is below z_threshold 9.5"),
    (9.0, {"trend_k": 400.0}, {}, "skip: price does not follow"),
]


@pytest.mark.parametrize(("z", "values", "said", "words"), CASES)
def test_hyperopted_rules_are_told_by_everybody_as_the_bot_decides(
    store: Store, tmp_path: Path, z: float, values: dict[str, Any], said: dict[str, Any], words: str
) -> None:
    own = settings()
    in_force = in_force_of(own, values, MINUTE_MS, (BTC,), "the bot")
    frame = candles()
    engine = Engine(own, MINUTE_MS, live_source(store.url, own), "live")
    made = verdict(40, news=News.NONE.value, inputs=measured(frame), **said)
    bots = [{"rules": in_force.as_told()}]
    store.settle(CLOSE, [stored("BTC", CLOSE, z, 0.98)], bots=bots)
    store.judge(made)
    # The bot.
    engine.refresh(NOW)
    frame = engine.entries(engine.indicators(frame, BTC), BTC, in_force.rules)
    bot = story_of(engine, BTC, CLOSE)
    assert bot.words == words
    decisions, row = engine.decision(BTC, CLOSE) or (None, 0)
    assert decisions is not None and bool(decisions.entry[row]) == bot.enters
    # The page.
    reader = Reader(store.url)
    (row_of_store,) = reader.verdicts(0, 2**62)
    page = read_story(reader, row_of_store, in_force, in_force.lists(BTC))
    assert page.words == words
    # The narrator.
    narrator = Narrator(reader, own, tmp_path / "none.sqlite", CLOSE)
    (line,) = [line for line in narrator._new_verdicts() if line.startswith("verdict")]
    assert f"SHORT: {words}; matrix: " in line
    assert (not narrator.tally.refused) == bot.enters
    # The study, of the same settings.
    answers = _judged(past_of(frame, engine), decisions, [made], in_force, 1)
    for told in answers.to_dict("records"):
        assert told["enters"] == bot.enters
        assert (told["said"] == "entered") == bot.enters
    # A minute that is no wave by these rules was not judged by them.
    assert len(answers) == (decisions.strength[row] > Strength.NONE)


def past_of(frame: pd.DataFrame, engine: Engine) -> PairPast:
    """What a study has of the same candles."""
    opened = engine.pairs[BTC].close_ms - MINUTE_MS
    prices = (frame[name].to_numpy() for name in ("open", "close"))
    rows = engine.pairs[BTC].rows["configured"]
    return PairPast(BTC, MINUTE_MS, opened, *prices, rows, [""] * len(rows))


def measured(frame: pd.DataFrame) -> str:
    """What the sidecar keeps of its candles, which are the bot's."""
    change, noise = trend_inputs(frame["close"].to_numpy(), settings().trend_candles)
    return json.dumps(dict(zip(_NEEDED, (float(change[-1]), float(noise[-1])), strict=True)))
