"""
The sidecar: feeds, ingest, settling and judging, wired together in one event loop.

All writes go through one thread, so that what was received before a minute was settled is also
stored before it is settled.
"""

import asyncio
import logging
import os
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ccxt.base.errors import BaseError

from liq_provider import __version__
from liq_provider.clock import ExchangeClock
from liq_provider.coverage import CoverageTracker
from liq_provider.enrich.exchange import BotExchange, load_venue_markets, timeframe_ms
from liq_provider.errors import SettingsError, StoreError
from liq_provider.features import windows_of
from liq_provider.ingest import Ingest, Spool
from liq_provider.judging import Judging
from liq_provider.liquidation import MINUTE_MS
from liq_provider.markets import MarketTable
from liq_provider.runtime import RuntimeFiles
from liq_provider.settings import Settings, load_settings, resolve_store
from liq_provider.settling import Settled, Settler
from liq_provider.status import feed_report
from liq_provider.store.booking import BookingRules
from liq_provider.store.engine import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.stream import Feed, SilenceJudge, Timing
from liq_provider.venues import VENUES

logger = logging.getLogger(__name__)

_STATUS_S = 5.0
_CLOCK_S = 300.0
_MARKETS_S = 3_600.0
_MARKETS_RETRY_S = 60.0


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """
    :param files: lock, log, spool and heartbeats beside the store
    :param exchange: Freqtrade's section ``exchange``, without credentials
    :param idle_exit: end when no bot has been seen for ``idle_exit_min``
    """

    settings: Settings
    store_url: str
    files: RuntimeFiles
    exchange: Mapping[str, Any]
    timeframe: str
    idle_exit: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any], *, idle_exit: bool = False) -> "SidecarConfig":
        """
        :param config: Freqtrade's configuration, or what the bot sends (``base_dir`` in it)
        :raises SettingsError: a key is wrong
        """
        settings = load_settings(config)
        base_dir = Path(config.get("base_dir") or ".").resolve()
        store_url = resolve_store(settings, base_dir)
        exchange = config.get("exchange") or {}
        if not exchange.get("name"):
            raise SettingsError("exchange.name: missing; candles come from the bot's exchange")
        return cls(
            settings,
            store_url,
            RuntimeFiles.of(store_url, base_dir),
            exchange,
            str(config.get("timeframe") or "1m"),
            idle_exit,
        )


@dataclass(slots=True)
class _Venue:
    feed: Feed
    tracker: CoverageTracker
    markets: int = 0
    markets_error: str | None = None


