"""Says in words what happens, by watching the store and the bot's trade database."""

import json
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np
from rich.table import Table
from sqlalchemy import create_engine, text
from sqlalchemy.exc import DBAPIError
from sqlalchemy.pool import NullPool

from liq_provider.bot.rules_of_bots import as_the_bot_did, in_force_now, refusals_of
from liq_provider.commands.support.entry_possible import listed_pairs, readiness_now
from liq_provider.config.measuring import floor_of
from liq_provider.config.parameter_file import parameter_file
from liq_provider.config.settings import Settings
from liq_provider.core.clock import machine_ms
from liq_provider.core.durations import FOREVER_MS, MINUTE_MS
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import timeframe_ms
from liq_provider.judge.decisions import CandleTrend, decide
from liq_provider.judge.gates import tell
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_story import read_story
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.scales import score_words
from liq_provider.measure.waves import Strength, passes, score
from liq_provider.store.reader import Reader

_TRADES = text(
    "SELECT id, pair, is_short, enter_tag, open_rate, stop_loss, is_stop_loss_trailing, "
    "is_open, close_rate, exit_reason, close_profit, close_profit_abs "
    "FROM trades WHERE open_rate IS NOT NULL ORDER BY id"
)


# A trailing stop moves in every loop; a line for every so many percent is enough.
_STOP_STEP = 0.004
_FARTHEST = 0.5

# While nothing but the countdown changes, it is said so often.
_COUNTDOWN_S = 300.0
_LOOK_S = 5.0

# A segment that is turned away overlaps with the next ones, which are turned away as well.
_REPEAT_MS = 600_000


@dataclass(slots=True)
class Tally:
    """
    What was seen.

    :param refused: waves and anomalies without an entry, with the reason
    """

    entered: dict[int, Mapping[str, Any]] = field(default_factory=dict)
    refused: dict[tuple[str, str, int], str] = field(default_factory=dict)
    verdicts: int = 0


