"""
``run`` and ``stop``: the sidecar in the foreground, and its end.

What uses ccxt is imported where it is needed: a sidecar's process begins with a lean one.
"""

import argparse
import asyncio
import json
import logging
import os
import signal
import sys
import tempfile
import threading
from io import TextIOWrapper
from logging.handlers import RotatingFileHandler
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn
from uuid import uuid4

from liq_provider.commands.support.context import Context, context_of
from liq_provider.core import private_files
from liq_provider.core.freed_memory import give_back_freed
from liq_provider.core.secret_keys import RedactingFormatter
from liq_provider.errors import LiqError, UsageError
from liq_provider.exchange.lean_ccxt import load_lean
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock
from liq_provider.sidecar.stopping import Stop, asked_to_stop

if TYPE_CHECKING:
    from liq_provider.sidecar.page_protocol import Page
    from liq_provider.sidecar.service import Sidecar
    from liq_provider.sidecar.sidecar_config import SidecarConfig

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

    def _open(self) -> TextIOWrapper:
        file = open(self.baseFilename, "a", encoding="utf-8", opener=private_files.opener)
        return file


def run(arguments: argparse.Namespace) -> NoReturn:
    """Run until a signal, ``stop``, or the last bot is gone (if a bot started it)."""
    if not arguments.config_from_stdin:
        _begin_anew(context_of(arguments))
    load_lean()
    give_back_freed()
    from liq_provider.sidecar.sidecar_config import SidecarConfig

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


def _run_alone(config: "SidecarConfig") -> int:
    try:
        own_run = uuid4().hex
        with SidecarLock(config.files, own_run).held() as first:
            if not first:
                logger.info("Another sidecar serves this store already; nothing to do.")
                return 0
            for path in private_files.narrow(config.files.kept()):
                logger.warning("%s could be read by others; now it cannot.", path)
            # Not closed: that would wait for threads, and one of them may be lost in the store.
            asyncio.Runner().run(_serve(config, own_run))
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
    closing = threading.Thread(target=logging.shutdown, daemon=True, name="log")
    closing.start()
    closing.join(_LOG_S)
    os._exit(code)


def _begin_anew(context: Context) -> NoReturn:
    """
    Replace this process by one that gets the finished configuration over standard input, as a
    bot does it: reading Freqtrade's configuration took some 80 MB that a sidecar never needs.
    """
    from liq_provider.bot.autostart import sidecar_config
    from liq_provider.sidecar.sidecar_config import SidecarConfig

    config = sidecar_config(context.config, context.settings, context.base_dir)
    SidecarConfig.of(config)  # what is wrong is said by this process already
    with tempfile.TemporaryFile() as file:
        file.write(json.dumps(config).encode())
        file.seek(0)
        os.dup2(file.fileno(), sys.stdin.fileno())
    arguments = ["-m", "liq_provider.cli", "run", "--config-from-stdin", "--foreground"]
    os.execv(sys.executable, [sys.executable, *arguments])  # noqa: S606 - our own interpreter


async def _serve(config: "SidecarConfig", own_run: str) -> None:
    from liq_provider.sidecar.service import Sidecar

    sidecar = Sidecar(config, own_run=own_run, make_page=_make_page)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, _end, sidecar)
    obeying = asyncio.create_task(_obey(sidecar, config.files, own_run))
    await sidecar.run()
    obeying.cancel()


def _make_page(*wiring: Any) -> "Page":
    # The web server is a second's import and some memory, which not everybody needs.
    from liq_provider.dashboard.page_server import page_of

    return page_of(*wiring)


async def _obey(sidecar: "Sidecar", files: SidecarFiles, own_run: str) -> None:
    await asked_to_stop(files, own_run)
    logger.info("Asked to end, by a file beside the store")
    _end(sidecar)


def _end(sidecar: "Sidecar") -> None:
    """An orderly end takes seconds, whatever hangs; the timer is for what nobody foresaw."""
    sidecar.stop()
    timer = threading.Timer(_END_S, _leave, (1,))
    timer.daemon = True
    timer.start()


def stop(arguments: argparse.Namespace) -> int:
    """
    Ask all sidecars of the store to end and wait until they have. Exit status 1 if one has not,
    or if a store that is a server could not be asked which there are.
    """
    context = context_of(arguments)
    files = context.files
    if files.lock.exists() and not os.access(files.lock, os.R_OK | os.W_OK):
        raise UsageError(f"{files.lock} is another user's; stop the sidecar as that user")
    stopping = Stop(files, context.store_url)
    stopping.ask()
    all_ended = stopping.wait(_STOP_WAIT_S)
    stopping.close()
    for asked in stopping.asked:
        became = "ended" if asked.ended else f"has not ended yet; see its log, such as {files.log}"
        print(f"The sidecar ({asked.words}) {became}.")
    if not stopping.asked:
        print("No sidecar is running.")
    elif len(stopping.asked) > 1:
        ended = sum(asked.ended for asked in stopping.asked)
        print(f"{ended} of {len(stopping.asked)} sidecars of this store ended.")
    if stopping.unheard is not None:
        print(f"Sidecars on other machines were not asked: {stopping.unheard}.")
    if stopping.asked and files.bots():
        print("A bot is running; with autostart it starts a sidecar again.")
    return 0 if all_ended and stopping.unheard is None else 1
