"""The judge of a sidecar, which begins only when the store can be read: it may be away at first."""

import asyncio
import logging
from collections.abc import Callable
from typing import Any

from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.judge.judge_report import nobody_judges
from liq_provider.judge.sidecar_judge import SidecarJudge
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.store_access import StoreAccess
from liq_provider.sidecar.threads import Threads

logger = logging.getLogger(__name__)

_RETRY_S = 1.0


class JudgeOnceStoreOpens:
    """
    Until it is open it judges nothing, and says so.

    :param exchange: that is traded on
    :param serving: is set while the store is open
    """

    def __init__(
        self,
        config: SidecarConfig,
        exchange: BotExchange,
        store: StoreAccess,
        threads: Threads,
        serving: asyncio.Event,
        now_ms: Callable[[], int],
    ) -> None:
        self._config = config
        self._exchange = exchange
        self._store = store
        self._threads = threads
        self._serving = serving
        self._now_ms = now_ms
        self._judge: SidecarJudge | None = None

    @property
    def asks_ahead(self) -> bool:
        """Whether it is worth asking before a minute closes, as of a model."""
        return self._judge is not None and self._judge.asks_ahead

    async def open(self) -> None:
        """Wait for the store, and for as long as what was judged before cannot be read."""
        loop = asyncio.get_running_loop()
        while self._judge is None:
            await self._serving.wait()
            try:
                self._judge = await loop.run_in_executor(self._threads.writing, self._make)
            except StoreError as error:
                logger.warning("What was judged before cannot be read: %s", error)
                await asyncio.sleep(_RETRY_S)

    async def prepare(self) -> None:
        """Load what the first question would otherwise wait for."""
        if self._judge is not None:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._threads.asking, self._judge.prepare)

    async def judge(self, settled: Settled) -> None:
        """:param settled: minute whose waves are judged"""
        if self._judge is not None:  # else the store was opened just now
            await self._judge.judge(settled)

    async def foresee(self, running: Running) -> None:
        """:param running: minute whose waves may be asked about already"""
        # Before the minute before is settled nobody knows which wave this one belongs to.
        if self._judge is not None and running.close_ms - running.settled_ms == MINUTE_MS:
            await self._judge.foresee(running.anomalies, running.pairs)

    def report(self) -> dict[str, Any]:
        """:return: for the status"""
        return nobody_judges() if self._judge is None else self._judge.report()

    async def close(self) -> None:
        """Give up what is being asked, and put on record what was."""
        if self._judge is not None:
            await self._judge.close()

    def _make(self) -> SidecarJudge:
        """Reads what was judged and spent before."""
        return SidecarJudge(
            self._config.settings,
            self._config.timeframe,
            self._exchange,
            self._store.reader,
            self._store.writer,
            self._threads.writing,
            self._threads.asking,
            self._now_ms,
        )
