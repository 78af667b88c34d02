"""An event loop in a thread of its own, so that what it does never holds up the feeds' loop."""

import asyncio
from collections.abc import Coroutine
from contextlib import suppress
from threading import Lock, Thread
from typing import Any, TypeVar

_T = TypeVar("_T")

_BLOCKED_S = 1.0


class OwnLoop:
    """
    Starts with the first call. A call that is cancelled is cancelled over there, too.

    :param name: of the thread
    """

    def __init__(self, name: str) -> None:
        self._name = name
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread: Thread | None = None
        self._starting = Lock()

    async def call(self, work: Coroutine[Any, Any, _T]) -> _T:
        """:return: what ``work`` returns when it is run in the other loop"""
        return await asyncio.wrap_future(asyncio.run_coroutine_threadsafe(work, self._running()))

    def begin(self, work: Coroutine[Any, Any, None]) -> None:
        """Run ``work``, which must not raise, in the other loop, and wait for nothing."""
        asyncio.run_coroutine_threadsafe(work, self._running())

    async def finish(self, grace_s: float) -> None:
        """
        Wait until nothing runs there any more, so that what it used can be closed.

        :param grace_s: how long it may take before it is cancelled, and once more after that;
            what blocks the loop is not waited for any longer
        """
        if self._loop is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(2 * grace_s + _BLOCKED_S):
                    await self.call(_others_end(grace_s))

    async def close(self) -> None:
        """End the thread; what still runs in it is cancelled, what blocks it left to itself."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None:
            return
        self._loop = self._thread = None
        loop.call_soon_threadsafe(loop.stop)
        await asyncio.to_thread(thread.join, _BLOCKED_S)

    def _running(self) -> asyncio.AbstractEventLoop:
        with self._starting:
            if self._loop is None:
                self._loop = asyncio.new_event_loop()
                self._thread = Thread(target=_run, args=(self._loop,), name=self._name, daemon=True)
                self._thread.start()
            return self._loop


async def _others_end(seconds: float) -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    if others:
        _, late = await asyncio.wait(others, timeout=seconds)
        for task in late:
            task.cancel()
        if late:
            await asyncio.wait(late, timeout=seconds)


def _run(loop: asyncio.AbstractEventLoop) -> None:
    asyncio.set_event_loop(loop)
    try:
        while True:
            try:
                loop.run_forever()
                break
            except (SystemExit, KeyboardInterrupt):
                # Of one task, whose caller is told; the others go on.
                continue
        tasks = asyncio.all_tasks(loop)
        for task in tasks:
            task.cancel()
        loop.run_until_complete(asyncio.gather(*tasks, return_exceptions=True))
        loop.run_until_complete(loop.shutdown_asyncgens())
    finally:
        loop.close()
