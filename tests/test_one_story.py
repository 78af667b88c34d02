"""
One story: every combination of gates, and everybody who tells of it.

Whoever reads the list is compared with it. What a wave's gates may come to is walked twice. Those
who only look at arrays (columns, orders, messages, the page's function, the study) see each of the
combinations, one after the other on one time line. Those who open a store see each *way in which
combinations end*, under all rules, made of real minutes: a reader has nothing but the list to tell,
so of two combinations with one list it tells the same.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from liq_provider.bot import last_look, position
from liq_provider.bot.rules_of_bots import in_force_of, rules_from
from liq_provider.bot.start import past_engine
from liq_provider.bot.story_from_bot import story_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.dashboard.signals import record
from liq_provider.judge.gate_list import OF_WAVE, DecisionStory
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.launch.narrator import Narrator
from liq_provider.measure.waves import Strength
from liq_provider.plot.records import Candles
from liq_provider.plot.view import pair_view
from liq_provider.study.judges import _decisions, _in_force, _judged
from liq_provider.study.stored_past import pair_data
from tests.bot.test_last_look import FakeBook
from tests.judge.combinations import (
    PAIR,
    RULES,
    Combination,
    TimeLine,
    combinations,
    in_force,
    told,
)
from tests.live_walk import LineBot, LiveBot
from tests.readers_of_stories import board_of, explained, order_is_short
from tests.storyworld import CLOSE, SECTION, StoryWorld, pair_of

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryWorld]:
    """Every story that a combination ends in, each in the newest minute of two coins."""
    base = tmp_path_factory.mktemp("stories")
    (base / "user_data").mkdir()
    config = {"timeframe": "1m", "liq_provider": SECTION}
    (base / "user_data" / "config.json").write_text(json.dumps(config))
    made = StoryWorld(base / "user_data" / "liq_provider.sqlite", representatives())
    yield made
    made.close()


def representatives() -> list[Combination]:
    """One for each way in which combinations end, under all of the rules."""
    line = TimeLine(list(combinations()))
    ends: dict[tuple[Any, ...], Combination] = {}
    for one, *stories in zip(line.scenes, *map(line.stories, map(in_force, RULES)), strict=True):
        end = tuple((story.words, *wave_gates(story)) for story in stories)
        ends.setdefault(end, one)
    return list(ends.values())


@pytest.mark.parametrize("name", RULES)
def test_every_combination_in_columns_orders_messages_and_study(name: str) -> None:
    line, rules = TimeLine(list(combinations())), in_force(name)
    stories = line.stories(rules)
    bot = LineBot(line, RULES[name])
    answers = bot.studied(rules)
    entered = 0
    for number, (one, story) in enumerate(zip(line.scenes, stories, strict=True)):
        close_ms, row = line.closes_ms[number], int(line.ends[number]) - 1
        entered += story.enters
        assert bot.signals[row] == story.enters, one
        assert bot.candidates[row] == story.as_judged.enters, one
        assert bot.tags[row].rpartition("_")[2] == (story.words[7:-1] if story.enters else "")
        bot.engine.choose(close_ms, [PAIR], 1, set())
        assert bot.denied(PAIR, close_ms, close_ms + 3_000) == story.refused_by, one
        message = bot.message(close_ms)
        assert message is None or message.startswith(story.words), one
        answer = answers.get(close_ms)
        if answer is not None:
            as_judged = story.as_judged
            assert answer["enters"] == as_judged.enters == (answer["said"] == "entered"), one
            assert (answer["said"] == "held") == (as_judged.verb == "hold"), one
    assert entered and len(answers) > 1_000


@pytest.fixture(params=RULES, scope="module")
def bot(request: pytest.FixtureRequest, world: StoryWorld) -> LiveBot:
    """One that has decided on the newest candles, by one set of rules, and told of itself."""
    made = LiveBot(world, RULES[request.param])
    made.decide()
    made.begin(world.pairs)
    world.say()
    return made


@pytest.fixture(scope="module")
def rules(bot: LiveBot) -> RulesInForce:
    """The bot's, as all others are told them."""
    return in_force_of(bot.own, bot.hyperopted, MINUTE_MS, bot.world.pairs, "the bot A")


def newest_verdicts(world: StoryWorld) -> dict[str, dict[str, Any]]:
    """The verdict of the newest minute by pair, of those that have one."""
    rows = world.reader.verdicts(0, 2**62)
    return {row["symbol"]: row for row in rows if row["close_ms"] == CLOSE}


