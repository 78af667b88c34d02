"""A single thread that does one thing after the other, and that no end of the process waits for."""

import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from queue import SimpleQueue
from threading import Thread
from typing import Any, TypeVar

_T = TypeVar("_T")
_Job = tuple[Future[Any], Callable[..., Any], tuple[Any, ...], dict[str, Any]]


class OneThread(Executor):
    """
    What is submitted may hang for ever, in a database's client or on a disk. Python's own
    executors are joined when the process ends; this one's thread is left to itself.

    :param name: of the thread
    """

    def __init__(self, name: str) -> None:
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._ended = False
        self._begun_s: float | None = None
        self._thread = Thread(target=self._work, name=name, daemon=True)
        self._thread.start()

    @property
    def busy_s(self) -> float:
        """For how long it has been at what it does now; 0 if it does nothing."""
        begun_s = self._begun_s
        return 0.0 if begun_s is None else time.monotonic() - begun_s

    def submit(self, fn: Callable[..., _T], /, *args: Any, **kwargs: Any) -> Future[_T]:
        """
        :return: what will become of the call
        :raises RuntimeError: it was shut down
        """
        if self._ended:
            raise RuntimeError(f"the thread {self._thread.name!r} was ended")
        future: Future[_T] = Future()
        self._jobs.put((future, fn, args, kwargs))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """
        End when everything that was submitted is done.

        :param wait: for that
        :param cancel_futures: what has not begun is given up
        """
        self._ended = True
        while cancel_futures and not self._jobs.empty():
            job = self._jobs.get()
            if job is not None:
                job[0].cancel()
        self._jobs.put(None)
        if wait:
            self._thread.join()

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            future, call, args, kwargs = job
            if not future.set_running_or_notify_cancel():
                continue
            self._begun_s = time.monotonic()
            try:
                future.set_result(call(*args, **kwargs))
            except BaseException as error:
                future.set_exception(error)
            self._begun_s = None
            # Until the next job nothing of this one is held.
            del job, future, call, args, kwargs
