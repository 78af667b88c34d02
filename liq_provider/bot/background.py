"""
Work that may block for ever, in threads of its own.

A server that was stopped, a connection that is half open or a mount that hangs holds up whoever
asks, and no timeout of a driver covers all of them. So the bot never asks: a daemon thread does,
again and again, and the bot takes what came of it last and judges its age.
"""

import logging
import threading
import time
import weakref
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Generic, Protocol, TypeVar

T = TypeVar("T")

logger = logging.getLogger(__name__)

# Those whose connection is broken off end; a mount that is dead holds each of them for ever.
_MOST_THREADS = 4


class Work(Protocol[T]):
    """What is done again and again; it may block."""

    def __call__(self, before: T, answered: Callable[[], None]) -> T:
        """
        :param before: what came of it last
        :param answered: to be called whenever the other side answered
        :return: what came of it now
        """

    def hang_up(self) -> None:
        """Break off what it waits for, if that can be done; called by others, must not block."""

    def close(self) -> None:
        """It was the last time."""


@dataclass(slots=True, eq=False)
class _Run(Generic[T]):
    """
    One thread's place. A thread that comes back after another took over writes into its own
    place, which nobody reads any more, so nothing has to be locked.

    :param answered_s: when the other side last answered
    :param heard_s: likewise, or when this thread began
    :param work: None before it was made
    """

    value: T
    answered_s: float
    heard_s: float
    left: threading.Event = field(default_factory=threading.Event)
    work: Work[T] | None = None
    thread: threading.Thread | None = None

    def answer(self) -> None:
        """The other side answered."""
        self.answered_s = self.heard_s = time.monotonic()

    def turn(self, make: Callable[[], Work[T]]) -> None:
        """Do the work once; what fails has answered nothing."""
        answered_s = self.answered_s
        try:
            if self.work is None:
                self.work = make()
            self.value = self.work(self.value, self.answer)
        except BaseException:
            self.answered_s = answered_s
            raise

    def hang_up(self) -> None:
        """Break off what the thread waits for."""
        if self.work is not None:
            self.work.hang_up()


class Background(Generic[T]):
    """
    Does the same work again and again, from the first ``take`` on until ``end``.

    :param name: of the threads
    :param make: makes the work; each thread has one of its own
    :param first: what there is before anything came of it
    :param every_s: pause between two turns
    :param give_up_s: a thread that heard nothing for so long is broken off and left to itself,
        and another tries; None to wait for the one for ever
    """

    def __init__(
        self,
        name: str,
        make: Callable[[], Work[T]],
        first: T,
        every_s: float,
        give_up_s: float | None = None,
    ) -> None:
        self._name = name
        self._make = make
        self._every_s = every_s
        self._give_up_s = give_up_s
        self._ended = threading.Event()
        now_s = time.monotonic()
        self._run: _Run[T] = _Run(first, now_s, now_s)
        self._runs: list[_Run[T]] = []
        self._begun = False
        self._broken_off_s = now_s
        # Should nobody call ``end``, the threads go with the object.
        weakref.finalize(self, self._ended.set)

    def take(self) -> T:
        """:return: what came last; never waits"""
        self._keep_running()
        return self._run.value

    @property
    def unanswered_s(self) -> float:
        """For how long the other side has not answered."""
        return time.monotonic() - self._run.answered_s

    @property
    def threads(self) -> int:
        """How many there are; more than one while some do not come back."""
        self._runs = [run for run in self._runs if run.thread and run.thread.is_alive()]
        return len(self._runs)

    def end(self) -> None:
        """No more work; a thread that is in the middle of it ends after that."""
        self._ended.set()

    def _keep_running(self) -> None:
        if self._ended.is_set():
            return
        alive, now_s = self.threads, time.monotonic()
        if not alive:
            self._start(now_s)
            return
        silent_s = now_s - max(self._run.heard_s, self._broken_off_s)
        if self._give_up_s is None or silent_s < self._give_up_s:
            return
        self._broken_off_s = now_s
        # Also those that were left before: they may have had no connection yet.
        for run in self._runs:
            run.hang_up()
        if alive >= _MOST_THREADS:
            return
        logger.warning(
            "The thread %s has heard nothing for %.0f s; another one tries", self._name, silent_s
        )
        self._run.left.set()
        self._start(now_s)

    def _start(self, now_s: float) -> None:
        # Nobody could answer before it was asked. One thread's silence is also the next one's.
        answered_s = self._run.answered_s if self._begun else now_s
        self._begun = True
        run = _Run(self._run.value, answered_s, now_s)
        run.thread = threading.Thread(
            target=_work,
            args=(run, self._make, self._every_s, self._ended),
            name=self._name,
            daemon=True,
        )
        self._run = run
        try:
            run.thread.start()
        except RuntimeError as error:  # the system has none left; exits must go on
            logger.error("The thread %s cannot be started: %s", self._name, error)
            return
        self._runs.append(run)


def _work(
    run: _Run[T], make: Callable[[], Work[T]], every_s: float, ended: threading.Event
) -> None:
    """Without a reference to the ``Background``, which could not be collected otherwise."""
    said = ""
    try:
        while not ended.is_set() and not run.left.is_set():
            try:
                run.turn(make)
            # Whatever it is, even SystemExit: nobody would do the work any more.
            except BaseException as error:
                if repr(error) != said:
                    logger.exception("The thread %s", threading.current_thread().name)
                said = repr(error)
            else:
                said = ""
            ended.wait(every_s)
    finally:
        if run.work is not None:
            run.work.close()
