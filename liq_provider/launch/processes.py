"""Child processes of a launcher: started with a log, ended politely, then firmly."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

logger = logging.getLogger(__name__)

_POLITE_S = 20.0
_ENDINGS = (signal.SIGTERM, signal.SIGHUP)


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
        with log.open("ab") as output:
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

    def stop(self, number: signal.Signals = signal.SIGINT) -> None:
        """End it and wait until it has."""
        if not self.running:
            return
        self._process.send_signal(number)
        try:
            self._process.wait(_POLITE_S)
        except subprocess.TimeoutExpired:
            logger.warning("%s does not end; killing it", self.name)
            self._process.kill()
            self._process.wait()


@contextmanager
def ended_politely() -> Iterator[None]:
    """
    Let a closed terminal or a plain kill end a launcher as Ctrl-C does; otherwise its children
    would outlive it.
    """

    def interrupt(_number: int, _frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _ENDINGS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def stop_all(children: Sequence["Child"], numbers: Mapping[str, signal.Signals]) -> None:
    """
    End children in order, whatever an impatient user presses meanwhile.

    :param numbers: signal by a child's name; SIGTERM for the others
    """
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (*_ENDINGS, signal.SIGINT)
    }
    try:
        for child in children:
            child.stop(numbers.get(child.name, signal.SIGTERM))
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def python_module(module: str, *arguments: str) -> list[str]:
    """:return: a command that runs one of the environment's modules"""
    return [sys.executable, "-m", module, *arguments]
