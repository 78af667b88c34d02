"""
What the bot says about being ready, once each: entries that become possible or stop being so,
and venues that are lost and come back.
"""

from collections.abc import Collection, Mapping
from typing import Any

from liq_provider.bot.messages import Message, code, with_tail
from liq_provider.config.measuring import feature_params_of
from liq_provider.config.settings import Settings
from liq_provider.core.durations import HOUR_MS
from liq_provider.core.moments import moment
from liq_provider.measure.readiness import READY, Readiness, ReadinessReport, at_once

# How often the log says that there are no entries yet, and from when.
_REPEAT_MS = HOUR_MS

# A sidecar whose reports do not come any more is taken for one that writes none.
_BEHIND_MS = 90_000

_REST = "Stops and exits go on."


class FeedAndEntryNotices:
    """
    :param send: False keeps everything to the log
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._send = settings.messages.data
        self._windows = feature_params_of(settings)
        self._parsed_for: tuple[int, frozenset[str] | None] | None = None
        self._report: ReadinessReport | None = None
        self._kind: str | None = None
        self._was_ready = False
        self._said_ms = 0
        self._behind_ms = 0
        # Per venue: why it is not heard, empty if it is, None while it only starts.
        self._blind: dict[str, str | None] = {}

    def changes(
        self,
        told: Mapping[str, Any] | None,
        problem: str | None,
        coins: Collection[str] | None,
        now_ms: int,
        computed_ms: int = 0,
    ) -> list[Message]:
        """
        :param told: the sidecar's newest report, None if it wrote none yet
        :param problem: why this bot would enter nothing whatever the minutes say
        :param coins: of the whitelist; None for all that the sidecar reports
        :param computed_ms: close of the newest minute whose features are complete
        :return: what changed
        """
        if problem is None and told is not None and int(told["close_ms"]) < computed_ms:
            # A minute's report comes a moment after its features; before a restart's first one
            # the old one would say what was.
            self._behind_ms = self._behind_ms or now_ms
            if now_ms - self._behind_ms < _BEHIND_MS:
                return []
            told = None
        else:
            self._behind_ms = 0
        report = self._parsed(told, None if coins is None else frozenset(coins))
        whole = at_once(READY if report is None else report.whole, problem)
        change = self._whole(whole, now_ms)
        messages = [] if change is None else [change]
        # Otherwise that message names them, or what they were last is not what they are.
        if report is not None and whole.condition in ("ready", "warming_up", "too_thin"):
            for name, venue in report.venues.items():
                message = self._venue(name, venue)
                messages += [] if message is None else [message]
        return messages

    def _parsed(
        self, told: Mapping[str, Any] | None, coins: frozenset[str] | None
    ) -> ReadinessReport | None:
        if told is None:
            return None
        wanted = (int(told["close_ms"]), coins)
        if self._parsed_for != wanted:
            self._parsed_for = wanted
            report = ReadinessReport.of_json(told)
            self._report = report if coins is None else report.for_coins(coins, self._windows)
        return self._report

    def _whole(self, whole: Readiness, now_ms: int) -> Message | None:
        if whole.condition == "too_thin" and self._was_ready:
            return None  # one coin more or less, from minute to minute
        kind = _undated(whole.reason) if whole.condition == "blocked" else whole.condition
        before, self._kind = self._kind, kind
        if whole.ready:
            if before == kind:
                return None
            again, self._was_ready = " again" if self._was_ready else "", True
            return Message(f"LiqTrend: entries are possible{again}.", send=self._send)
        if before != kind:
            self._said_ms = now_ms
            return self._no_entries(whole, now_ms, self._send)
        if whole.condition != "blocked" and now_ms - self._said_ms >= _REPEAT_MS:
            self._said_ms = now_ms
            return self._no_entries(whole, now_ms, False)
        return None

    def _no_entries(self, whole: Readiness, now_ms: int, send: bool) -> Message:
        if whole.condition == "blocked":
            words = f"no entries, {{}}. {_REST}"
        elif whole.from_ms is None:
            words = "no entries yet, {}."
        else:
            words = f"no entries before {moment(whole.from_ms)} ({whole.countdown(now_ms)}), {{}}."
        return Message(
            "LiqTrend: " + words.format(code(whole.reason, 240 - len(words))),
            warning=whole.condition in ("blocked", "unknown"),
            send=send,
            logged="LiqTrend: " + words.format(whole.reason),
        )

    def _venue(self, name: str, venue: Readiness) -> Message | None:
        blind = venue.reason if venue.condition == "unknown" else ""
        begins = name not in self._blind
        before = self._blind.get(name)
        if begins and blind and venue.from_ms is not None:
            self._blind[name] = None  # it was connected a moment ago
            return None
        if before is None and blind and not begins and venue.from_ms is not None:
            return None
        self._blind[name] = blind
        if blind and (before is None or _undated(blind) != _undated(before)):
            return self._lost(venue, send=self._send and not before)
        if before and not blind:
            return Message(f"LiqTrend: {code(name, 20)} counts again.", send=self._send)
        return None

    def _lost(self, venue: Readiness, send: bool) -> Message:
        rest = "The other venues go on."
        if venue.from_ms is not None:
            rest = f"Its waves count again from {moment(venue.from_ms)}. {rest}"
        return Message(
            with_tail(f"LiqTrend: a venue does not count. {rest} ", venue.reason),
            warning=True,
            send=send,
            logged=f"LiqTrend: {venue.reason}. {rest}",
        )


def _undated(reason: str) -> str:
    """A reason whose numbers alone changed is not said again."""
    return "".join(c for c in reason if not c.isdigit())
