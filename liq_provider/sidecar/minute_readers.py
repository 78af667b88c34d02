"""Who reads a minute: what follows one that was settled, and what follows a look at the next."""

from collections.abc import Callable

from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.judge_once_store_opens import JudgeOnceStoreOpens
from liq_provider.sidecar.page_protocol import Page
from liq_provider.sidecar.pair_list import PairList
from liq_provider.sidecar.readiness_writer import ReadinessWriter
from liq_provider.sidecar.running_minute import Running


class MinuteReaders:
    """
    :param pair_list: of the bots that look at the whole market
    :param tasks: what was begun here and is not done
    """

    def __init__(
        self,
        readiness: ReadinessWriter,
        judge: JudgeOnceStoreOpens,
        page: Page,
        pair_list: PairList,
        now_ms: Callable[[], int],
        tasks: LooseTasks,
    ) -> None:
        self._readiness = readiness
        self._judge = judge
        self._page = page
        self._pair_list = pair_list
        self._now_ms = now_ms
        self._tasks = tasks

    def settled(self, settled: Settled) -> None:
        """
        Its waves' pairs are listed, who is ready is written down and they are judged, while the
        next one runs. The list first: a bot must have asked for candles when the verdict comes.
        """
        self._pair_list.take_settled(settled)
        self._tasks.start(self._readiness.assess(settled.close_ms, self._now_ms()))
        self._tasks.start(self._judge.judge(settled))

    async def running(self, running: Running) -> None:
        """It is listed and shown, and a model may be asked before it closes."""
        self._pair_list.take_running(running)
        if not running.rows:
            return
        self._page.take_running(running)
        await self._judge.foresee(running)
