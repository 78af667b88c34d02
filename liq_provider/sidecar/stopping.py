"""
Asking sidecars to end, and noticing that one was asked.

By a file beside the store, which works while the store hangs, and in containers that share the
directory; and through a store that is a server, which works from machine to machine.
"""

import asyncio
import time
from collections.abc import Iterable
from concurrent.futures import Future
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass

from sqlalchemy import Engine
from sqlalchemy.engine import make_url

from liq_provider.core.clock import machine_ms
from liq_provider.core.one_thread import OneThread
from liq_provider.errors import StoreError
from liq_provider.sidecar.process_mark import ProcessMark
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.store import sidecar_runs
from liq_provider.store.database import open_engine, revision_of

_LOOK_S = 1.0
_STORE_S = 4.0  # less than its driver waits, so that one sentence tells of it
# A sidecar of which nothing was heard for so long is not waited for.
_SILENT_MS = 120_000
# Long enough to obey the file; a process that is proven to be the sidecar then gets a signal.
_SIGNAL_S = 4.0


async def asked_to_stop(files: SidecarFiles, run: str) -> None:
    """Wait until somebody asks this run of the sidecar, by a file, to end."""
    thread = OneThread("stop")
    loop = asyncio.get_running_loop()
    try:
        # Its disk may hang, and with it this thread.
        while True:
            if await loop.run_in_executor(thread, files.asked_to_stop, run):
                return
            await asyncio.sleep(_LOOK_S)
    finally:
        thread.shutdown(wait=False)


@dataclass(slots=True)
class Asked:
    """
    A sidecar that was asked to end.

    :param words: which one it is
    :param mark: of its process, if that is known
    """

    run: str
    words: str
    mark: ProcessMark | None
    ended: bool = False
    signalled: bool = False


class Stop:
    """
    Ask all sidecars of a store to end, and wait for it.

    :param files: beside the store
    :param url: absolute URL of the store
    :ivar asked: whom
    :ivar unheard: why the store could not be asked for sidecars elsewhere
    """

    def __init__(self, files: SidecarFiles, url: str) -> None:
        self.asked: list[Asked] = []
        self.unheard: str | None = None
        self._files = files
        self._lock = SidecarLock(files)
        self._here: Asked | None = None
        # Where the store is a file, all its sidecars have the files beside it in common.
        is_server = make_url(url).get_backend_name() != "sqlite"
        self._engine = open_engine(url) if is_server else None
        self._thread = OneThread("store")
        self._looking: Future[list[sidecar_runs.Run]] | None = None

    def ask(self) -> None:
        """First by the file: it takes no time, and needs no store."""
        self._ask_here()
        if self._engine is not None:
            asking = self._thread.submit(_ask_elsewhere, self._engine)
            try:
                self._ask_others(asking.result(_STORE_S))
            except NotYet:
                self.unheard = f"the store did not answer within {_STORE_S:g} s"
            except StoreError as error:
                self.unheard = str(error)

    def wait(self, timeout_s: float) -> bool:
        """:return: whether all have ended"""
        begun_s = time.monotonic()
        while not self._all_ended():
            waited_s = time.monotonic() - begun_s
            if waited_s > timeout_s:
                return False
            if waited_s > _SIGNAL_S:
                self._signal()
            time.sleep(0.1)
        return True

    def close(self) -> None:
        """Of a store that hangs nothing is given back; the process ends anyway."""
        self._thread.shutdown(wait=False)
        if self._engine is not None and self.unheard is None:
            self._engine.dispose()

    def _ask_here(self) -> None:
        if not self._lock.running():
            return
        mark = self._lock.holder()
        # Whoever holds the lock now is another than a pid file that was left behind says.
        run = "" if mark is None or mark.is_gone() else mark.run
        self._files.ask_to_stop(run)
        words = "its process id is not known" if mark is None else mark.words
        self._here = Asked(run, words, mark)
        self.asked.append(self._here)

    def _ask_others(self, there: Iterable[sidecar_runs.Run]) -> None:
        known = {asked.run for asked in self.asked}
        now_ms = machine_ms()
        for run in there:
            mark = ProcessMark.read(run.mark)
            if run.run in known or (mark is not None and mark.is_gone()):
                continue
            if run.seen_ms > now_ms - _SILENT_MS:
                words = "elsewhere" if mark is None else mark.words
                self.asked.append(Asked(run.run, words, mark))

    def _all_ended(self) -> bool:
        if self._here is not None and not self._here.ended:
            self._here.ended = self._left_the_lock(self._here)
        others = [asked for asked in self.asked if asked is not self._here and not asked.ended]
        if others:
            there = self._runs_there()
            for asked in others:
                gone = asked.mark is not None and asked.mark.is_gone()
                asked.ended = gone or (there is not None and asked.run not in there)
        return all(asked.ended for asked in self.asked)

    def _left_the_lock(self, here: Asked) -> bool:
        if not self._lock.running():
            return True
        # A bot may have started another one at once.
        holder = self._lock.holder()
        return bool(here.run and holder is not None and holder.run and holder.run != here.run)

    def _runs_there(self) -> set[str] | None:
        """:return: None while the store does not say"""
        if self._looking is None and self._engine is not None:
            self._looking = self._thread.submit(sidecar_runs.all_runs, self._engine)
        if self._looking is None or not self._looking.done():
            return None
        looking, self._looking = self._looking, None
        try:
            return {each.run for each in looking.result()}
        except StoreError:
            return None

    def _signal(self) -> None:
        for asked in self.asked:
            if not asked.ended and not asked.signalled and asked.mark is not None:
                asked.signalled = asked.mark.terminate()


def _ask_elsewhere(engine: Engine) -> list[sidecar_runs.Run]:
    if revision_of(engine) is None:
        return []
    there = sidecar_runs.all_runs(engine)
    sidecar_runs.ask(engine, [each.run for each in there])
    return there
