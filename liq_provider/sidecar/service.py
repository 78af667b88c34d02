"""
The sidecar: feeds, ingest, settling and judging, wired together in one event loop.

This is its table of contents: what there is is built, started and ended here, and what it does
is written in the modules that are named. All writes go through one thread. Nothing else waits
for it: the store may be away, locked or hung, at the start as well as at the end.
"""

import asyncio
import logging
from collections.abc import Coroutine
from typing import Any
from uuid import uuid4

from liq_provider import __version__
from liq_provider.core.clock import ExchangeClock
from liq_provider.core.doubts import ANY_COIN, Doubts
from liq_provider.core.ending import end, first_of
from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.sidecar.arrivals import Arrivals
from liq_provider.sidecar.exchange_polls import ExchangePolls
from liq_provider.sidecar.gap_filler import GapFiller
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.judge_once_store_opens import JudgeOnceStoreOpens
from liq_provider.sidecar.market_lists import MarketLists
from liq_provider.sidecar.minute_readers import MinuteReaders
from liq_provider.sidecar.neighbours import Neighbours
from liq_provider.sidecar.page_protocol import MakePage, Page, Unwatched
from liq_provider.sidecar.pair_list import PairList
from liq_provider.sidecar.pair_of_coin import PairOfCoin
from liq_provider.sidecar.presence import Presence
from liq_provider.sidecar.readiness_writer import ReadinessWriter
from liq_provider.sidecar.retention import Retention
from liq_provider.sidecar.running_minute import RunningLoop, RunningMinute
from liq_provider.sidecar.self_report import SelfReport
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.sidecar.settling_schedule import SettlingSchedule
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.status_loop import StatusLoop
from liq_provider.sidecar.store_access import StoreAccess
from liq_provider.sidecar.threads import Threads
from liq_provider.sidecar.venue_feeds import feeds_of, feeds_told
from liq_provider.store.database import BUSY_TIMEOUT_S
from liq_provider.store.settled_sums import SettledSums
from liq_provider.store.spool import Spool

logger = logging.getLogger(__name__)

# What the end may take, for each of: the workers, the last liquidations, all the rest.
_END_S = 1.0

