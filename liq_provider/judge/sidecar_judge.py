"""The judge of a sidecar: who is asked, candles and news, wired to the store that keeps it all."""

import asyncio
import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Executor, ThreadPoolExecutor
from dataclasses import asdict
from typing import Any

from liq_provider.config.sections import JUDGES
from liq_provider.config.settings import Settings
from liq_provider.core import secret_keys
from liq_provider.core.durations import DAY_MS
from liq_provider.errors import StoreError
from liq_provider.exchange.bot_exchange import BotExchange, timeframe_ms
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.added_judges import AddedJudge
from liq_provider.judge.asked_judge import AskedJudge
from liq_provider.judge.budget import Spent
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.judge_report import judge_report
from liq_provider.judge.matrix_judge import MatrixJudge
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.shared_asking import SharedAsking
from liq_provider.judge.shared_news import SharedNews
from liq_provider.judge.verdict import Verdict
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.news.allowance import Allowance
from liq_provider.news.desk import NewsDesk
from liq_provider.news.headline import NewsItem
from liq_provider.news.news_source import FREE
from liq_provider.store.news_spending import Spending, spent, take_call
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

logger = logging.getLogger(__name__)


class SidecarJudge:
    """
    :param exchange: that is traded on
    :param writing: the store's single thread
    :param asking: threads for its REST API
    :raises StoreError: what was judged and spent before cannot be read
    """

    def __init__(
        self,
        settings: Settings,
        timeframe: str,
        exchange: BotExchange,
        reader: Reader,
        writer: Writer,
        writing: Executor,
        asking: Executor,
        now_ms: Callable[[], int],
    ) -> None:
        self._settings = settings
        self._writer = writer
        self._writing = writing
        self._now_ms = now_ms
        self._ahead = ThreadPoolExecutor(2, thread_name_prefix="ahead")
        self._tasks: set[asyncio.Task[None]] = set()
        self._desk: NewsDesk | None = None
        since_ms = now_ms() - DAY_MS
        self._asked = self._judge_by(settings, timeframe, reader, since_ms)
        if self._asked.reads_news:
            self._desk = NewsDesk(settings.news, now_ms, self._keep_news, self._allowance())
        news = None
        if self._desk is not None:
            news = SharedNews(self._desk, writer, writing, settings.news, now_ms)
        candles = WaveCandles(
            exchange,
            timeframe,
            timeframe_ms(timeframe),
            settings.trend_candles + 1,
            asking,
            self._ahead,
        )
        self._waves = WaveJudge(
            self._asked,
            VerdictLog(writer, writing, now_ms),
            CaseSource(candles, news, settings),
            settings,
            now_ms,
            reader.verdicts(since_ms, now_ms()),
        )

    def _judge_by(
        self, settings: Settings, timeframe: str, reader: Reader, since_ms: int
    ) -> AskedJudge:
        """:return: whom ``judge.by`` chooses"""
        shared = SharedAsking(self._writer, self._writing, settings.llm, self._now_ms)
        if wants_model(settings):
            past = [Spent(*row) for row in reader.model_spending(since_ms)]
            llm, keep = settings.llm, self._keep_call
            return ModelJudge(llm, timeframe, self._now_ms, keep, past, shared)
        if settings.judge.by in JUDGES:
            return MatrixJudge()
        return AddedJudge(settings, timeframe, self._now_ms, shared)

    @property
    def asks_ahead(self) -> bool:
        """Whether it is worth asking before a minute closes."""
        return self._asked.ahead_per_minute > 0

    def prepare(self) -> None:
        """Load the model, or begin to load an added judge. Blocks; run it in a thread."""
        self._asked.prepare()

    async def foresee(self, running: Sequence[Anomaly], pairs: Mapping[str, str]) -> None:
        """See ``WaveJudge.foresee``."""
        await self._waves.foresee(running, pairs)

    async def judge(self, settled: Settled) -> list[Verdict]:
        """See ``WaveJudge.judge``."""
        return await self._waves.judge(settled)

    async def close(self) -> None:
        """Give up what is being asked, and put on record what was."""
        await self._waves.close()
        await self._asked.close()
        if self._desk is not None:
            await self._desk.close()
        await asyncio.gather(*self._tasks)
        self._ahead.shutdown(wait=False, cancel_futures=True)

    def report(self) -> dict[str, Any]:
        """:return: what the status page shows"""
        return judge_report(self._waves, self._desk)

    def _allowance(self) -> Allowance | None:
        """Feeds cost nothing; of any other source, the store counts every request."""
        settings, engine = self._settings.news, self._writer.engine
        if settings.provider in FREE:
            return None

        def take(day: int, limit: int, usd: float) -> tuple[bool, Spending]:
            return take_call(engine, settings.provider, day, limit, usd)

        known = spent(engine, settings.provider, self._now_ms() // DAY_MS)
        return Allowance(settings, take, self._writing, known)

    async def _keep_call(self, row: dict[str, Any]) -> None:
        await self._write("A model call", self._writer.put_model_call, row)

    def _keep_news(self, base_asset: str, items: Sequence[NewsItem]) -> None:
        known = {
            "base_asset": base_asset,
            "provider": self._settings.news.provider,
            "available_at": self._now_ms(),
        }
        rows = [{**asdict(item), **known} for item in items]
        task = asyncio.create_task(self._write("News", self._writer.put_news, rows))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _write(self, what: str, call: Callable[..., None], *arguments: Any) -> None:
        try:
            loop = asyncio.get_running_loop()
            await loop.run_in_executor(self._writing, call, *arguments)
        except StoreError as error:
            logger.error("%s is not on record: %s", what, error)


def wants_model(settings: Settings) -> bool:
    """:return: whether a model judges, by ``judge.by`` and what there is to ask"""
    if settings.judge.by == "auto":
        return settings.llm.base_url is not None or secret_keys.key(secret_keys.OPENAI) is not None
    return settings.judge.by == "llm"
