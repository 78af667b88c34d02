"""
The sidecar: feeds, ingest, settling and judging, wired together in one event loop.

All writes go through one thread, so that what was received before a minute was settled is also
stored before it is settled. Nothing else waits for that thread: the store may be away, locked
or hung, at the start as well as at the end.
"""

import asyncio
import logging
import os
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

from liq_provider import __version__
from liq_provider.config import provenance
from liq_provider.config.measuring import windows_of
from liq_provider.config.settings import sidecar_settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.core.doubts import ANY_COIN, Doubts
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.ending import end, first_of
from liq_provider.core.liquidation import Liquidation, minute_of
from liq_provider.core.markets import MarketTable
from liq_provider.core.one_thread import OneThread
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.judge.judge_report import nobody_judges
from liq_provider.judge.sidecar_judge import SidecarJudge
from liq_provider.measure.anomaly import Settled
from liq_provider.sidecar.beside import Beside
from liq_provider.sidecar.exchange_work import ExchangeWork
from liq_provider.sidecar.gap_filler import GapFiller
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.minute_loop import MinuteLoop, VenueFeed
from liq_provider.sidecar.page import MakePage, Page
from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.sidecar.retention import Retention
from liq_provider.sidecar.run_config import SidecarConfig
from liq_provider.sidecar.running_minute import Running, RunningLoop, RunningMinute
from liq_provider.sidecar.self_report import ingest_report, venue_report
from liq_provider.sidecar.settling import Settler
from liq_provider.store import runs
from liq_provider.store.booking import BookingRules
from liq_provider.store.database import BUSY_TIMEOUT_S, open_engine
from liq_provider.store.opening import Opening
from liq_provider.store.origins import note_simulated
from liq_provider.store.reader import Reader
from liq_provider.store.readiness_facts import Assessor, told
from liq_provider.store.spool import Spool
from liq_provider.store.writer import Writer
from liq_provider.stream import Feed, SilenceJudge, Timing
from liq_provider.venues import VENUES

logger = logging.getLogger(__name__)

_STATUS_S = 1.0
_STORED_STATUS_S = 5.0
_RETRY_S = 1.0
# What the end may take, for each of: the workers, the last liquidations, all the rest.
_END_S = 1.0