def test_the_stories_are_those_of_the_combinations(world: StoryWorld) -> None:
    """What is measured of real minutes ends where the combination says, under all rules."""
    entered, firsts = 0, set()
    for name in RULES:
        bot = LiveBot(world, RULES[name])
        bot.decide()
        for coin, one in world.scenes.items():
            story, (expected, _) = bot.story(pair_of(coin)), told(one, in_force(name))
            passed = [(gate.name, gate.passed) for gate in expected.gates]
            assert [(gate.name, gate.passed) for gate in story.gates] == passed, one
            entered += story.enters
            firsts.add(None if story.failed is None else story.failed.name)
    assert entered > len(RULES)
    # A wave fails with what makes it, and a candle of the bot's own is one.
    assert firsts == {None, *OF_WAVE} - {"candle", "wave"}


def test_the_bots_signals_orders_and_messages(bot: LiveBot) -> None:
    messages, heard = bot.tell(), newest_verdicts(bot.world)
    for pair in bot.world.pairs:
        story = bot.story(pair)
        assert bot.signal(pair) == story.enters, pair
        tag = str(bot.frames[pair]["enter_tag"].iloc[-1])
        assert tag.rpartition("_")[2] == (story.words[7:-1] if story.enters else "")
        assert bot.denied(pair) == story.refused_by, pair
        if pair in messages:
            assert messages[pair].partition(": ")[2].startswith(story.words), pair
        decided = bot.engine.decision(pair, CLOSE)
        assert decided is not None
        wave = decided[0].strength[decided[1]] > Strength.NONE
        assert (pair in messages) == (wave and bot.engine.verdict(pair, CLOSE) is not None)
        assert pair in heard or pair not in messages
        kept = position.record(bot.engine, pair, CLOSE)
        assert kept.get("verdict") == (story.words if story.as_judged.enters else None) or (
            story.failed is not None and story.failed.name == "once per wave"
        )
    assert any("enter" in text for text in messages.values())


def test_freq_uis_areas(bot: LiveBot) -> None:
    for pair in bot.world.pairs:
        areas = bot.trading.annotations(pair, bot.frames[pair])
        newest = [area for area in areas if area["end"].timestamp() * 1000 == CLOSE]
        story = bot.story(pair).as_judged
        decided = bot.engine.decision(pair, CLOSE)
        assert decided is not None
        # Of a wave that was judged earlier it tells what was surest.
        if decided[0].wave_ms[decided[1]] == CLOSE:
            assert [area["label"].splitlines()[-1] for area in newest] == [story.words], pair


