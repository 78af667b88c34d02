"""Who reads a minute: what follows one that was settled, and what follows a look at the next."""

from collections.abc import Callable

from liq_provider.core.loose_tasks import LooseTasks
from liq_provider.measure.minute_results import Settled
from liq_provider.sidecar.judge_once_store_opens import JudgeOnceStoreOpens
from liq_provider.sidecar.page_protocol import Page
from liq_provider.sidecar.readiness_writer import ReadinessWriter
from liq_provider.sidecar.running_minute import Running


class MinuteReaders:
    """
    :param tasks: what was begun here and is not done
    """

    def __init__(
        self,
        readiness: ReadinessWriter,
        judge: JudgeOnceStoreOpens,
        page: Page,
        now_ms: Callable[[], int],
        tasks: LooseTasks,
    ) -> None:
        self._readiness = readiness
        self._judge = judge
        self._page = page
        self._now_ms = now_ms
        self._tasks = tasks

    def settled(self, settled: Settled) -> None:
        """Who is ready is written down and its waves are judged, while the next one runs."""
        self._tasks.start(self._readiness.assess(settled.close_ms, self._now_ms()))
        self._tasks.start(self._judge.judge(settled))

    async def running(self, running: Running) -> None:
        """It is shown, and a model may be asked before it closes."""
        self._page.take_running(running)
        await self._judge.foresee(running)
