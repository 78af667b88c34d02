"""What a bot did about a wave, by itself; the engine's tests have it in the bot's loop."""

from liq_provider.bot.dealings import Dealing, Dealings
from liq_provider.bot.ranking import Candidate
from liq_provider.core.durations import DAY_MS, MINUTE_MS

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"
CLOSE = 40 * MINUTE_MS
NEXT = CLOSE + MINUTE_MS
WAVE = (BTC, -1, CLOSE)
ENTERS = Candidate(BTC, 2, 9.0, -1, CLOSE)


def choose(own: Dealings, *candidates: Candidate, close_ms: int = CLOSE) -> list[str]:
    return own.choose(candidates, close_ms, [BTC, ETH], 5, set())


def test_only_an_offered_wave_lets_its_signal_out() -> None:
    own = Dealings()
    assert not own.signal(BTC, CLOSE, WAVE)
    assert choose(own, ENTERS) == [BTC]
    assert own.signal(BTC, CLOSE, WAVE)
    assert own.offered(BTC, CLOSE) and not own.offered(BTC, NEXT) and not own.offered(ETH, CLOSE)


def test_a_signal_that_was_out_and_is_not_open_has_failed_for_this_candle() -> None:
    own = Dealings()
    choose(own, ENTERS)
    own.signal(BTC, CLOSE, WAVE)
    assert choose(own, ENTERS) == [BTC]
    assert own.failed(BTC, CLOSE) and not own.offered(BTC, CLOSE)
    assert not own.failed(BTC, NEXT)
    choose(own, ENTERS, close_ms=NEXT)
    assert own.offered(BTC, NEXT), "the next candle is another chance"


def test_a_frame_without_an_entry_takes_the_signal_back() -> None:
    own = Dealings()
    choose(own, ENTERS)
    own.signal(BTC, CLOSE, WAVE)
    assert own.withdraw() == [BTC]
    assert not own.signal(BTC, CLOSE, None)
    assert own.withdraw() == []


def test_an_upgraded_wave_is_opened_again_at_the_next_candle_only() -> None:
    own = Dealings()
    own.upgrade(WAVE, CLOSE)
    assert own.reopens(WAVE, CLOSE)
    assert not own.reopens(WAVE, NEXT)
    assert not own.reopens((BTC, 1, CLOSE), CLOSE), "the other way is another wave"
    assert not own.reopens((ETH, -1, CLOSE), CLOSE)


def test_a_state_is_said_once() -> None:
    own = Dealings()
    assert own.say(WAVE, CLOSE, ("enter",)) and own.say(WAVE, CLOSE, ("skip",))
    assert not own.say(WAVE, NEXT, ("enter",))
    assert own.say((ETH, -1, CLOSE), CLOSE, ("enter",))


def test_all_that_was_done_is_forgotten_at_once_a_day_after_the_waves_newest_candle() -> None:
    own = Dealings()
    own.of(WAVE, CLOSE).told = True
    own.upgrade(WAVE, CLOSE)
    own.say(WAVE, NEXT, ("enter",))
    choose(own, close_ms=NEXT + DAY_MS)
    assert own.told(WAVE) and own.reopens(WAVE, CLOSE)
    choose(own, close_ms=NEXT + DAY_MS + MINUTE_MS)
    assert not own.told(WAVE) and not own.reopens(WAVE, CLOSE)
    assert own.of(WAVE, CLOSE) == Dealing(newest_ms=CLOSE)


def test_a_wave_that_goes_on_for_days_is_not_said_again() -> None:
    own = Dealings()
    for day in range(4):
        choose(own, close_ms=CLOSE + day * DAY_MS)
        assert own.say(WAVE, CLOSE + day * DAY_MS, ("enter",)) is (day == 0)
