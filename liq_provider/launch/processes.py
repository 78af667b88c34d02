"""Child processes of a launcher: started with a log, ended politely, then firmly."""

import logging
import os
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path

logger = logging.getLogger(__name__)

_POLITE_S = 20.0


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
                env={**os.environ, **(env or {})},
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


def python_module(module: str, *arguments: str) -> list[str]:
    """:return: a command that runs one of the environment's modules"""
    return [sys.executable, "-m", module, *arguments]
