"""What the bot says of waves, and that it says it once."""

import math
from collections.abc import Callable
from typing import Any

import pytest

from liq_provider.bot.messages import LIMIT
from liq_provider.bot.story_from_bot import story_of
from liq_provider.bot.wave_notices import WaveNotices
from liq_provider.config.sections import MessageSettings
from liq_provider.judge.bot_gates import Standing
from liq_provider.judge.gate_list import DecisionStory
from tests.bot.helpers import Store, at, stored, verdict
from tests.bot.markdown import shown
from tests.bot.test_engine import BTC, CLOSE, ETH, Bot, pair, wave


def notices(**switches: Any) -> WaveNotices:
    return WaveNotices(MessageSettings(**switches))


def troubled(bot: Bot, why: str | None) -> Callable[[str], DecisionStory]:
    """What is told of a pair while there is trouble."""
    standing = Standing(troubles={"clock": why})
    return lambda pair: story_of(bot.engine, pair, CLOSE, standing)


def waves(own: WaveNotices, bot: Bot) -> list[str]:
    return [message.sendable for message in own.waves(bot.engine, [BTC, ETH], CLOSE)]


def test_a_wave_is_told_once_with_its_verdict(store: Store) -> None:
    wave(store, BTC=9)
    bot, own = Bot(store), notices()
    bot.loop([BTC, ETH])
    assert waves(own, bot) == [
        f"`{BTC}`: strong wave SHORT, z 9.0, purity 98%, $1,000,000: "
        "enter (medium), `a strong one-sided wave that price follows`"
    ]
    assert waves(own, bot) == []


def test_a_wave_whose_beginning_was_not_seen_is_told_as_such_and_not_as_an_entry(
    store: Store,
) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98, steady=False)])
    store.judge(verdict(40))
    bot, own = Bot(store), notices()
    bot.loop([BTC, ETH])
    assert waves(own, bot) == [
        f"`{BTC}`: strong wave SHORT, z 9.0, purity 98%, $1,000,000: "
        "skip: its beginning was not seen"
    ]
    another = Bot(store)
    another.loop([BTC, ETH])
    (told,) = notices(waves="enter").waves(another.engine, [BTC, ETH], CLOSE)
    assert not told.send


def test_an_unjudged_wave_is_not_told(store: Store) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert waves(notices(), bot) == []


def test_a_wave_below_the_strategys_thresholds_is_not_told(store: Store) -> None:
    wave(store, BTC=2.7)
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert waves(notices(), bot) == []


@pytest.mark.parametrize(
    ("said", "decision"),
    [
        ({"news": "supports"}, "enter (high), "),
        ({"news": "contradicts", "action": "skip"}, "skip: the news is against it, "),
        (
            {"downgrade": 3, "action": "skip", "judge": "unavailable"},
            "skip: no verdict of the judge, ",
        ),
    ],
)
def test_a_changed_verdict_is_told_again_once(
    store: Store, said: dict[str, Any], decision: str
) -> None:
    wave(store, BTC=9)
    bot, own = Bot(store), notices()
    bot.loop([BTC, ETH])
    waves(own, bot)
    store.judge(verdict(40, news_key="a", after_s=5, **said))
    bot.loop([BTC, ETH])
    assert [text.split(": ", 2)[2][: len(decision)] for text in waves(own, bot)] == [decision]
    assert waves(own, bot) == []


def test_the_same_verdict_made_anew_is_not_told_again(store: Store) -> None:
    wave(store, BTC=9)
    bot, own = Bot(store), notices()
    bot.loop([BTC, ETH])
    waves(own, bot)
    store.judge(verdict(40, news_key="b", after_s=5))
    bot.loop([BTC, ETH])
    assert waves(own, bot) == []