class Sidecar:
    """
    One run of the sidecar; ``run`` returns when it was asked to stop.

    :param clock: what time it is
    :param busy_timeout_s: how long to wait for a store that somebody else has locked
    :param own_run: which run of the sidecar this is; none is ever the same again
    :param make_page: if it is to be watched, and the settings want that
    """

    def __init__(
        self,
        config: SidecarConfig,
        clock: ExchangeClock | None = None,
        busy_timeout_s: float = BUSY_TIMEOUT_S,
        own_run: str | None = None,
        make_page: MakePage | None = None,
    ) -> None:
        self._own_run = own_run or uuid4().hex
        self._mark = ProcessMark.mine(self._own_run).write()
        self._config = config
        self._settings = settings = config.settings
        self._clock = clock or ExchangeClock()
        self._started_ms = self._clock.now_ms()
        self._writing = OneThread("store")
        self._asking = ThreadPoolExecutor(8, thread_name_prefix="exchange")
        exchange = config.exchange
        self._exchange = BotExchange(exchange["name"], exchange.get("ccxt_config"))
        rules = BookingRules(settings.settle_ms, round(settings.max_late_s * 1000))
        engine = open_engine(config.store_url, busy_timeout_s=busy_timeout_s)
        # It is opened while the feeds record already; until then everything waits on disk.
        self._writer = Writer(engine, rules, settings.min_event_usd, self._own_run, at_once=False)
        self._reader = Reader(config.store_url)
        self._doubts = Doubts(settings.settle_ms)
        self._ingest = Ingest(
            self._writer,
            self._writing,
            Spool(config.files.spool),
            self._doubts,
            opening=Opening(self._writer, config.store_url),
            on_another=self._begin_anew,
            hang_up=self._hang_up,
        )
        self._settler = Settler(self._writer, self._reader, settings)
        self._sidecar_judge: SidecarJudge | None = None
        self._page: Page | None = None
        if make_page is not None and settings.dashboard.enabled:
            self._page = make_page(
                config, self._exchange, self._clock.now_ms, lambda: self._settler.pairs
            )
        self._venues = self._make_venues()
        self._minutes = MinuteLoop(
            self._venues,
            self._ingest,
            self._settler,
            self._writing,
            self._clock.now_ms,
            self._doubts,
            settings.settle_ms,
            settings.max_entry_delay_ms,
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
        self._retention = Retention(
            settings.keep_days,
            self._writer,
            self._writing,
            self._ingest.serving,
            self._clock,
            settings.max_skew_ms,
        )
        self._beside = Beside(config.files, self._own_run)
        self._writing_status: asyncio.Future[None] | None = None
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
        stopping = asyncio.create_task(self._stop.wait())
        tasks = [stopping, asyncio.create_task(self._ingest.run())]
        try:
            await first_of(self._work.measure_clock(), *tasks)
            if not any(task.done() for task in tasks):
                tasks += [asyncio.create_task(worker) for worker in self._workers()]
                if self._page is not None:
                    await self._page.start()
                await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            ended = [task for task in tasks if task.done() and task is not stopping]
            await end([*tasks, *self._tasks])
            await self._last_words()
        for task in ended:
            task.result()  # a worker that ended by itself failed; say so

    def _workers(self) -> list[Coroutine[Any, Any, None]]:
        return [
            self._minutes.run(),
            self._status_loop(),
            self._connected(),
            *self._work.loops(),
            self._retention.run(),
            *([self._gaps.run()] if self._settings.fill_gaps else []),
            *(venue.feed.run() for venue in self._venues.values()),
        ]

    # -- store ----------------------------------------------------------------------------

    async def _connected(self) -> None:
        """What needs to read the store before it can begin; ends with the sidecar only."""
        loop = asyncio.get_running_loop()
        while self._sidecar_judge is None:
            await self._ingest.serving.wait()
            try:
                self._sidecar_judge = await loop.run_in_executor(self._writing, self._make_judge)
                await self._use_kept_markets()
                await self._work.keep_markets()
            except StoreError as error:
                logger.warning("What was judged before cannot be read: %s", error)
                await asyncio.sleep(_RETRY_S)
        await loop.run_in_executor(self._asking, self._sidecar_judge.prepare)
        if self._sidecar_judge.model or self._page:
            await self._running.run()
        await self._stop.wait()

    def _make_judge(self) -> SidecarJudge:
        return SidecarJudge(
            self._settings,
            self._config.timeframe,
            self._exchange,
            self._reader,
            self._writer,
            self._writing,
            self._asking,
            self._clock.now_ms,
        )

    async def _use_kept_markets(self) -> None:
        """The lists of the last run, until the exchanges have sent theirs."""
        loop = asyncio.get_running_loop()
        for name, venue in self._venues.items():
            kept = await loop.run_in_executor(self._writing, self._reader.markets, name)
            if kept and not venue.markets:
                self._work.use_markets(name, kept)

    def _hang_up(self) -> None:
        self._writer.hang_up()
        self._reader.hang_up()

    def _begin_anew(self) -> None:
        """The store is another one, which knows nothing of what was heard before."""
        now_ms = self._clock.now_ms()
        for name in self._venues:
            self._doubts.unread(name, (ANY_COIN,), now_ms)
        # Who lists what is asked for once an hour only.
        self._start(self._work.keep_markets_anew())

    # -- judge ----------------------------------------------------------------------------

    def _judge(self, settled: Settled) -> None:
        works: list[Coroutine[Any, Any, Any]] = [
            self._assessor.assess(settled.close_ms, self._clock.now_ms())
        ]
        if self._sidecar_judge is not None:  # else the store was opened just now
            works.append(self._sidecar_judge.judge(settled))
        for work in works:
            self._start(work)

    def _start(self, work: Coroutine[Any, Any, Any]) -> None:
        task = asyncio.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _foresee(self, running: Running) -> None:
        if self._page is not None:
            self._page.take_running(running)
        # Before the minute before is settled nobody knows which wave this one belongs to.
        if self._sidecar_judge and running.close_ms - running.settled_ms == MINUTE_MS:
            await self._sidecar_judge.foresee(running.anomalies, running.pairs)

    # -- page ------------------------------------------------------------------------

    def _take(self, items: Sequence[Liquidation], since_ms: int) -> None:
        self._ingest.put(items, since_ms)
        if self._page is not None:
            self._page.take_liquidations(items)

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
            tracker = CoverageTracker(name, self._settings.settle_ms)
            table = MarketTable(name, [])
            url = getattr(self._settings.venues, name).url or venue.url
            feed = Feed(
                *(venue, url, table, self._clock.now_ms, sink, tracker),
                *(self._doubts, silence, timing),
            )
            found[name] = VenueFeed(feed, tracker, len(table))
        return found

    # -- status ---------------------------------------------------------------------------

    async def _status_loop(self) -> None:
        stored_s = 0.0
        while True:
            await self._look_beside()
            if self._page is not None:
                self._page.take_status(self.status())
            if time.monotonic() - stored_s >= _STORED_STATUS_S:
                stored_s = time.monotonic()
                self._write_status()
            await asyncio.sleep(_STATUS_S)

    async def _look_beside(self) -> None:
        await self._beside.look(_STATUS_S)
        if self._config.idle_exit and self._beside.idle_s > self._settings.idle_exit_min * 60:
            logger.info("No bot for %g minutes; ending", self._settings.idle_exit_min)
            self.stop()
        if not self._beside.alone:
            logger.error("Another sidecar serves this store now; ending")
            self.stop()

    def _write_status(self) -> asyncio.Future[None]:
        """Only one at a time: the store may not come back from the last one."""
        pending = self._writing_status
        if pending is not None and not pending.done():
            return pending
        self._writing_status = asyncio.ensure_future(self._put_status())
        return self._writing_status

    async def _put_status(self) -> None:
        now_ms = self._clock.now_ms()
        loop = asyncio.get_running_loop()
        try:
            asked = await loop.run_in_executor(
                self._writing, self._store_status, self.status(), now_ms
            )
        except StoreError as error:
            logger.debug("Status: %s", error)
            return
        if asked and not self._stop.is_set():
            logger.info("Asked to end, through the store")
            self.stop()

    def _store_status(self, status: dict[str, Any], now_ms: int) -> bool:
        """:return: whether somebody asked this sidecar to end"""
        self._writer.put_state("sidecar", status, now_ms)
        # Ahead by a while: what comes before the next time is to be marked as well.
        span = Interval(self._started_ms, minute_of(now_ms) + 2 * MINUTE_MS)
        for venue in provenance.fed_from_here(self._settings):
            note_simulated(self._writer.engine, venue, span, now_ms)
        return runs.note(self._writer.engine, self._own_run, self._mark)

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
            **ingest_report(self._ingest),
            "unsettled_minutes": self._minutes.unsettled,
            "covered": list(self._minutes.covered),
            "fills": self._gaps.report(),
            "dashboard": None if self._page is None else self._page.report(),
            "bots": self._beside.bots,
            "retention": self._retention.report(),
            "looks_failed": self._running.failures,
            "judge": nobody_judges()
            if self._sidecar_judge is None
            else self._sidecar_judge.report(),
        }

    def _feeds(self) -> dict[str, Any]:
        return {name: venue_report(venue) for name, venue in self._venues.items()}

    async def _last_words(self) -> None:
        # What the connections delivered while they were being closed. Their coverage ended
        # with the last settled minute: on what came later nothing was decided.
        await self._ingest.finish(_END_S)
        closing: list[asyncio.Future[None]] = []
        if self._ingest.serving.is_set():
            closing += [asyncio.ensure_future(self._minutes.tell_doubts()), self._write_status()]
        else:
            self._hang_up()
        closing += [asyncio.ensure_future(part.close()) for part in self._parts()]
        await end(closing, _END_S)
        loop = asyncio.get_running_loop()
        await end([loop.run_in_executor(self._writing, self._leave_store)], _END_S)
        self._writing.shutdown(wait=False)
        self._beside.close()
        self._ingest.close()
        self._looking.shutdown(wait=False, cancel_futures=True)
        self._asking.shutdown(wait=False, cancel_futures=True)
        self._reader.close()
        stats = self._ingest.stats
        logger.info(
            "The sidecar ended; %d liquidations were stored, %d wait on disk, %d are lost",
            *(stats.stored, stats.spooled, stats.lost + self._ingest.in_memory),
        )

    def _leave_store(self) -> None:
        try:
            if self._ingest.serving.is_set():
                runs.leave(self._writer.engine, self._own_run)
        except StoreError as error:
            logger.debug("At the end: %s", error)
        finally:
            self._writer.close()

    def _parts(self) -> list[SidecarJudge | Page]:
        return [part for part in (self._sidecar_judge, self._page) if part is not None]