def test_explain(
    bot: LiveBot, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for pair in bot.world.pairs:
        answer, story = explained(bot.world, pair, monkeypatch, capsys), bot.story(pair)
        assert answer["rules"]["of"] == "the bot A"
        gates = [(gate["name"], gate["passed"], gate["words"]) for gate in answer["gates"]]
        expected = [(gate.name, gate.passed, gate.words) for gate in story.gates]
        assert gates[: len(OF_WAVE)] == expected[: len(OF_WAVE)], pair
        if bot.world.scenes[pair[:4]].price is None and story.failed is not None:
            # Without candles it says nothing of what only those tell.
            untold = story.failed.name == "trend"
            assert answer["entry"] is (None if untold else False)
            assert answer["words"] == (None if untold else story.words)
        else:
            assert (answer["entry"], answer["words"]) == (story.enters, story.words), pair


def test_the_page(bot: LiveBot, rules: RulesInForce, monkeypatch: pytest.MonkeyPatch) -> None:
    heard = newest_verdicts(bot.world)
    board = board_of(bot.world, monkeypatch)
    signals = {
        row["symbol"]: row
        for row in json.loads(board.section("signals")[1])["rows"]
        if row["close_ms"] == CLOSE
    }
    assert signals.keys() == heard.keys() and board.in_force == rules
    for pair, row in heard.items():
        story, shown = bot.story(pair), signals[pair]
        expected = (story.words, story.verb, story.refused_by)
        assert (shown["words"], shown["verb"], shown["refused_by"]) == expected, pair
        kept = record(board.reader, row, board.in_force, board.refusals)  # type: ignore[arg-type]
        assert kept["signal"] == shown
        gates = [(gate["name"], gate["passed"], gate["words"]) for gate in kept["gates"]]
        assert gates[: len(OF_WAVE)] == wave_gates(story), pair
        shown = {gate["name"]: gate["measured"] for gate in kept["gates"]}
        assert shown["matrix"] == measured(story, "matrix"), pair


def measured(story: DecisionStory, name: str) -> str:
    return next(gate.measured for gate in story.gates if gate.name == name)


def wave_gates(story: DecisionStory) -> list[tuple[str, bool | None, str]]:
    return [(one.name, one.passed, one.words) for one in story.gates if one.name in OF_WAVE]


def test_the_demos_narrator(bot: LiveBot, tmp_path: Path) -> None:
    world, heard = bot.world, newest_verdicts(bot.world)
    narrator = Narrator(
        world.reader, world.settings, tmp_path / "none.sqlite", CLOSE - 1, {"timeframe": "1m"}
    )
    lines = [line for line in narrator._new_verdicts() if line.startswith("verdict")]
    # What was said of a wave first is followed by what is said of it now.
    last = {line.split()[1]: line for line in lines}
    for pair, row in heard.items():
        story = bot.story(pair)
        assert f" {row['direction']}: {story.words}; " in last[pair], pair
        refused = narrator.tally.refused.get((pair, row["direction"], row["wave_start_ms"]))
        assert refused == story.refused_by, pair
    segments = list(narrator._refused_segments())
    assert segments
    for line in segments:
        coin = line.split()[1].rstrip(":")
        assert line.endswith(f", but {bot.story(pair_of(coin)).refused_by}"), line


def test_a_backtest(bot: LiveBot) -> None:
    world = bot.world
    engine = past_engine(world.store.url, world.settings, MINUTE_MS, needs_data=True)
    for pair in world.pairs:
        newest = world.frame(pair[:4])
        # It goes on: what came after the candle is on record by then.
        next_one = newest.tail(1).assign(date=newest["date"].iloc[-1] + pd.Timedelta("1min"))
        frame = engine.indicators(pd.concat([newest, next_one], ignore_index=True), pair)
        frame = engine.entries(frame, pair, rules_from(bot.hyperopted, bot.own))
        story, live = story_of(engine, pair, CLOSE), bot.story(pair)
        assert wave_gates(story) == wave_gates(live), pair
        assert measured(story, "matrix") == measured(live, "matrix"), pair
        assert bool(frame[["enter_long", "enter_short"]].iloc[-2].any()) == live.enters
        is_short = order_is_short(engine, pair)
        book: Any = FakeBook(slots=-1)
        denied = last_look.deny_backtest(engine, book, pair, is_short, CLOSE)
        assert denied == live.refused_by, pair


def test_the_study(bot: LiveBot, rules: RulesInForce) -> None:
    world, asked = bot.world, 0
    own = rules.applied_to(world.settings)
    for pair in world.pairs:
        span = (CLOSE - 60 * MINUTE_MS, CLOSE)
        past = pair_data(world.reader, own, pair, world.frame(pair[:4]), MINUTE_MS, span)
        assert past is not None
        verdicts = world.reader.verdicts(*span, [pair[:4]]) + world.reader.verdicts(
            CLOSE + 1, CLOSE + MINUTE_MS, [pair[:4]]
        )
        decisions = _decisions(past, verdicts, own, rules.rules)
        answers = _judged(past, decisions, verdicts, _in_force(past, own), 1)
        story = bot.story(pair).as_judged
        for answer in answers[answers["close_ms"] == CLOSE].to_dict("records"):
            asked += 1
            assert answer["enters"] == story.enters == (answer["said"] == "entered"), pair
            assert (answer["said"] == "held") == (story.verb == "hold"), pair
    assert asked


def test_the_plot(bot: LiveBot, rules: RulesInForce) -> None:
    world, heard = bot.world, newest_verdicts(bot.world)
    for pair in heard:
        view = pair_view(
            world.reader,
            world.settings,
            pair,
            Candles.of_frame(world.frame(pair[:4])),
            MINUTE_MS,
            CLOSE - 15 * MINUTE_MS,
            CLOSE + 2 * MINUTE_MS,
            in_force=rules,
        )
        story, mark = bot.story(pair), view.verdicts[-1]
        assert (mark.enters, mark.words) == (story.enters, story.words), pair
