"""Child processes of a launcher: started with a log, ended politely, then firmly."""

import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from liq_provider.core import private_files

logger = logging.getLogger(__name__)

_POLITE_S = 20.0
_NOTICE_S = 0.1
_ENDINGS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Child:
    """
    :param name: for messages
    :param command: arguments; the first is a module of ours or a program beside Python
    :param log: file that takes its output
    :param env: added to the environment
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str] | None = None,
    ) -> None:
        self.name = name
        self.log = log
        with open(log, "ab", opener=private_files.opener) as output:
            # A session of its own: Ctrl-C reaches the launcher, which ends its children in order.
            self._process = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=subprocess.STDOUT,
                # Freqtrade wraps its log at the terminal's width; a file has none.
                env={**os.environ, "COLUMNS": "250", **(env or {})},
                start_new_session=True,
            )

    @property
    def pid(self) -> int:
        """Its process id."""
        return self._process.pid

    @property
    def running(self) -> bool:
        """False once it ended."""
        return self._process.poll() is None

    def stop(self) -> None:
        """End it and wait until it has."""
        if not self.running:
            return
        # Not as Ctrl-C does: what was started in the background of a script ignores that.
        self._process.terminate()
        try:
            self._process.wait(_POLITE_S)
        except subprocess.TimeoutExpired:
            logger.warning("%s does not end; killing it", self.name)
            self._process.kill()
            self._process.wait()


class Ending:
    """
    The wish that a launcher ends. A signal may come in the middle of anything, where an exception
    would tear a database's connection; so it is only noted, and obeyed where nothing is half done.
    """

    def __init__(self) -> None:
        self._asked = False

    def ask(self, number: int, _frame: object) -> None:
        """
        Handler of the signals that end.

        :raises KeyboardInterrupt: at a second Ctrl-C, for one who will not wait
        """
        if self._asked and number == signal.SIGINT:
            raise KeyboardInterrupt
        self._asked = True

    def pause(self, seconds: float) -> None:
        """
        Sleep.

        :raises KeyboardInterrupt: once the end was asked for, before or meanwhile
        """
        until_s = time.monotonic() + seconds
        while not self._asked and (left_s := until_s - time.monotonic()) > 0:
            time.sleep(min(left_s, _NOTICE_S))
        if self._asked:
            raise KeyboardInterrupt


@contextmanager
def ended_politely() -> Iterator[Ending]:
    """
    Let Ctrl-C, a closed terminal or a plain kill end a launcher, with its children, at its next
    pause. What is ignored stays so, as ``nohup`` and a script's background have it.
    """
    ending = Ending()
    before = {
        number: signal.signal(number, ending.ask)
        for number in _ENDINGS
        if signal.getsignal(number) != signal.SIG_IGN
    }
    try:
        yield ending
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_all(children: Sequence["Child"]) -> None:
    """End children in order, whatever an impatient user presses meanwhile."""
    before = {number: signal.signal(number, signal.SIG_IGN) for number in _ENDINGS}
    try:
        for child in children:
            child.stop()
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def python_module(module: str, *arguments: str) -> list[str]:
    """:return: a command that runs one of the environment's modules"""
    return [sys.executable, "-m", module, *arguments]
