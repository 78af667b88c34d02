"""
What the page shows, made twice a second however many look: sections as JSON, numbered by version.

Viewers are sent the sections whose version changed; nothing is computed for a single one.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import orjson

from liq_provider.bot.rules_of_bots import Refusal, in_force_now, refusals_of, stops_in_force
from liq_provider.bot.snapshot import Snapshot
from liq_provider.config.measuring import feature_params_of
from liq_provider.config.pair_list_file import READS
from liq_provider.config.parameter_file import ParameterFile
from liq_provider.config.settings import Settings
from liq_provider.config.simulated_marks import is_here, mark, within
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.dashboard.account import Account
from liq_provider.dashboard.market_rows import SEGMENT, WINDOWS_MIN, MarketRows
from liq_provider.dashboard.queries import PageReader
from liq_provider.dashboard.signals import Stories, floor_words, signal, wave_words
from liq_provider.dashboard.tape import KEPT, Tape
from liq_provider.errors import LiqError
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.measure.readiness import Readiness, ReadinessReport, at_once, venues_now
from liq_provider.sidecar.pair_list import pair_list_of
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.settling_schedule import next_close
from liq_provider.store.readiness_facts import told as feeds_told
from liq_provider.store.simulated_spans import simulated_spans
from liq_provider.venues.registry import sampling_words

logger = logging.getLogger(__name__)

_EVERY_S = 0.5
_LEAST_S = 0.1
_JOIN_S = 2.0
_WANTED_S = 10.0
_ACCOUNT_S = 2.0
_IDLE_S = 30.0
_SLOW_S = 15.0
_OPENING_S = 10.0  # in which a store that is not open yet is no failure
_SIGNALS = 60
_WAVES = 40
_LOOKS = 200


class Board:
    """
    Two threads of its own fill it: one from the store, one from the bot.

    :param reader: of its own
    :param store_file: the store's file, None if it is no file
    :param now_ms: exchange time
    :param names: gives the pair that stands for a coin on the bot's exchange
    :param exchange_simulated: that exchange is none
    :param timeframe_ms: of the strategy's candles
    :param parameters: reads the file that Freqtrade would load
    """

    def __init__(
        self,
        reader: PageReader,
        settings: Settings,
        account: Account,
        store_file: Path | None,
        now_ms: Callable[[], int],
        names: Callable[[], Mapping[str, str]],
        *,
        exchange_simulated: bool = False,
        timeframe_ms: int = MINUTE_MS,
        parameters: Callable[[], ParameterFile | None] = lambda: None,
    ) -> None:
        self.tape = Tape()
        self.reader = reader
        self.settings = settings
        self.market = MarketRows(reader, settings, names)
        self._stories = Stories(reader)
        self._timeframe_ms = timeframe_ms
        self._parameters = parameters
        self._file: ParameterFile | None = None
        self._file_s = 0.0
        self._file_error = ""
        self._account = account
        self._exchange_simulated = exchange_simulated
        self._store_file = store_file
        self._now_ms = now_ms
        self._sections: dict[str, tuple[int, bytes]] = {}
        self._versions = 0
        self._running: deque[Running] = deque(maxlen=_LOOKS)
        self._anomalies: dict[tuple[str, str], dict[str, Any]] = {}
        self._sidecar: Mapping[str, Any] = {}
        self._slow: dict[str, Any] = {}
        self._slow_s = 0.0
        self._stored_simulated: tuple[str, ...] = ()
        self._remembered = False
        self._wanted_s: dict[int, float] = {}
        self._ended = threading.Event()
        self._made_s = self._started_s = time.monotonic()
        self._wake = {"store": threading.Event(), "bot": threading.Event()}
        self._threads = [
            threading.Thread(target=self._repeat, args=work, daemon=True, name=f"page {work[0]}")
            for work in (
                ("store", self._look, lambda: _EVERY_S),
                ("bot", self._ask_bot, self._bot_every_s),
            )
        ]

    def start(self) -> None:
        """Begin to fill it."""
        self._started_s = time.monotonic()
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """End the threads; one that waits for a bot is left to itself, and ends with us."""
        self._ended.set()
        for event in self._wake.values():
            event.set()
        for thread in self._threads:
            if thread.is_alive():
                thread.join(_JOIN_S)
        self.reader.close()

    # -- from the sidecar ----------------------------------------------------------------

    def take_status(self, sidecar: Mapping[str, Any]) -> None:
        """The sidecar's status of this moment."""
        self._sidecar = sidecar

    def take_running(self, running: Running) -> None:
        """What the running minute shows."""
        self._running.append(running)
        self._wake["store"].set()

    @property
    def whitelist(self) -> frozenset[str]:
        """The bot's pairs, as it told them last; empty if it never did."""
        return self._account.whitelist

    @property
    def pair_list(self) -> Mapping[str, Any]:
        """The list of pairs as the sidecar told it last."""
        return pair_list_of(self._sidecar)

    @property
    def simulated(self) -> str | None:
        """What is to be said of data that never happened, None if all of it did."""
        words: str | None = self._simulated()["words"]
        return words

    @property
    def in_force(self) -> RulesInForce:
        """The bot's rules; the configured ones while no bot is there, or several differ."""
        known = in_force_now(
            self._sidecar.get("bots", ()),
            self.settings,
            self._timeframe_ms,
            self._parameter_file,
        )
        if known.whitelist is None and self.whitelist and not self._is_of_market:
            return replace(known, whitelist=self.whitelist)
        return known

    @property
    def _is_of_market(self) -> bool:
        """A bot's list is that of the moment, so whoever is not on it is traded, too."""
        return any(bot.get(READS) is True for bot in self._sidecar.get("bots", ()))

    @property
    def refusals(self) -> Mapping[tuple[str, int], Refusal]:
        """Which of its own gates kept the bot from an entry, by pair and candle."""
        return refusals_of(self._sidecar.get("bots", ()))

    @property
    def settings_in_force(self) -> Settings:
        """With the rules in force, and with the stops of whoever they are."""
        stops = stops_in_force(
            self._sidecar.get("bots", ()),
            self.settings,
            self._timeframe_ms,
            self._parameter_file,
        )
        return self.in_force.applied_to(self.settings).model_copy(update=stops)

    def _parameter_file(self) -> ParameterFile | None:
        """Read now and then; what Freqtrade could not use is said once and left out."""
        if time.monotonic() >= self._file_s:
            try:
                self._file, error = self._parameters(), ""
            except LiqError as problem:
                self._file, error = None, str(problem)
            if error and error != self._file_error:
                logger.warning("The page: %s", error)
            self._file_error = error
            self._file_s = time.monotonic() + _SLOW_S
        return self._file

    # -- for viewers -----------------------------------------------------------------------

    def section(self, name: str) -> tuple[int, bytes]:
        """:return: version and JSON; version 0 while there is nothing"""
        return self._sections.get(name, (0, b"null"))

    def beat(self) -> dict[str, Any]:
        """:return: what time it is, and how old everything that comes from the store is"""
        return {"now_ms": self._now_ms(), "age_s": round(time.monotonic() - self._made_s, 1)}

    def want(self, window_min: int) -> None:
        """Somebody looks at this window of the market table."""
        first = not self._looked_at()
        self._wanted_s[window_min] = time.monotonic()
        if first:
            self._wake["bot"].set()

    # -- the threads -----------------------------------------------------------------------

    def _repeat(self, name: str, work: Callable[[], None], every_s: Callable[[], float]) -> None:
        failed = ""
        while not self._ended.is_set():
            begun_s = time.monotonic()
            try:
                work()
                failed = ""
            except LiqError as error:
                if str(error) != failed and begun_s - self._started_s > _OPENING_S:
                    logger.warning("The page (%s): %s", name, error)
                failed = str(error)
            except Exception as error:
                # A page that stops is no reason to stop recording.
                if repr(error) != failed:
                    logger.exception("The page (%s) failed", name)
                failed = repr(error)
            self._put(f"problem {name}", failed or None)
            # Not at once again, however often it is woken: others need the processor, too.
            took_s = time.monotonic() - begun_s
            self._ended.wait(max(_LEAST_S, took_s))
            self._wake[name].wait(max(every_s() - took_s - _LEAST_S, 0.0))
            self._wake[name].clear()

    def _bot_every_s(self) -> float:
        """The bot has better things to do than to answer a page that nobody looks at."""
        return _ACCOUNT_S if self._looked_at() else _IDLE_S

    def _ask_bot(self) -> None:
        report = self._account.report(self.settings_in_force)
        self._put("account", report | {"exchange_simulated": self._exchange_simulated})

    def _look(self) -> None:
        now_ms = self._now_ms()
        close_ms = next_close(now_ms)
        if not self._remembered:
            self.tape.remember(self.reader.newest_liquidations(now_ms - HOUR_MS, KEPT))
            self._remembered = True
        facts = self.reader.states(["computed_ms", "readiness"])
        computed_ms = int(facts.get("computed_ms") or 0)
        self._put("status", self._status(now_ms, computed_ms, facts.get("readiness")))
        self._take_running(close_ms)
        self.market.refresh(close_ms, computed_ms)
        for minutes in self._looked_at():
            self._put(f"market {minutes}", self.market.section(minutes))
        self._put("waves", self._waves(now_ms))
        rows = self.reader.newest_verdicts(now_ms - DAY_MS, _SIGNALS + 1)
        in_force, shown = self.in_force, rows[:_SIGNALS]
        stories = self._stories.of(shown, in_force, self.refusals)
        signals = [signal(row, story) for row, story in zip(shown, stories, strict=True)]
        more = len(rows) > _SIGNALS
        self._put("signals", {"rows": signals, "more": more, "rules_of": in_force.owner})
        self._made_s = time.monotonic()

    def _looked_at(self) -> list[int]:
        since_s = time.monotonic() - _WANTED_S
        return [n for n in (SEGMENT, *WINDOWS_MIN) if self._wanted_s.get(n, 0.0) >= since_s]

    def _take_running(self, close_ms: int) -> None:
        while self._running:
            running = self._running.popleft()
            self.market.take(running)
            for base in running.rows:
                for direction in ("LONG", "SHORT"):
                    self._anomalies.pop((base, direction), None)
            for minute in running.anomalies:
                self._anomalies[minute.base_asset, minute.direction] = {
                    "base_asset": minute.base_asset,
                    "pair": running.pairs[minute.base_asset],
                    "direction": minute.direction,
                    "strength": minute.strength.word,
                    "start_ms": minute.wave_start_ms,
                    "last_ms": minute.close_ms,
                    "peak_z": minute.z,
                    "peak_usd": minute.notional_usd,
                    "seen": minute.seen,
                }
        self._anomalies = {
            key: row for key, row in self._anomalies.items() if row["last_ms"] >= close_ms
        }

    def _waves(self, now_ms: int) -> dict[str, Any]:
        """The running minute's first; those are not settled, and may still come to nothing."""
        settled = self.reader.waves(now_ms - DAY_MS, limit=_WAVES + 1)
        more, settled = len(settled) > _WAVES, settled[:_WAVES]
        running = [{**row, "settled": False} for row in self._anomalies.values()]
        begun = {(row["base_asset"], row["direction"], row["start_ms"]) for row in settled}
        names = (
            *("base_asset", "pair", "direction", "strength", "start_ms", "last_ms"),
            *("peak_z", "peak_usd", "seen"),
        )
        rows = [
            *(
                row
                for row in running
                if (row["base_asset"], row["direction"], row["start_ms"]) not in begun
            ),
            *({**{name: row[name] for name in names}, "settled": True} for row in settled),
        ]
        rows = [row | wave_words(row, self.settings.zscore) for row in rows]
        return {"rows": rows, "more": more, "floor": floor_words(self.settings)}

    def _status(
        self, now_ms: int, computed_ms: int, readiness: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        if time.monotonic() >= self._slow_s:
            venues = self.settings.venues.enabled
            self._slow = {
                # Up to what is settled: of what is younger nobody claims to know all.
                "coverage_24h": self.reader.known_shares(venues, computed_ms - DAY_MS, computed_ms)
                if computed_ms
                else {},
                "totals_24h": {
                    venue: {"count": count, "usd": round(usd)}
                    for venue, (count, usd) in self.reader.venue_totals(now_ms - DAY_MS).items()
                },
                "store_bytes": self._store_bytes(),
            }
            baseline_ms = max(self.settings.baseline_ms, DAY_MS)
            self._stored_simulated = within(
                simulated_spans(self.reader), now_ms - baseline_ms, now_ms
            )
            self._slow_s = time.monotonic() + _SLOW_S
        return {
            "sidecar": self._sidecar,
            "computed_ms": computed_ms,
            "readiness": self._ready(now_ms, computed_ms, readiness),
            "simulated": self._simulated(),
            "sampled": sampling_words(self.settings.venues.enabled),
            **self._slow,
        }

    def _ready(
        self, now_ms: int, computed_ms: int, told: Mapping[str, Any] | None
    ) -> dict[str, Any]:
        """What is possible now: the newest settled minute's report, and what came since."""
        problem = Snapshot(computed_ms, 0, self._sidecar).problem(now_ms, self.settings)
        if told is None:
            unknown = Readiness("unknown", "no minute was judged yet")
            return {
                "whole": at_once(unknown, problem).as_json(),
                "venues": {},
                "coins": {},
                "uncounted": {},
            }
        report = ReadinessReport.of_json(told)
        coins = {base_asset_of_pair(pair) for pair in self.whitelist}
        if coins and not self._is_of_market:
            report = report.for_coins(coins, feature_params_of(self.settings))
        facts = feeds_told(self._sidecar)
        venues = venues_now(report.venues, {name: fact.trouble for name, fact in facts.items()})
        return {
            "whole": at_once(report.whole, problem).as_json(),
            "venues": {name: one.as_json() for name, one in venues.items()},
            "coins": report.counts(),
            "uncounted": {name: len(coins) for name, coins in report.uncounted.items()},
        }

    def _simulated(self) -> dict[str, Any]:
        """What is fed from this machine now, and what the store has of such feeds."""
        feeds = self._sidecar.get("feeds", {})
        names = {name for name, feed in feeds.items() if is_here(feed["url"])}
        names |= set(self._stored_simulated)
        return {"venues": sorted(names), "words": mark(names, self.settings.venues.enabled)}

    def _store_bytes(self) -> int | None:
        if self._store_file is None:
            return None
        files = [self._store_file, *(self._store_file.with_name(self._store_file.name + e)
                                     for e in ("-wal", "-shm"))]  # fmt: skip
        return sum(path.stat().st_size for path in files if path.exists())

    def _put(self, name: str, value: Any) -> None:
        text = orjson.dumps(value)
        _, known = self._sections.get(name, (0, b""))
        if text != known:
            self._versions += 1
            self._sections[name] = (self._versions, text)
