"""Where verdicts go: into the store, many in one transaction when many come at once."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor

from liq_provider.judge.verdict import Verdict
from liq_provider.judge.wave_records import says_less
from liq_provider.store.verdict_minutes import Confirmed
from liq_provider.store.verdicts import Written
from liq_provider.store.writer import Writer


class VerdictLog:
    """
    What comes while a write is under way shares the next one, so that hundreds of waves in a
    minute are a few transactions on the thread that also stores liquidations.

    :param executor: the store's single thread
    """

    def __init__(self, writer: Writer, executor: Executor, now_ms: Callable[[], int]) -> None:
        self._writer = writer
        self._executor = executor
        self._now_ms = now_ms
        self._waiting: list[tuple[Verdict | None, Confirmed, asyncio.Future[Written]]] = []
        self._task: asyncio.Task[None] | None = None

    async def put(self, verdict: Verdict | None, confirmed: Confirmed) -> Written:
        """
        :param verdict: None if the state was judged before
        :param confirmed: what was judged of this state lives longer
        :return: what became of the verdict
        :raises StoreError: nothing of it was written
        """
        done: asyncio.Future[Written] = asyncio.get_running_loop().create_future()
        self._waiting.append((verdict, confirmed, done))
        if self._task is None:
            self._task = asyncio.create_task(self._write())
        return await done

    async def close(self) -> None:
        """Wait until everything is written."""
        if self._task is not None:
            await self._task

    async def _write(self) -> None:
        try:
            while self._waiting:
                batch, self._waiting = self._waiting, []
                verdicts = [verdict for verdict, _, _ in batch if verdict is not None]
                try:
                    written = await asyncio.get_running_loop().run_in_executor(
                        self._executor,
                        self._writer.put_verdicts,
                        [verdict.row() for verdict in verdicts],
                        [confirmed for _, confirmed, _ in batch],
                        self._now_ms(),
                        says_less,
                    )
                except Exception as error:
                    self._tell(batch, error)
                else:
                    self._tell(batch, dict(zip(map(id, verdicts), written, strict=True)))
        finally:
            self._task = None

    def _tell(
        self,
        batch: list[tuple[Verdict | None, Confirmed, asyncio.Future[Written]]],
        outcome: Exception | dict[int, Written],
    ) -> None:
        for verdict, _, done in batch:
            if done.done():
                continue  # given up in the meantime
            if isinstance(outcome, Exception):
                done.set_exception(outcome)
            else:
                done.set_result(Written.KNOWN if verdict is None else outcome[id(verdict)])