_LOOKS_AHEAD_S = 1.0


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
        self._config = config
        self._own_run = own_run or uuid4().hex
        self._clock = clock or ExchangeClock()
        self._started_ms = self._clock.now_ms()
        self._stop = asyncio.Event()
        self._tasks = LooseTasks()
        self._threads = Threads()
        self._names = PairOfCoin()
        self._exchange = BotExchange(
            *(config.exchange["name"], config.exchange.get("ccxt_config")),
            config.pair_list.stake_currency,
        )
        self._store = StoreAccess(config, self._own_run, busy_timeout_s)
        self._sums = SettledSums(self._store.reader)
        self._page: Page = Unwatched()
        if make_page is not None and config.settings.dashboard.enabled:
            self._page = make_page(config, self._exchange, self._clock.now_ms, self._names)
        self._build_recording()
        self._build_minutes()
        self._build_chores()
        self._build_status()

    def _build_recording(self) -> None:
        settings = self._config.settings
        self._doubts = Doubts(settings.settle_ms)
        self._ingest = Ingest(
            self._store.writer,
            self._threads.writing,
            Spool(self._config.files.spool),
            self._doubts,
            opening=self._store.opening,
            on_another=self._begin_anew,
            hang_up=self._store.hang_up,
        )
        arrivals = Arrivals(self._ingest, self._page)
        self._venues = feeds_of(settings, self._clock.now_ms, arrivals.take, self._doubts)

    def _build_minutes(self) -> None:
        settings, now_ms, names = self._config.settings, self._clock.now_ms, self._names
        writer, reader, threads = self._store.writer, self._store.reader, self._threads
        self._judge = JudgeOnceStoreOpens(
            *(self._config, self._exchange, self._store, threads, self._ingest.serving, now_ms)
        )
        self._pair_list = PairList(
            *(self._config, names, lambda: self._neighbours.bots, now_ms),
            simulated=self._exchange.simulated,
        )
        readiness = ReadinessWriter(
            *(reader, writer, settings, lambda: feeds_told(self._venues), names),
            *(self._pair_list.take_liveliness, threads.asking, threads.writing),
        )
        readers = MinuteReaders(
            *(readiness, self._judge, self._page, self._pair_list, now_ms, self._tasks)
        )
        self._minutes = SettlingSchedule(
            self._venues,
            self._ingest,
            Settler(writer, reader, settings, names, threads.writing, self._sums),
            threads.writing,
            threads.computing,
            now_ms,
            self._doubts,
            settings.settle_ms,
            settings.max_entry_delay_ms,
            readers.settled,
            reader.hang_up,
        )
        self._running = RunningLoop(
            *(RunningMinute(reader, settings, self._sums), self._venues, self._minutes, names),
            *(threads.looking, now_ms, readers.running),
        )

    def _build_chores(self) -> None:
        settings, clock = self._config.settings, self._clock
        writer, reader = self._store.writer, self._store.reader
        writing, asking = self._threads.writing, self._threads.asking
        self._polls = ExchangePolls(
            self._exchange, clock, self._names, settings.max_skew_ms, asking
        )
        self._lists = MarketLists(self._venues, settings, clock, reader, writer, writing, asking)
        self._gaps = GapFiller(
            writer, reader, settings, self._started_ms, clock.now_ms, writing, asking
        )
        self._retention = Retention(
            *(settings.keep_days, writer, writing, self._ingest.serving),
            *(clock, settings.max_skew_ms),
        )

    def _build_status(self) -> None:
        settings = self._config.settings
        idle_exit_min = settings.idle_exit_min if self._config.idle_exit else None
        self._neighbours = Neighbours(self._config.files, self._own_run, idle_exit_min)
        self.status = SelfReport(
            *(self._config, self._clock, self._started_ms, self._venues, self._ingest),
            *(self._minutes, self._gaps, self._page, self._neighbours, self._retention),
            *(self._running, self._judge, self._pair_list),
        )
        self._presence = Presence(self._store.writer, settings, self._own_run, self._started_ms)
        self._telling = StatusLoop(
            *(self.status, self._neighbours, self._page, self._presence),
            *(self._threads.writing, self._stop),
        )

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
            await first_of(self._polls.measure_clock(), *tasks)
            if not any(task.done() for task in tasks):
                tasks += [asyncio.create_task(worker) for worker in self._workers()]
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
            self._telling.run(),
            self._pair_list.run(),
            self._once_open(),
            *self._polls.loops(),
            *self._lists.loops(),
            self._retention.run(),
            *([self._gaps.run()] if self._config.settings.fill_gaps else []),
            *(venue.feed.run() for venue in self._venues.values()),
        ]

    async def _once_open(self) -> None:
        """What needs to read the store before it can begin; ends with the sidecar only."""
        await self._judge.open()
        try:
            await self._lists.store_opened()
        except StoreError as error:
            logger.warning("The market lists of before cannot be read: %s", error)
        await self._judge.prepare()
        # A bot that reads the list may come later.
        while not self._looks_ahead():  # noqa: ASYNC110
            await asyncio.sleep(_LOOKS_AHEAD_S)
        await self._running.run()

    def _looks_ahead(self) -> bool:
        """Whether somebody wants to know what the running minute shows."""
        watched = not isinstance(self._page, Unwatched)
        return self._judge.asks_ahead or watched or self._pair_list.is_read

    def _begin_anew(self) -> None:
        """The store is another one, which knows nothing of what was heard before."""
        now_ms = self._clock.now_ms()
        self._sums.clear()
        for name in self._venues:
            self._doubts.unread(name, (ANY_COIN,), now_ms)
        self._tasks.start(self._lists.keep_anew())

    async def _last_words(self) -> None:
        # What the connections delivered while they were being closed. Their coverage ended
        # with the last settled minute: on what came later nothing was decided.
        await self._ingest.finish(_END_S)
        closing: list[asyncio.Future[None]] = []
        if self._ingest.serving.is_set():
            telling = asyncio.ensure_future(self._minutes.tell_doubts())
            closing += [telling, self._telling.tell_store()]
        else:
            self._store.hang_up()
        closing += [asyncio.ensure_future(part.close()) for part in (self._judge, self._page)]
        await end(closing, _END_S)
        is_open = self._ingest.serving.is_set()
        leaving = self._threads.writing.submit(self._presence.leave, is_open)
        await end([asyncio.wrap_future(leaving)], _END_S)
        self._neighbours.close()
        self._pair_list.close()
        self._ingest.close()
        self._threads.close()
        self._store.reader.close()
        stats = self._ingest.stats
        logger.info(
            "The sidecar ended; %d liquidations were stored, %d wait on disk, %d are lost",
            *(stats.stored, stats.spooled, stats.lost + self._ingest.in_memory),
        )
