"""
The sidecar: feeds, ingest, settling and judging, wired together in one event loop.

All writes go through one thread, so that what was received before a minute was settled is also
stored before it is settled.
"""

import asyncio
import gc
import logging
import os
import re
import time
from collections.abc import Callable, Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ccxt.base.errors import BaseError

from liq_provider import __version__, keys
from liq_provider.clock import ExchangeClock
from liq_provider.coverage import CoverageTracker
from liq_provider.enrich.candles import Candles
from liq_provider.enrich.exchange import BotExchange, load_venue_markets, timeframe_ms
from liq_provider.enrich.news import NewsDesk, NewsItem
from liq_provider.errors import SettingsError, StoreError
from liq_provider.features import windows_of
from liq_provider.gapfill import GapFiller
from liq_provider.ingest import Ingest
from liq_provider.judge.budget import DAY_MS, Spent
from liq_provider.judge.model import ModelJudge
from liq_provider.judging import Judging
from liq_provider.liquidation import MINUTE_MS, Liquidation
from liq_provider.markets import Market, MarketTable
from liq_provider.minuteloop import MinuteLoop, VenueFeed
from liq_provider.running import Running, RunningLoop, RunningMinute
from liq_provider.runtime import RuntimeFiles
from liq_provider.settings import Settings, load_settings, resolve_store, sidecar_settings
from liq_provider.settling import Settled, Settler
from liq_provider.status import ingest_report, judge_report, venue_report
from liq_provider.store.booking import BookingRules
from liq_provider.store.engine import BUSY_TIMEOUT_S, open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from liq_provider.stream import Feed, SilenceJudge, Timing
from liq_provider.venues import VENUES

if TYPE_CHECKING:
    from liq_provider.dashboard.server import Dashboard

logger = logging.getLogger(__name__)

_STATUS_S = 1.0
_STORED_STATUS_S = 5.0
_CLOCK_S = 300.0
_CLOCK_RETRY_S = 15.0
_MARKETS_S = 3_600.0
_MARKETS_RETRY_S = 60.0
_MARKETS_REFUSED_S = 300.0

# As ccxt writes it: exchange, method, address, status, reason.
_REFUSED = re.compile(r" (403|451) ")


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """
    :param files: lock, log, spool and heartbeats beside the store
    :param exchange: Freqtrade's section ``exchange``, without credentials
    :param base_dir: parent of user_data
    :param api_server: Freqtrade's section of that name, for the dashboard
    :param idle_exit: end when no bot has been seen for ``idle_exit_min``
    """

    settings: Settings
    store_url: str
    files: RuntimeFiles
    exchange: Mapping[str, Any]
    timeframe: str
    base_dir: Path = Path()
    api_server: Mapping[str, Any] = field(default_factory=dict, repr=False)
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
        timeframe = str(config.get("timeframe") or "1m")
        timeframe_ms(timeframe)
        return cls(
            settings,
            store_url,
            RuntimeFiles.of(store_url, base_dir),
            exchange,
            timeframe,
            base_dir,
            config.get("api_server") or {},
            idle_exit,
        )