class Narrator:
    """
    :param reader: the store
    :param trades_db: Freqtrade's SQLite database
    :param since_ms: minutes that close after it are told, and verdicts that held then or later
    :param config: Freqtrade's configuration, for the rules while no bot tells its own
    :param base_dir: parent of user_data
    """

    def __init__(
        self,
        reader: Reader,
        settings: Settings,
        trades_db: Path,
        since_ms: int,
        config: Mapping[str, Any] | None = None,
        base_dir: Path = Path(),
    ) -> None:
        self.tally = Tally()
        self._config: Mapping[str, Any] = config or {}
        self._base_dir = base_dir
        self._reader = reader
        self._settings = settings
        self._trades_db = trades_db
        self._engine = create_engine(f"sqlite:///{trades_db}", poolclass=NullPool)
        self._since_ms = since_ms
        self._features_ms = since_ms
        self._seen_verdicts: set[tuple[Any, ...]] = set()
        self._turned_away: set[tuple[str, bool, int]] = set()
        self._stops: dict[int, float] = {}
        self._closed: set[int] = set()
        self._feeds: dict[str, str] = {}
        self._page: str | None = None
        self._kind: tuple[str, bool] | None = None
        self._said_s = 0.0
        self._look_s = 0.0
        self._blind: dict[str, bool] = {}

    def news(self) -> Iterator[str]:
        """:return: what happened since the last call, one line each"""
        try:
            yield from self._feed_changes()
            yield from self._readiness_changes()
            yield from self._new_verdicts()
            yield from self._refused_segments()
        except StoreError as error:
            yield f"store      {error}"
        yield from self._trade_changes()

    def _feed_changes(self) -> Iterator[str]:
        sidecar = self._reader.states(["sidecar"]).get("sidecar") or {}
        for name, feed in sidecar.get("feeds", {}).items():
            if self._feeds.get(name) != feed["state"]:
                self._feeds[name] = feed["state"]
                yield f"feed       {name}: {feed['state']}, {feed['detail']}"
        page = (sidecar.get("dashboard") or {}).get("url")
        if page and page != self._page:
            self._page = page
            yield f"dashboard  {page}"

    def _readiness_changes(self) -> Iterator[str]:
        """A change at once; while nothing changes but the numbers, the countdown now and then."""
        # Before there is a sidecar there is nothing to be told that is not about to change.
        if time.monotonic() < self._look_s or not self._feeds:
            return
        self._look_s = time.monotonic() + _LOOK_S
        now_ms = machine_ms()
        report = readiness_now(self._reader, self._settings, now_ms)
        whole = report.whole
        kind = (whole.condition, whole.from_ms is None)
        due = not whole.ready and time.monotonic() - self._said_s >= _COUNTDOWN_S
        if due or kind != self._kind:
            self._kind, self._said_s = kind, time.monotonic()
            yield f"entries    {whole.words(now_ms)}"
        for name, venue in report.venues.items():
            blind, before = venue.condition == "unknown", self._blind.get(name)
            # One that was not heard yet is no news: its feed is told of as it connects.
            if blind and before is None:
                continue
            self._blind[name] = blind
            if before is not None and blind != before:
                yield f"venue      {venue.words(now_ms) if blind else f'{name} counts again'}"

    def _new_verdicts(self) -> Iterator[str]:
        for row in self._reader.verdicts(self._since_ms, FOREVER_MS):
            key = (row["symbol"], row["direction"], row["wave_start_ms"], row["available_at"])
            if key in self._seen_verdicts:
                continue
            self._seen_verdicts.add(key)
            self.tally.verdicts += 1
            name = f"{row['symbol']} {row['direction']}"
            yield f"wave       {name}: {row['liq_note']}; {row['trend_note']}"
            in_force = self._in_force()
            told = read_story(self._reader, row, in_force, in_force.lists(row["symbol"]))
            story = as_the_bot_did(told, row["symbol"], refusals_of(self._bots()))
            yield f"verdict    {name}: {story.words}; {row['judge']}: {row['action_reason']}"
            wave = (row["symbol"], row["direction"], row["wave_start_ms"])
            if story.enters:
                self.tally.refused.pop(wave, None)
            else:
                self.tally.refused[wave] = story.refused_by or ""

    def _refused_segments(self) -> Iterator[str]:
        """Anomalous by their score but turned away before there was anything to judge."""
        computed_ms = int(self._reader.states(["computed_ms"]).get("computed_ms") or 0)
        if computed_ms <= self._features_ms:
            return
        features = self._reader.features(None, self._features_ms + 1, computed_ms)
        self._features_ms = computed_ms
        floor, in_force = floor_of(self._settings), self._in_force()
        own = in_force.rules.thresholds
        for base, rows in features.items():
            measured = score(rows, own)
            passed = passes(rows, own)
            turned_away = passed.z & (passes(rows, floor).strength == Strength.NONE)
            for row in turned_away.nonzero()[0]:
                usd = rows.long_usd[row] + rows.short_usd[row]
                why = _unjudged(rows, int(row), in_force)
                rich = bool(passed.qualifies[row])
                # Each reason once in ten minutes: a segment that is too small hides no mixed one.
                close_ms = int(rows.close_ms[row])
                reason = (base, rich, close_ms // _REPEAT_MS)
                if reason not in self._turned_away:
                    self._turned_away.add(reason)
                    self.tally.refused[base, "-", close_ms] = why
                    height = score_words(own.zscore, measured[row])
                    yield f"refused    {base}: {height}, ${usd:,.0f}, but {why}"

    def _bots(self) -> Sequence[Mapping[str, Any]]:
        """What the bots that are there tell of themselves."""
        sidecar = self._reader.states(["sidecar"]).get("sidecar") or {}
        return tuple(sidecar.get("bots", ()))

    def _in_force(self) -> RulesInForce:
        """The bot's rules, as it tells them; else those that it will have."""
        return in_force_now(
            self._bots(),
            self._settings,
            timeframe_ms(str(self._config.get("timeframe") or "1m")),
            lambda: parameter_file(self._config, self._base_dir),
            listed_pairs(self._config),
        )

    def _trade_changes(self) -> Iterator[str]:
        for trade in self.trades():
            number, stop = trade["id"], trade["stop_loss"]
            head = f"{trade['pair']} {'SHORT' if trade['is_short'] else 'LONG'}"
            if number not in self.tally.entered:
                yield f"entry      {head} at {trade['open_rate']:g} ({trade['enter_tag']})"
            # Until the strategy is asked, Freqtrade's own stop stands, at nearly nothing.
            placed = abs(stop / trade["open_rate"] - 1) < _FARTHEST
            if placed and number not in self._stops:
                yield f"stop       {head}: fallback stop at {stop:g}"
                self._stops[number] = stop
            elif placed and trade["is_open"] and self._moved(number, stop):
                yield f"stop       {head}: trailing, now at {stop:g}"
                self._stops[number] = stop
            self.tally.entered[number] = trade
            if not trade["is_open"] and number not in self._closed:
                self._closed.add(number)
                yield (
                    f"exit       {head} at {trade['close_rate']:g}, {exit_words(trade)}, "
                    f"{trade['close_profit']:+.2%}"
                )

    def _moved(self, number: int, stop: float) -> bool:
        return abs(stop / self._stops[number] - 1) >= _STOP_STEP

    def trades(self) -> list[Mapping[str, Any]]:
        """:return: all trades of the bot; empty while there is no database yet"""
        if not self._trades_db.exists():
            return []
        try:
            with self._engine.connect() as connection:
                return [dict(row._mapping) for row in connection.execute(_TRADES)]
        except DBAPIError:
            return []  # the bot has not made its tables yet


def _unjudged(rows: FeatureRows, row: int, in_force: RulesInForce) -> str:
    """:return: why a minute was no wave"""
    unknown = np.array([np.nan])
    decisions = decide(
        rows.close_ms[[row]], rows, CandleTrend(unknown, unknown), (), in_force.rules, "live"
    )
    # Whether a candle closed then is another matter.
    story = tell(decisions, 0, replace(in_force, timeframe_ms=MINUTE_MS), "live")
    return story.refused_by or ""


def exit_words(trade: Mapping[str, Any]) -> str:
    """:return: why a trade was closed; of the two stops, which one"""
    reason = str(trade["exit_reason"])
    if "stop" not in reason:
        return reason
    name = "trailing stop" if trade["is_stop_loss_trailing"] else "fallback stop"
    return f"{name} on exchange" if "exchange" in reason else name


def clock_text(now: datetime | None = None) -> str:
    """:return: UTC time of day for the start of a line"""
    return (now or datetime.now(UTC)).strftime("%H:%M:%S")


def write_json(path: Path, value: Mapping[str, Any]) -> None:
    """Write a configuration file."""
    path.write_text(json.dumps(value, indent=4) + "\n", encoding="utf-8")


def summary_table(narrator: Narrator, title: str) -> Table:
    """:return: all trades, narrow enough for 80 columns"""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False)
    for heading in ("pair", "side", "signal", "entry", "exit", "reason", "profit"):
        table.add_column(heading, no_wrap=True)
    for trade in narrator.trades():
        closed = not trade["is_open"]
        table.add_row(
            str(trade["pair"]).partition(":")[0],
            "short" if trade["is_short"] else "long",
            " ".join(str(trade["enter_tag"]).split("_")[2:]),
            f"{trade['open_rate']:g}",
            f"{trade['close_rate']:g}" if closed else "open",
            exit_words(trade).removesuffix(" on exchange") if closed else "",
            f"{trade['close_profit']:+.2%}" if closed else "",
        )
    return table
