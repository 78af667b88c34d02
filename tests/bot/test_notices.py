"""What the bot says, and that it says it once."""

import pytest

from liq_provider.bot.notices import Notices

from .helpers import Store, at, stored, verdict
from .test_engine import BTC, CLOSE, ETH, Bot, wave


def test_stale_and_live_again_are_told_once_each() -> None:
    notices = Notices()
    told = [
        notices.data(problem)
        for problem in (
            "the sidecar has not settled a minute yet",
            "the sidecar has not settled a minute yet",
            None,
            None,
            "liquidation data is 91 s old (max_staleness_s)",
            "liquidation data is 93 s old (max_staleness_s)",
            "liquidation data is 1200 s old (max_staleness_s)",
            None,
            None,
        )
    ]
    assert [text is not None for text in told] == [
        *(True, False, True, False, True, False, False, True, False),
    ]
    assert told[0] == (
        "LiqTrend: no entries, the sidecar has not settled a minute yet. Stops and exits go on."
    )
    assert told[2] == "LiqTrend: liquidation data is live."
    assert told[7] == "LiqTrend: liquidation data is live again."


def test_data_that_was_good_from_the_start_is_told_as_well() -> None:
    assert Notices().data(None) == "LiqTrend: liquidation data is live."


def waves(notices: Notices, bot: Bot) -> list[str]:
    return list(notices.waves(bot.engine, [BTC, ETH], CLOSE))


def test_a_wave_is_told_once_with_its_verdict(store: Store) -> None:
    wave(store, BTC=9)
    bot, notices = Bot(store), Notices()
    bot.loop([BTC, ETH])
    told = waves(notices, bot)
    assert told == [
        f"{BTC}: strong wave SHORT, z 9.0, purity 98%, $1,000,000: "
        "enter (medium), a strong one-sided wave that price follows"
    ]
    assert waves(notices, bot) == []


def test_an_unjudged_wave_is_not_told(store: Store) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, 9, 0.98)])
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert waves(Notices(), bot) == []


def test_an_upgrade_is_told_again(store: Store) -> None:
    wave(store, BTC=9)
    bot, notices = Bot(store), Notices()
    bot.loop([BTC, ETH])
    waves(notices, bot)
    store.judge(verdict(40, news="supports", news_key="a", after_s=5))
    bot.loop([BTC, ETH])
    assert [text.partition(": enter ")[2][:6] for text in waves(notices, bot)] == ["(high)"]


@pytest.mark.parametrize(
    ("z", "said", "decision"),
    [
        (4.0, {}, "skip, low is below min_confidence"),
        (9.0, {"news": "contradicts", "action": "skip"}, "skip, a strong"),
        (9.0, {"downgrade": 3}, "skip, this bot's own thresholds or candles do not agree"),
        (9.0, {"news": "contradicts", "action": "hold"}, "hold, a strong"),
    ],
)
def test_what_is_not_entered_is_not_told_as_an_entry(
    store: Store, z: float, said: dict[str, object], decision: str
) -> None:
    store.settle(CLOSE, [stored("BTC", CLOSE, z, 0.98)])
    store.judge(verdict(40, **said))
    bot = Bot(store)
    bot.loop([BTC, ETH])
    assert [decision in text for text in waves(Notices(), bot)] == [True]
    assert bot.signals() == set()
    assert at(40) == CLOSE