class Sidecar:
    """
    One run of the sidecar; ``run`` returns when it was asked to stop.

    :param clock: what time it is
    :param busy_timeout_s: how long to wait for a store that somebody else has locked
    """

    def __init__(
        self,
        config: SidecarConfig,
        clock: ExchangeClock | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
    ) -> None:
        self._config = config
        self._settings = settings = config.settings
        self._clock = clock or ExchangeClock()
        self._started_ms = self._clock.now_ms()
        self._writing = ThreadPoolExecutor(1, thread_name_prefix="store")
        self._asking = ThreadPoolExecutor(8, thread_name_prefix="exchange")
        exchange = config.exchange
        self._exchange = BotExchange(exchange["name"], exchange.get("ccxt_config"))
        step_ms = timeframe_ms(config.timeframe)
        rules = BookingRules(settings.settle_ms, round(settings.max_late_s * 1000))
        engine = open_engine(config.store_url, busy_timeout_s=busy_timeout_s)
        self._writer = Writer(engine, rules, settings.min_event_usd)
        self._writer.refuse_if_stale()
        self._reader = Reader(config.store_url)
        self._ingest = Ingest(self._writer, self._writing, Spool(config.files.spool))
        self._settler = Settler(self._writer, self._reader, settings)
        self._reading_news = ThreadPoolExecutor(4, thread_name_prefix="news")
        self._model, self._desk = self._make_model()
        candles = Candles(
            self._exchange, config.timeframe, step_ms, settings.trend_candles + 1, self._asking
        )
        self._judging = Judging(
            self._writer,
            candles,
            settings,
            self._clock.now_ms,
            self._writing,
            self._model,
            self._desk,
        )
        self._dashboard = self._make_dashboard()
        self._venues = self._make_venues()
        self._minutes = MinuteLoop(
            self._venues,
            self._ingest,
            self._settler,
            self._writing,
            self._clock.now_ms,
            settings.settle_ms,
            self._judge,
        )
        self._looking = ThreadPoolExecutor(1, thread_name_prefix="running")
        self._running = RunningLoop(
            RunningMinute(self._reader, settings),
            self._venues,
            self._minutes,
            lambda: self._settler.pairs,
            self._looking,
            self._clock.now_ms,
            self._foresee,
        )
        self._gaps = GapFiller(
            self._writer,
            self._reader,
            settings,
            self._started_ms,
            self._clock.now_ms,
            self._writing,
            self._asking,
        )
        self._clock_error: str | None = None
        self._stop = asyncio.Event()
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
        if self._model is not None:
            await asyncio.get_running_loop().run_in_executor(self._asking, self._model.prepare)
        workers = [
            self._ingest.run(),
            self._minutes.run(),
            self._status_loop(),
            self._clock_loop(),
            self._pairs_loop(),
            *([self._gaps.run()] if self._settings.fill_gaps else []),
            *([self._running.run()] if self._model or self._dashboard else []),
            *(self._markets_loop(name) for name in self._venues),
            *(venue.feed.run() for venue in self._venues.values()),
        ]
        tasks = [asyncio.create_task(worker) for worker in workers]
        if self._dashboard is not None:
            await self._dashboard.start()
        stopping = asyncio.create_task(self._stop.wait())
        done, _ = await asyncio.wait([*tasks, stopping], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, stopping, *self._tasks]:
            task.cancel()
        await asyncio.gather(*tasks, *self._tasks, return_exceptions=True)
        await self._last_words()
        for task in done - {stopping}:
            task.result()  # a worker that ended by itself failed; say so

    # -- judge ----------------------------------------------------------------------------

    def _make_model(self) -> tuple[ModelJudge | None, NewsDesk | None]:
        settings = self._settings
        if not wants_model(settings):
            return None, None
        now_ms = self._clock.now_ms()
        past = [Spent(*row) for row in self._reader.model_spending(now_ms - DAY_MS)]
        model = ModelJudge(
            settings.llm, self._config.timeframe, self._clock.now_ms, self._keep_call, past
        )
        desk = NewsDesk(settings.news, self._clock.now_ms, self._reading_news, self._keep_news)
        return model, desk

    async def _keep_call(self, row: dict[str, Any]) -> None:
        await self._write("A model call", self._writer.put_model_call, row)

    def _keep_news(self, base_asset: str, items: Sequence[NewsItem]) -> None:
        known = {
            "base_asset": base_asset,
            "provider": self._settings.news.provider,
            "available_at": self._clock.now_ms(),
        }
        rows = [{**asdict(item), **known} for item in items]
        self._spawn(self._write("News", self._writer.put_news, rows))

    async def _write(self, what: str, call: Callable[..., None], *arguments: Any) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._writing, call, *arguments)
        except StoreError as error:
            logger.error("%s is not on record: %s", what, error)

    def _spawn(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # -- dashboard ------------------------------------------------------------------------

    def _make_dashboard(self) -> "Dashboard | None":
        if not self._settings.dashboard.enabled:
            return None
        # The web server is a second's import and some memory, which not everybody needs.
        from liq_provider.dashboard.server import Dashboard

        return Dashboard(
            self._settings,
            self._config.store_url,
            self._config.base_dir,
            self._config.api_server,
            self._exchange,
            self._config.timeframe,
            self._clock.now_ms,
            lambda: self._settler.pairs,
        )

    def _take(self, items: Sequence[Liquidation], since_ms: int) -> None:
        self._ingest.put(items, since_ms)
        if self._dashboard is not None:
            self._dashboard.take_liquidations(items)

    # -- feeds ----------------------------------------------------------------------------

    def _make_venues(self) -> dict[str, VenueFeed]:
        sink = self._take
        silence = SilenceJudge()
        timing = Timing(prove_wait_s=0.45 * self._settings.settle_s)
        found = {}
        for name in self._settings.venues.enabled:
            venue = VENUES[name]
            tracker = CoverageTracker(name)
            table = MarketTable(name, self._reader.markets(name))
            url = getattr(self._settings.venues, name).url or venue.url
            feed = Feed(venue, url, table, self._clock.now_ms, sink, tracker, silence, timing)
            found[name] = VenueFeed(feed, tracker, len(table))
        return found

    async def _markets_loop(self, name: str) -> None:
        venue, settings = self._venues[name], getattr(self._settings.venues, name)
        while True:
            found, error = await self._ask(load_venue_markets, name, settings)
            if found:
                venue.feed.update_markets(MarketTable(name, found))
                venue.markets = len(found)
                spare_from_collection()
                error = await self._keep_markets(name, found)
            elif error is None:
                error = "the list is empty"
            if error is not None and venue.markets_error is None:
                logger.warning("Market list of %s: %s", name, error)
            venue.markets_error = error
            await asyncio.sleep(_markets_wait_s(error))

    async def _keep_markets(self, name: str, found: list[Market]) -> str | None:
        try:
            await asyncio.get_running_loop().run_in_executor(
                self._writing, self._writer.put_markets, name, found, self._clock.now_ms()
            )
        except StoreError as error:
            return str(error)
        return None

    async def _pairs_loop(self) -> None:
        told = False
        while True:
            pairs, error = await self._ask(self._exchange.pairs_by_coin)
            if pairs:
                self._settler.pairs = pairs
                spare_from_collection()
            elif not told:
                logger.warning("Market list of %s: %s", self._exchange.name, error or "it is empty")
            told = not pairs
            await asyncio.sleep(_MARKETS_S if pairs else _MARKETS_RETRY_S)

    async def _clock_loop(self) -> None:
        while True:
            # Without a measurement nobody trades.
            unknown = self._clock.skew_ms is None
            await asyncio.sleep(_CLOCK_RETRY_S if unknown else _CLOCK_S)
            await self._measure_clock()

    async def _measure_clock(self) -> None:
        _, error = await self._ask(self._clock.measure, self._exchange.time_ms)
        if error is not None and self._clock_error is None:
            logger.warning("The time of %s: %s", self._exchange.name, error)
        self._clock_error = error
        skew_ms = self._clock.skew_ms
        if skew_ms is not None and abs(skew_ms) > self._settings.max_skew_ms:
            logger.error(
                "This machine's clock is %+.1f s off the exchange's; no entries until it is set "
                "(max_skew_ms)",
                skew_ms / 1000,
            )

    async def _ask(self, call: Callable[..., Any], *arguments: Any) -> tuple[Any, str | None]:
        """:return: what the exchange answered, or None and the reason"""
        try:
            loop = asyncio.get_running_loop()
            return await loop.run_in_executor(self._asking, call, *arguments), None
        except BaseError as error:
            return None, str(error)
        except Exception as error:
            # ccxt stumbles over answers that it does not expect in many ways.
            logger.exception("An answer of an exchange was not understood")
            return None, repr(error)

    def _judge(self, settled: Settled) -> None:
        self._spawn(self._judging.judge(settled))

    async def _foresee(self, running: Running) -> None:
        if self._dashboard is not None:
            self._dashboard.take_running(running)
        # Before the minute before is settled nobody knows which wave this one belongs to.
        if running.close_ms - running.settled_ms == MINUTE_MS:
            await self._judging.foresee(running.anomalies, running.pairs)

    # -- status ---------------------------------------------------------------------------

    async def _status_loop(self) -> None:
        stored_s = 0.0
        while True:
            if self._dashboard is not None:
                self._dashboard.take_status(self.status())
            if time.monotonic() - stored_s >= _STORED_STATUS_S:
                stored_s = time.monotonic()
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
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_ms": self._started_ms,
            "now_ms": self._clock.now_ms(),
            "skew_ms": self._clock.skew_ms,
            "skew_measured_ms": self._clock.measured_ms,
            "timeframe": self._config.timeframe,
            "windows": windows_of(self._settings),
            "settings": sidecar_settings(self._settings),
            "feeds": {name: venue_report(venue) for name, venue in self._venues.items()},
            **ingest_report(self._ingest.stats),
            "unsettled_minutes": self._minutes.unsettled,
            "covered": list(self._minutes.covered),
            "fills": self._gaps.report(),
            "dashboard": None if self._dashboard is None else self._dashboard.report(),
            "judge": judge_report(self._judging, self._model, self._desk),
        }

    async def _last_words(self) -> None:
        # What the connections delivered while they were being closed. Their coverage ended
        # with the last settled minute: on what came later nothing was decided.
        await self._ingest.flush()
        await self._write_status()
        await self._judging.close()
        if self._dashboard is not None:
            await self._dashboard.close()
        if self._model is not None:
            await self._model.close()
        self._writing.shutdown()
        self._looking.shutdown(wait=False, cancel_futures=True)
        self._reading_news.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._writer.close()
        self._reader.close()
        logger.info("The sidecar ended; %d liquidations were stored", self._ingest.stats.stored)


def spare_from_collection() -> None:
    """
    What is in memory now, libraries and market lists, stays as long as the process. A full
    garbage collection that walked through it would hold up the feeds for a tenth of a second.
    """
    gc.freeze()


def _markets_wait_s(error: str | None) -> float:
    if error is None:
        return _MARKETS_S
    return _MARKETS_REFUSED_S if _REFUSED.search(error) else _MARKETS_RETRY_S


def wants_model(settings: Settings) -> bool:
    """:return: whether a model judges, by ``judge.by`` and what there is to ask"""
    if settings.judge.by == "auto":
        return settings.llm.base_url is not None or keys.key(keys.OPENAI) is not None
    return settings.judge.by == "llm"
