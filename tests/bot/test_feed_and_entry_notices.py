"""What the bot says about being ready, and that it says it once."""

from dataclasses import replace
from typing import Any

from liq_provider.bot.feed_and_entry_notices import FeedAndEntryNotices
from liq_provider.bot.messages import LIMIT
from liq_provider.measure.readiness import READY, Readiness, ReadinessReport
from tests.bot.helpers import settings
from tests.bot.markdown import shown

MINUTE = 60_000
CLOSE = 1_795_824_000_000  # 2026-11-28 00:00 UTC
COLD = Readiness("warming_up", "warming up: 1 of 72 baseline segments", CLOSE + 90 * MINUTE)
HOLE = Readiness("unknown", "okx: minute 2026-11-27 23:59 UTC is not known", CLOSE + 5 * MINUTE)
SILENT = Readiness("unknown", "okx is silent: no liquidations while there should be some")
THIN = Readiness("too_thin", "too thin")


class MinuteByMinute:
    """Minute after minute, what is said."""

    def __init__(self, **messages: Any) -> None:
        self.notices = FeedAndEntryNotices(settings(messages=messages))
        self.now_ms = CLOSE

    def __call__(
        self,
        whole: Readiness | None,
        problem: str | None = None,
        okx: Readiness = READY,
        passed_ms: int = MINUTE,
    ) -> list[str]:
        self.now_ms += passed_ms
        told = None
        if whole is not None:
            # Of a whole that is not the coin's own, see ``whole_readiness``.
            coin = whole
            venues = {"okx": okx, "bybit": whole if whole.condition == "warming_up" else READY}
            told = ReadinessReport(self.now_ms, whole, venues, {"BTC": coin}).as_json()
        messages = self.notices.changes(told, problem, {"BTC"}, self.now_ms)
        self.sent = [message for message in messages if message.send]
        for message in messages:
            shown(message.sendable)
            assert len(message.sendable) <= LIMIT
        return [message.logged or message.text for message in messages]


def test_warming_up_is_told_with_its_time_and_the_first_possible_entry_when_it_is() -> None:
    told = MinuteByMinute()
    assert told(None, "the sidecar has not settled a minute yet") == [
        "LiqTrend: no entries, the sidecar has not settled a minute yet. Stops and exits go on."
    ]
    assert told(COLD, okx=COLD) == [
        "LiqTrend: no entries before 2026-11-28 01:30 UTC (in 1 h 28 min), warming up: 1 of 72 "
        "baseline segments."
    ]
    assert told.sent
    assert told(READY) == ["LiqTrend: entries are possible."]
    assert told(READY) == []


def test_while_it_warms_up_the_log_alone_hears_of_it_again_and_seldom() -> None:
    told = MinuteByMinute()
    told(COLD, okx=COLD)
    said = [told(COLD, okx=COLD) for _ in range(70)]
    assert sum(map(len, said)) == 1
    (again,) = next(filter(None, said))
    assert again.startswith("LiqTrend: no entries before 2026-11-28 01:30 UTC (in 29 min), ")
    told = MinuteByMinute()
    told(COLD, okx=COLD)
    assert told(COLD, okx=COLD, passed_ms=61 * MINUTE)
    assert told.sent == []


def test_stale_data_is_told_once_and_that_it_is_over_as_well() -> None:
    told = MinuteByMinute()
    told(READY)
    old = "liquidation data is 91 s old (max_staleness_s)"
    assert told(READY, old) == [f"LiqTrend: no entries, {old}. Stops and exits go on."]
    assert told(READY, "liquidation data is 1200 s old (max_staleness_s)") == []
    assert told(READY) == ["LiqTrend: entries are possible again."]


def test_a_venue_that_goes_silent_and_comes_back_is_told_once_each() -> None:
    told = MinuteByMinute()
    told(READY)
    assert told(READY, okx=SILENT) == [f"LiqTrend: {SILENT.reason}. The other venues go on."]
    assert told(READY, okx=SILENT) == []
    assert told(READY) == ["LiqTrend: `okx` counts again."]
    assert told(READY) == []


def test_a_short_hole_says_from_when_the_venue_counts_again() -> None:
    told = MinuteByMinute()
    told(READY)
    assert told(READY, okx=HOLE) == [
        "LiqTrend: okx: minute 2026-11-27 23:59 UTC is not known. Its waves count again from "
        "2026-11-28 00:05 UTC. The other venues go on."
    ]
    assert told(READY) == ["LiqTrend: `okx` counts again."]


def test_a_venue_that_only_starts_is_no_news_and_one_that_never_comes_is() -> None:
    told = MinuteByMinute()
    late = replace(HOLE, from_ms=COLD.from_ms)
    assert len(told(COLD, okx=late)) == 1
    assert told(COLD, okx=late) == told(COLD, okx=COLD) == []
    told = MinuteByMinute()
    dead = Readiness("unknown", "okx is refused: 403")
    assert told(COLD, okx=dead)[1:] == ["LiqTrend: okx is refused: 403. The other venues go on."]
    assert told(COLD, okx=Readiness("unknown", "okx is refused: 404")) == []


def test_while_the_data_is_old_no_venue_is_spoken_of() -> None:
    told = MinuteByMinute()
    told(READY)
    assert len(told(READY, "the sidecar does not answer", okx=SILENT)) == 1
    assert len(told(READY, okx=SILENT)) == 2


def test_a_thin_coin_from_minute_to_minute_is_no_news() -> None:
    told = MinuteByMinute()
    assert "no entries yet" in told(THIN)[0]
    assert told(READY) == ["LiqTrend: entries are possible."]
    assert told(THIN) == told(READY) == told(THIN) == []


def test_a_sidecar_that_tells_nothing_of_it_is_believed_to_be_ready() -> None:
    told = MinuteByMinute()
    assert told(None) == ["LiqTrend: entries are possible."]


def test_the_report_of_an_older_minute_is_not_told_as_that_of_this_one() -> None:
    notices = FeedAndEntryNotices(settings())
    old = ReadinessReport(CLOSE, READY, {"okx": READY}, {"BTC": READY}).as_json()

    def told(report: Any, after_ms: int, computed_ms: int = CLOSE + 9 * MINUTE) -> list[str]:
        messages = notices.changes(report, None, {"BTC"}, CLOSE + after_ms, computed_ms)
        return [message.text for message in messages]

    # A sidecar came back after nine minutes; its features are there, its report in a moment.
    assert told(old, 0) == told(old, 2_000) == []
    new = ReadinessReport(CLOSE + 9 * MINUTE, COLD, {"okx": COLD}, {"BTC": COLD}).as_json()
    assert "no entries before 2026-11-28 01:30 UTC" in told(new, 2_500)[0]
    # One that writes reports no longer keeps nobody waiting.
    later = CLOSE + 10 * MINUTE
    assert told(new, 60_000, later) == []
    assert told(new, 160_000, later) == ["LiqTrend: entries are possible."]


def test_a_long_problem_is_cut_in_the_message_and_whole_in_the_log() -> None:
    problem = "the store does not answer: " + "_very*[long] " * 40
    told = MinuteByMinute()
    (logged,) = told(None, problem)
    assert problem in logged
    assert "Stops and exits go on." in shown(told.sent[0].sendable)


def test_it_can_be_kept_to_the_log() -> None:
    told = MinuteByMinute(data=False)
    told(READY)
    assert told.sent == []