class Sidecar:
    """One run of the sidecar; ``run`` returns when it was asked to stop."""

    def __init__(self, config: SidecarConfig) -> None:
        self._config = config
        self._settings = config.settings
        self._clock = ExchangeClock()
        self._started_ms = self._clock.now_ms()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._asking = ThreadPoolExecutor(8, thread_name_prefix="exchange")
        settings = config.settings
        rules = BookingRules(settings.settle_ms, round(settings.max_late_s * 1000))
        self._writer = Writer(open_engine(config.store_url), rules, settings.min_event_usd)
        self._writer.refuse_if_stale()
        self._reader = Reader(config.store_url)
        self._ingest = Ingest(self._writer, self._writing, Spool(config.files.spool))
        self._settler = Settler(self._writer, self._reader, settings)
        exchange = config.exchange
        self._exchange = BotExchange(exchange["name"], exchange.get("ccxt_config"))
        self._judging = Judging(
            self._writer,
            self._exchange,
            settings,
            config.timeframe,
            timeframe_ms(config.timeframe),
            self._clock.now_ms,
            self._writing,
            self._asking,
        )
        self._venues = self._make_venues()
        self._stop = asyncio.Event()
        self._last_settled: Settled | None = None
        self._unsettled = 0
        self._tasks: set[asyncio.Task[Any]] = set()

    def stop(self) -> None:
        """Ask the sidecar to end; what was received is still stored."""
        self._stop.set()

    async def run(self) -> None:
        """Work until ``stop`` is called or, if so configured, no bot is left."""
        logger.info(
            "LiqTrend sidecar %s, store %s, venues %s",
            __version__,
            self._config.files.prefix,
            ", ".join(self._venues),
        )
        await self._measure_clock()
        workers = [
            self._ingest.run(),
            self._settle_loop(),
            self._status_loop(),
            self._repeat(self._measure_clock, _CLOCK_S),
            self._pairs_loop(),
            *(self._markets_loop(name) for name in self._venues),
            *(venue.feed.run() for venue in self._venues.values()),
        ]
        tasks = [asyncio.create_task(worker) for worker in workers]
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, stopping, *self._tasks]:
            task.cancel()
        await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)
        await self._last_words()
        for task in done - {stopping}:
            task.result()  # a worker that ended by itself failed; say so

    # -- feeds ----------------------------------------------------------------------------

    def _make_venues(self) -> dict[str, _Venue]:
        silence = SilenceJudge()
        timing = Timing(prove_wait_s=0.45 * self._settings.settle_s)
        found = {}
        for name in self._settings.venues.enabled:
            venue = VENUES[name]
            tracker = CoverageTracker(name)
            table = MarketTable(name, self._reader.markets(name))
            url = getattr(self._settings.venues, name).url or venue.url
            feed = Feed(venue, url, table, self._clock.now_ms, self._take, tracker, silence, timing)
            found[name] = _Venue(feed, tracker, len(table))
        return found

    def _take(self, liquidations: Any, since_ms: int) -> None:
        self._ingest.put(liquidations, since_ms)

    async def _markets_loop(self, name: str) -> None:
        venue, settings = self._venues[name], getattr(self._settings.venues, name)
        loop = asyncio.get_running_loop()
        while True:
            wait_s = _MARKETS_S
            try:
                found = await loop.run_in_executor(self._asking, load_venue_markets, name, settings)
                venue.feed.update_markets(MarketTable(name, found))
                venue.markets, venue.markets_error = len(found), None
                await loop.run_in_executor(self._writing, self._writer.put_markets, name, found)
            except (BaseError, StoreError) as error:
                wait_s = _MARKETS_RETRY_S
                if venue.markets_error is None:
                    logger.warning("Market list of %s: %s", name, error)
                venue.markets_error = str(error)
            await asyncio.sleep(wait_s)

    async def _pairs_loop(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                self._settler.pairs = await loop.run_in_executor(
                    self._asking, self._exchange.pairs_by_coin
                )
                await asyncio.sleep(_MARKETS_S)
            except BaseError as error:
                logger.warning("Market list of %s: %s", self._exchange.name, error)
                await asyncio.sleep(_MARKETS_RETRY_S)

    async def _measure_clock(self) -> None:
        loop = asyncio.get_running_loop()
        try:
            await loop.run_in_executor(self._asking, self._clock.measure, self._exchange.time_ms)
        except BaseError as error:
            logger.warning("The time of %s: %s", self._exchange.name, error)
        skew_ms = self._clock.skew_ms
        if skew_ms is not None and abs(skew_ms) > self._settings.max_skew_ms:
            logger.error(
                "This machine's clock is %+.1f s off the exchange's; no entries until it is set "
                "(max_skew_ms)",
                skew_ms / 1000,
            )

    # -- minutes --------------------------------------------------------------------------

    async def _settle_loop(self) -> None:
        close_ms = _next_close(self._clock.now_ms())
        while True:
            # Venues send up to a second after the trade, so an earlier proof would say less.
            await self._sleep_until(close_ms + self._settings.settle_ms // 2)
            proofs = asyncio.gather(*(v.feed.prove() for v in self._venues.values()))
            await self._sleep_until(close_ms + self._settings.settle_ms)
            await proofs
            settled = await self._settle(close_ms)
            if settled is not None:
                self._last_settled = settled
                task = asyncio.create_task(self._judging.judge(settled))
                self._tasks.add(task)
                task.add_done_callback(self._tasks.discard)
            close_ms = self._after(close_ms)

    async def _settle(self, close_ms: int) -> Settled | None:
        stored = await self._ingest.flush()
        for venue in self._venues.values():
            venue.tracker.seal(close_ms)
        if stored:
            coverage = {name: v.tracker.changed() for name, v in self._venues.items()}
            try:
                return await asyncio.get_running_loop().run_in_executor(
                    self._writing, self._settler.settle, close_ms, coverage, self._clock.now_ms()
                )
            except StoreError as error:
                logger.error("The minute before %s could not be settled: %s", close_ms, error)
        self._give_up(close_ms - MINUTE_MS, close_ms)
        return None

    def _after(self, close_ms: int) -> int:
        """The next close; after a standstill the minutes in between were known to nobody."""
        following = close_ms + MINUTE_MS
        now_close = _next_close(self._clock.now_ms() - self._settings.settle_ms - MINUTE_MS)
        if now_close > following:
            logger.warning("%d minutes were missed", (now_close - following) // MINUTE_MS)
            self._give_up(close_ms, now_close - MINUTE_MS)
            return now_close
        return following

    def _give_up(self, from_ms: int, to_ms: int) -> None:
        self._unsettled += 1
        for venue in self._venues.values():
            venue.tracker.void(from_ms, to_ms)

    async def _sleep_until(self, ms: int) -> None:
        # In short steps, because the corrected clock may be set meanwhile.
        while (left_s := (ms - self._clock.now_ms()) / 1000) > 0:  # noqa: ASYNC110
            await asyncio.sleep(min(left_s, 5.0))

    # -- status ---------------------------------------------------------------------------

    async def _status_loop(self) -> None:
        while True:
            await self._write_status()
            if self._config.idle_exit and self._nobody_left():
                logger.info("No bot for %g minutes; ending", self._settings.idle_exit_min)
                self.stop()
            await asyncio.sleep(_STATUS_S)

    def _nobody_left(self) -> bool:
        since_start_s = (self._clock.now_ms() - self._started_ms) / 1000
        beat_s = self._config.files.last_beat_s()
        idle_s = since_start_s if beat_s is None else min(beat_s, since_start_s)
        return idle_s > self._settings.idle_exit_min * 60

    async def _write_status(self) -> None:
        now_ms = self._clock.now_ms()
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._writing, self._writer.put_state, "sidecar", self.status(), now_ms
            )
        except StoreError as error:
            logger.debug("Status: %s", error)

    def status(self) -> dict[str, Any]:
        """:return: what the status page and the bots see"""
        ingest, judge = self._ingest.stats, self._judging.stats
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_ms": self._started_ms,
            "now_ms": self._clock.now_ms(),
            "skew_ms": self._clock.skew_ms,
            "timeframe": self._config.timeframe,
            "windows": windows_of(self._settings),
            "floor": self._settings.judge.model_dump(),
            "feeds": {
                name: feed_report(venue.feed.status())
                | {"markets": venue.markets, "markets_error": venue.markets_error}
                for name, venue in self._venues.items()
            },
            "stored": ingest.stored,
            "duplicates": ingest.duplicates,
            "booked": dict(ingest.booked),
            "spooled": ingest.spooled,
            "lost": ingest.lost,
            "store_error": ingest.error,
            "unsettled_minutes": self._unsettled,
            "covered": list(self._last_settled.covered) if self._last_settled else [],
            "judge": {
                "name": "matrix",
                "judged": judge.judged,
                "without_candles": judge.without_candles,
                "last": judge.last,
                "error": judge.error,
            },
        }

    async def _last_words(self) -> None:
        coverage = {name: v.tracker.changed() for name, v in self._venues.items()}
        loop = asyncio.get_running_loop()
        for name, intervals in coverage.items():
            try:
                await loop.run_in_executor(
                    self._writing, self._writer.cover, name, intervals, "live", self._clock.now_ms()
                )
            except StoreError as error:
                logger.error("Coverage of %s: %s", name, error)
        await self._write_status()
        self._writing.shutdown()
        self._asking.shutdown(wait=False, cancel_futures=True)
        logger.info("The sidecar ended; %d liquidations were stored", self._ingest.stats.stored)

    async def _repeat(self, action: Any, every_s: float) -> None:
        while True:
            await asyncio.sleep(every_s)
            await action()


def _next_close(ms: int) -> int:
    return ms - ms % MINUTE_MS + MINUTE_MS
