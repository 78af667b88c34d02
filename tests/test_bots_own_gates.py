"""
What only a bot knows, and everybody who tells of it.

Each of its gates fails alone, and each with each other, in a wave that it would enter and in one
that it would not. Of three that fail nothing is told but the first, as of the first two.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import combinations as choices
from pathlib import Path
from typing import Any

import pytest

from liq_provider.bot import last_look
from liq_provider.bot.rules_of_bots import rules_from
from liq_provider.bot.source import LiveSource
from liq_provider.bot.start import past_engine
from liq_provider.bot.story_from_bot import story_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.bot_gates import OF_BOT
from liq_provider.launch.narrator import Narrator
from tests.bot.test_last_look import FakeBook, last_trade
from tests.judge.combinations import Combination
from tests.live_walk import LiveBot
from tests.readers_of_stories import board_of, explained, order_is_short
from tests.storyworld import CLOSE, NOW, SECTION, StoryWorld, pair_of

pytestmark = pytest.mark.slow

ENTERED, REFUSED = pair_of("C000"), pair_of("C001")
WORDS = {gate.name: gate.words for gate in OF_BOT} | {
    "store": "the store is locked",
    "clock": "the clock is +9.0 s off the exchange's (max_skew_ms)",
    "data": "the sidecar has not settled a minute yet",
    "feeds": "no feed is live: okx down",
    "bot": "z_threshold 1 is below judge.z_min",
}
ORDER = [gate.name for gate in OF_BOT]


def alone_and_in_pairs(names: Sequence[str]) -> list[tuple[str, ...]]:
    return [*choices(names, 1), *choices(names, 2)]


def first_of(names: Sequence[str]) -> str:
    """
    An order of the other side is of no wave that was traded; but the pair of one that was is ranked
    no more, so it has no slot.
    """
    turned = {"traded": "slot"} if "direction" in names else {}
    return min((turned.get(name, name) for name in names), key=ORDER.index)


@pytest.fixture(scope="module")
def small_world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoryWorld]:
    """A wave that is entered, and one that is not."""
    base = tmp_path_factory.mktemp("gates")
    (base / "user_data").mkdir()
    config = {"timeframe": "1m", "liq_provider": SECTION}
    (base / "user_data" / "config.json").write_text(json.dumps(config))
    scenes = [Combination(), Combination(z=2.0)]
    made = StoryWorld(base / "user_data" / "liq_provider.sqlite", scenes)
    yield made
    made.close()


def hindered(world: StoryWorld, names: Sequence[str]) -> LiveBot:
    """A bot after it has decided, with what makes these gates fail."""
    book = FakeBook(slots=0 if "slot" in names else -1)
    if "position" in names:
        book.opened, book.held = {ENTERED}, {ENTERED: last_trade(39, level=0)}
    if "traded" in names:
        book.traded = {ENTERED: last_trade(40, level=3)}
    if "lock" in names:
        book.locks = {ENTERED}
    bot = LiveBot(world, {}, book)
    bot.decide([REFUSED] if "whitelist" in names else None)
    since = bot.published.since
    if "store" in names:
        since["error"] = WORDS["store"]
    if "data" in names:
        since["computed_ms"] = 0
    if "clock" in names or "feeds" in names:
        feeds = {"okx": {"state": "down"}} if "feeds" in names else {}
        since["sidecar"] = {"skew_ms": 9_000 if "clock" in names else 0, "feeds": feeds}
    if "bot" in names:
        bot.engine.problem = WORDS["bot"]
    source, wave = bot.engine.source, bot.engine.wave(ENTERED, CLOSE)
    assert isinstance(source, LiveSource) and wave is not None
    if "settled" in names:
        source.snapshot = replace(source.snapshot, computed_ms=CLOSE - MINUTE_MS)
    if "expiry" in names:
        known = bot.engine.pairs[ENTERED]
        known.verdicts = [{**said, "expires_at": CLOSE} for said in known.verdicts]
    if "order" in names:
        # As while Freqtrade is paused: its signal is out, and no order comes of it.
        bot.engine.dealings.of(wave, CLOSE).failed_ms = CLOSE
    return bot


# A bot without a decision has none of the others, see the tests of ``story_from_bot``.
LIVE = [name for name in ORDER if name not in ("reopening", "decision")]


@pytest.mark.parametrize("names", alone_and_in_pairs(LIVE), ids="+".join)
def test_the_bots_own_gates(
    small_world: StoryWorld,
    names: tuple[str, ...],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    world, bot = small_world, hindered(small_world, names)
    now_ms = CLOSE + 30_001 if "lateness" in names else NOW
    other_side = "direction" in names
    assert bot.denied(ENTERED, now_ms=now_ms, other_side=other_side) == WORDS[first_of(names)]
    below = bot.story(REFUSED).refused_by
    assert bot.denied(REFUSED, now_ms=now_ms, other_side=other_side) == below
    # An order's side is the order's alone; a wave that was entered is not told as one that is not.
    hinder = [name for name in names if name != "direction" and "traded" not in names]
    words = f"not entered: {WORDS[min(hinder, key=ORDER.index)]}" if hinder else "enter (medium)"
    (message,) = [text for pair, text in bot.tell(now_ms).items() if pair == ENTERED]
    assert message.partition(": ")[2].startswith(words)
    bot.begin([REFUSED] if "whitelist" in names else world.pairs)
    world.say()
    # The page, the demo and the command are told by the bot, and of the store that is not broken.
    if "whitelist" in names:
        words = f"not entered: {WORDS['whitelist']}"
    board = board_of(world, monkeypatch)
    rows = {row["symbol"]: row for row in json.loads(board.section("signals")[1])["rows"]}
    assert rows[ENTERED]["words"] == words
    assert rows[REFUSED]["words"] == f"skip: {below}"
    narrator = Narrator(world.reader, world.settings, tmp_path / "none.sqlite", CLOSE - 1, {})
    lines = [line for line in narrator._new_verdicts() if line.startswith("verdict")]
    assert [f"{ENTERED} SHORT: {words}; " in line for line in lines].count(True) == 1
    for pair, said in ((ENTERED, words), (REFUSED, f"skip: {below}")):
        answer = explained(world, pair, monkeypatch, capsys)
        assert (answer["words"], answer["entry"]) == (said, said.startswith("enter"))


KNOWN_OF_THE_STORE = ["whitelist", "clock", "data", "feeds"]


@pytest.mark.parametrize("names", alone_and_in_pairs(KNOWN_OF_THE_STORE), ids="+".join)
def test_what_the_store_itself_tells_against_an_entry(
    small_world: StoryWorld,
    names: tuple[str, ...],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    feeds = {"okx": {"state": "down", "url": "wss://x", "detail": ""}} if "feeds" in names else {}
    now_ms = CLOSE + 91_000 if "data" in names else NOW
    small_world.say(skew_ms=9_000 if "clock" in names else 0, feeds=feeds)
    bot = LiveBot(small_world, {})
    pairs = [REFUSED] if "whitelist" in names else small_world.pairs
    bot.decide(pairs, now_ms)
    denied = bot.denied(ENTERED, now_ms=now_ms)
    answer = explained(small_world, ENTERED, monkeypatch, capsys, now_ms)
    assert answer["words"] == f"not entered: {denied}" and answer["entry"] is False
    failed = next(gate["name"] for gate in answer["gates"] if gate["passed"] is False)
    assert failed == min(names, key=ORDER.index)
    small_world.say()


BACKTEST = ["position", "reopening", "traded", "slot", "direction"]


@pytest.mark.parametrize("names", alone_and_in_pairs(BACKTEST), ids="+".join)
def test_a_backtests_own_gates(small_world: StoryWorld, names: tuple[str, ...]) -> None:
    url, own = small_world.store.url, small_world.settings
    engine = past_engine(url, own, MINUTE_MS, needs_data=True)
    for pair in small_world.pairs:
        frame = engine.indicators(small_world.frame(pair[:4]), pair)
        engine.entries(frame, pair, rules_from({}, own))
    book: Any = FakeBook(slots=0 if "slot" in names else -1)
    if "position" in names:
        book.opened, book.held = {ENTERED}, {ENTERED: last_trade(39, level=0)}
    if "reopening" in names or "traded" in names:
        closed_ms = CLOSE + 1 if "reopening" in names else CLOSE - 1
        opened = 40 if "traded" in names else 38
        book.traded = {ENTERED: last_trade(opened, level=3, closed_ms=closed_ms)}
    is_short = order_is_short(engine, ENTERED) != ("direction" in names)
    denied = last_look.deny_backtest(engine, book, ENTERED, is_short, CLOSE)
    assert denied == WORDS[first_of(names)]
    below = story_of(engine, REFUSED, CLOSE).refused_by
    assert last_look.deny_backtest(engine, book, REFUSED, is_short, CLOSE) == below
