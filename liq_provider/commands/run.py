"""``run`` and ``stop``: the sidecar in the foreground, and its end."""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import threading
import time
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import NoReturn

from liq_provider.bot.autostart import sidecar_config
from liq_provider.commands.common import Context, context
from liq_provider.errors import LiqError, UsageError
from liq_provider.keys import RedactingFormatter
from liq_provider.service import Sidecar
from liq_provider.sidecarconfig import SidecarConfig

_STOP_WAIT_S = 20.0
_END_S = 15.0
_LOG_S = 1.0
_LOG_BYTES = 10 * 1024 * 1024

logger = logging.getLogger(__name__)


class _Log(RotatingFileHandler):
    """A log that is begun anew when somebody removes its file."""

    def emit(self, record: logging.LogRecord) -> None:
        if self.stream is not None and not Path(self.baseFilename).exists():
            self.stream.close()
            self.stream = self._open()
        super().emit(record)


def run(arguments: argparse.Namespace) -> NoReturn:
    """Run until a signal, ``stop``, or the last bot is gone (if a bot started it)."""
    if not arguments.config_from_stdin:
        _begin_anew(context(arguments))
    config = SidecarConfig.of(json.load(sys.stdin), idle_exit=not arguments.foreground)
    # An autostarted sidecar runs for months with nobody watching its output.
    handler: logging.Handler = (
        logging.StreamHandler(sys.stdout)
        if arguments.foreground
        else _Log(config.files.log, maxBytes=_LOG_BYTES, backupCount=3)
    )
    handler.setFormatter(RedactingFormatter("%(asctime)s %(levelname)-7s %(name)s: %(message)s"))
    logging.basicConfig(level=config.settings.log_level, handlers=[handler])
    for noisy in ("httpx", "httpx2", "httpcore", "openai"):
        logging.getLogger(noisy).setLevel(logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.WARNING)
    _leave(_run_alone(config))


def _run_alone(config: SidecarConfig) -> int:
    try:
        with config.files.held() as first:
            if not first:
                logger.info("Another sidecar serves this store already; nothing to do.")
                return 0
            # Not closed: that would wait for threads, and one of them may be lost in the store.
            asyncio.Runner().run(_serve(Sidecar(config)))
    except LiqError as error:
        logger.error("%s", error)
        return 2
    except Exception:
        logger.exception("The sidecar failed")
        return 1
    return 0


def _leave(code: int) -> NoReturn:
    """Everything is written and closed; whatever thread still hangs must not hold us."""
    # The log may lie on the disk that hangs.
    closing = threading.Thread(target=logging.shutdown, daemon=True)
    closing.start()
    closing.join(_LOG_S)
    os._exit(code)


def _begin_anew(found: Context) -> NoReturn:
    """
    Replace this process by one that gets the finished configuration over standard input, as a
    bot does it: reading Freqtrade's configuration took some 80 MB that a sidecar never needs.
    """
    config = sidecar_config(found.config, found.settings, found.base_dir)
    SidecarConfig.of(config)  # what is wrong is said by this process already
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(config).encode())
        file.seek(0)
        os.dup2(file.fileno(), sys.stdin.fileno())
    arguments = ["-m", "liq_provider.cli", "run", "--config-from-stdin", "--foreground"]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - our own interpreter


async def _serve(sidecar: Sidecar) -> None:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _end, sidecar)
    await sidecar.run()


def _end(sidecar: Sidecar) -> None:
    """An orderly end takes seconds, whatever hangs; the timer is for what nobody foresaw."""
    sidecar.stop()
    timer = threading.Timer(_END_S, _leave, (1,))
    timer.daemon = True
    timer.start()


def stop(arguments: argparse.Namespace) -> int:
    """Ask the sidecar to end and wait until it has."""
    files = context(arguments).files
    pid = files.running_pid()
    if pid is None:
        if files.running():
            raise UsageError(f"a sidecar holds {files.lock}, but its process id is not known")
        print("No sidecar is running.")
        return 0
    os.kill(pid, signal.SIGTERM)
    deadline_s = time.monotonic() + _STOP_WAIT_S
    while files.running():
        if time.monotonic() > deadline_s:
            print(f"The sidecar (pid {pid}) has not ended yet; see {files.log}.")
            return 1
        time.sleep(0.1)
    print(f"The sidecar (pid {pid}) ended.")
    return 0
