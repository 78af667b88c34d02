"""Questions that block: each in a thread that neither the page nor the process's end waits for."""

import asyncio
from collections.abc import Callable
from concurrent.futures import Future
from threading import Thread
from typing import Any, TypeVar

from liq_provider.errors import StoreError

_T = TypeVar("_T")

_AT_ONCE = 8
_PATIENCE_S = 5.0


class BlockingQuestions:
    """
    A store or an exchange that hangs takes the threads that asked it, and nothing else: what
    comes after them is told so, and the page's end leaves them behind.
    """

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(_AT_ONCE)

    async def ask(self, question: Callable[..., _T], *args: Any) -> _T:
        """
        :return: what it returns
        :raises StoreError: as many as may wait for an answer do
        """
        try:
            await asyncio.wait_for(self._free.acquire(), _PATIENCE_S)
        except TimeoutError:
            raise StoreError("store or exchange do not answer; others wait already") from None
        future: Future[_T] = Future()
        future.add_done_callback(self._release_soon(asyncio.get_running_loop()))
        Thread(target=_work, args=(future, question, args), daemon=True, name="page asks").start()
        # What is given up goes on over there, and counts until it ends.
        return await asyncio.shield(asyncio.wrap_future(future))

    def _release_soon(self, loop: asyncio.AbstractEventLoop) -> Callable[[Future[Any]], None]:
        def release(_: Future[Any]) -> None:
            if not loop.is_closed():
                loop.call_soon_threadsafe(self._free.release)

        return release


def _work(future: Future[Any], question: Callable[..., Any], args: tuple[Any, ...]) -> None:
    try:
        result = question(*args)
    except BaseException as error:
        future.set_exception(error)
    else:
        future.set_result(result)
