"""
The sidecar: feeds, ingest, settling and judging, wired together in one event loop.

All writes go through one thread, so that what was received before a minute was settled is also
stored before it is settled.
"""

import asyncio
import logging
import os
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

from liq_provider import __version__
from liq_provider.assessing import Assessor, told
from liq_provider.clock import ExchangeClock
from liq_provider.courtroom import Courtroom
from liq_provider.coverage import CoverageTracker
from liq_provider.enrich.exchange import BotExchange
from liq_provider.errors import StoreError
from liq_provider.exchangework import ExchangeWork
from liq_provider.features import windows_of
from liq_provider.gapfill import GapFiller
from liq_provider.ingest import Ingest
from liq_provider.liquidation import MINUTE_MS, Liquidation
from liq_provider.markets import MarketTable
from liq_provider.minuteloop import MinuteLoop, VenueFeed
from liq_provider.running import Running, RunningLoop, RunningMinute
from liq_provider.settings import sidecar_settings
from liq_provider.settling import Settled, Settler
from liq_provider.sidecarconfig import SidecarConfig
from liq_provider.status import ingest_report, venue_report
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
        rules = BookingRules(settings.settle_ms, round(settings.max_late_s * 1000))
        engine = open_engine(config.store_url, busy_timeout_s=busy_timeout_s)
        self._writer = Writer(engine, rules, settings.min_event_usd)
        self._writer.refuse_if_stale()
        self._reader = Reader(config.store_url)
        self._ingest = Ingest(self._writer, self._writing, Spool(config.files.spool))
        self._settler = Settler(self._writer, self._reader, settings)
        self._court = Courtroom(
            settings,
            config.timeframe,
            self._exchange,
            self._reader,
            self._writer,
            self._writing,
            self._asking,
            self._clock.now_ms,
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
        self._assessor = Assessor(
            self._reader,
            self._writer,
            settings,
            lambda: told({"feeds": self._feeds()}),
            lambda: self._settler.pairs,
            self._asking,
            self._writing,
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
        self._work = ExchangeWork(
            self._exchange,
            self._clock,
            self._set_pairs,
            self._venues,
            settings,
            self._writer,
            self._writing,
            self._asking,
        )
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
        await self._work.measure_clock()
        await asyncio.get_running_loop().run_in_executor(self._asking, self._court.prepare)
        workers = [
            self._ingest.run(),
            self._minutes.run(),
            self._status_loop(),
            *self._work.loops(),
            *([self._gaps.run()] if self._settings.fill_gaps else []),
            *([self._running.run()] if self._court.model or self._dashboard else []),
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

    def _judge(self, settled: Settled) -> None:
        for work in (
            self._court.judging.judge(settled),
            self._assessor.assess(settled.close_ms, self._clock.now_ms()),
        ):
            task = asyncio.create_task(work)
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _foresee(self, running: Running) -> None:
        if self._dashboard is not None:
            self._dashboard.take_running(running)
        # Before the minute before is settled nobody knows which wave this one belongs to.
        if running.close_ms - running.settled_ms == MINUTE_MS:
            await self._court.judging.foresee(running.anomalies, running.pairs)

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

    def _set_pairs(self, pairs: dict[str, str]) -> None:
        self._settler.pairs = pairs

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
            "feeds": self._feeds(),
            **ingest_report(self._ingest.stats),
            "unsettled_minutes": self._minutes.unsettled,
            "covered": list(self._minutes.covered),
            "fills": self._gaps.report(),
            "dashboard": None if self._dashboard is None else self._dashboard.report(),
            "bots": self._config.files.bots(),
            "looks_failed": self._running.failures,
            "judge": self._court.report(),
        }

    def _feeds(self) -> dict[str, Any]:
        return {name: venue_report(venue) for name, venue in self._venues.items()}

    async def _last_words(self) -> None:
        # What the connections delivered while they were being closed. Their coverage ended
        # with the last settled minute: on what came later nothing was decided.
        await self._ingest.flush()
        await self._write_status()
        await self._court.close()
        if self._dashboard is not None:
            await self._dashboard.close()
        self._writing.shutdown()
        self._looking.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._writer.close()
        self._reader.close()
        logger.info("The sidecar ended; %d liquidations were stored", self._ingest.stats.stored)