@pytest.mark.parametrize(
    ("z", "said", "decision"),
    [
        (4.0, {}, "skip: `confidence low is below min_confidence medium`, `a strong"),
        (9.0, {"news": "contradicts", "action": "skip"}, "skip: the news is against it, `a strong"),
        (9.0, {"downgrade": 3}, "skip: the judge is not convinced, `a strong"),
        (9.0, {"news": "contradicts", "action": "hold"}, "skip: the news is against it, `a strong"),
        (9.0, {"downgrade": 3, "action": "hold"}, "hold: the judge is not convinced, `a strong"),
    ],
)
def test_what_is_not_entered_is_not_told_as_an_entry(
    store: Store, z: float, said: dict[str, object], decision: str
) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, z, 0.98)])
    store.judge(verdict(40, **said))
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert [decision in text for text in waves(notices(), bot)] == [True]
    assert bot.signals() == set()
    assert at(40) == CLOSE


@pytest.mark.parametrize(
    "reason",
    [
        "_it_ *bold* [coins](https://evil.example) `x`",
        "/forceexit all @everyone\n/stop " + "and more " * 60,
        "",
    ],
)
def test_what_a_model_says_cannot_break_a_message(store: Store, reason: str) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    store.judge(verdict(40, action_reason=reason))
    bot = Bot(store)
    bot.loop([BTC, ETH])
    (text,) = waves(notices(), bot)
    assert len(text) <= LIMIT
    assert "enter (medium), " in text
    assert text.count("`") == 4, "pair and reason are code, and nothing else is"
    shown(text)


@pytest.mark.parametrize(
    ("which", "sent"), [("all", [True, True]), ("enter", [True, False]), ("none", [False, False])]
)
def test_which_waves_are_sent_can_be_chosen_and_the_log_has_all(
    store: Store, which: str, sent: list[bool]
) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 4, 0.98), stored("ETH", CLOSE, 9, 0.98)])
    for base in ("BTC", "ETH"):
        store.judge(verdict(40, base=base))
    bot, own = Bot(store), notices(waves=which)
    bot.loop([BTC, ETH])
    told = own.waves(bot.engine, [BTC, ETH], CLOSE)
    assert [message.send for message in told] == sent
    assert [ETH in told[0].text, BTC in told[1].text] == [True, True], "the surest first"
    assert bot.engine.dealings.told((ETH, -1, CLOSE)) is sent[0]


def test_many_waves_at_once_are_summed_up(store: Store) -> None:
    bases = [f"C{n}" for n in range(12)]
    pairs = [pair(base) for base in bases]
    wave(store, **{base: 4 + n for n, base in enumerate(bases)})
    bot, own = Bot(store), notices()
    bot.loop(pairs, slots=20)
    told = own.waves(bot.engine, pairs, CLOSE)
    assert len(told) == 13
    sent = [message for message in told if message.send]
    assert len(sent) == 6
    assert f"`{pairs[-1]}`" in sent[0].text, "the surest has a message of its own"
    assert sent[-1].sendable == (
        "LiqTrend: 7 more waves at once, 6 of them to enter: `C6, C5, C4, C3, C2, C1, C0`"
    )
    assert bot.engine.dealings.told((pairs[-1], -1, CLOSE))
    assert not bot.engine.dealings.told((pairs[0], -1, CLOSE))
    assert own.waves(bot.engine, pairs, CLOSE) == []


def test_a_wave_that_is_refused_is_told_with_the_reason_and_as_entering_only_when_it_enters(
    store: Store,
) -> None:
    wave(store, BTC=9)
    made = Bot(store)
    made.loop([BTC])
    own = notices()
    reasons = ["the clock jumped by +600.0 s", "the clock jumped by +602.0 s", None, None, "late"]
    waves_told = [own.waves(made.engine, [BTC], CLOSE, troubled(made, why)) for why in reasons]
    told = [shown(message.sendable) for messages in waves_told for message in messages]
    assert len(told) == 2
    assert told[0].endswith("$1,000,000: not entered: the clock jumped by +600.0 s")
    assert "enter (medium), " in told[1]
    assert "enter (" not in told[0]


def test_a_wave_that_is_told_as_refused_counts_as_none_to_enter(store: Store) -> None:
    coins = {f"C{n}": 9.0 + n for n in range(7)}
    wave(store, **coins)
    pairs = [pair(base) for base in coins]
    made = Bot(store)
    made.loop(pairs, slots=math.inf)
    told = notices().waves(made.engine, pairs, CLOSE, troubled(made, "the store does not answer"))
    assert "2 more waves at once, 0 of them to enter" in told[-1].text
