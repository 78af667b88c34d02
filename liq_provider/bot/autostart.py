"""Start the sidecar from the bot, so that ``freqtrade trade`` is the only command."""

import json
import logging
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from liq_provider.config.pair_list_file import TERMS, PairListTerms
from liq_provider.config.settings import SECTION, Settings
from liq_provider.core import private_files
from liq_provider.sidecar.sidecar_config import STRATEGY_KEYS
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.sidecar.sidecar_lock import SidecarLock

logger = logging.getLogger(__name__)

_RESTART_S = 60.0
_SECRET_KEYS = {"key", "secret", "password", "uid", "apiKey", "privateKey", "walletAddress"}

# A sidecar outlives whoever started it: a bot that is configured anew drops its ``Autostart``.
# Kept here it is still waited for once it ends, and Python has nothing to warn of.
_started: set["subprocess.Popen[bytes]"] = set()


def still_running() -> list[int]:
    """:return: process ids of the sidecars that this process started; others are waited for"""
    for process in tuple(_started):
        if process.poll() is not None:
            _started.discard(process)
    return [process.pid for process in tuple(_started)]


def sidecar_config(config: Mapping[str, Any], settings: Settings, base_dir: Path) -> dict[str, Any]:
    """
    What a sidecar must know of the bot: effective settings and the exchange's addresses.

    :param config: Freqtrade's configuration
    :return: no credentials of an exchange in it
    """
    exchange = config.get("exchange", {})
    ccxt_config = {**exchange.get("ccxt_config", {}), **exchange.get("ccxt_sync_config", {})}
    return {
        SECTION: settings.model_dump(mode="json"),
        "exchange": {
            "name": exchange.get("name"),
            "ccxt_config": {k: v for k, v in ccxt_config.items() if k not in _SECRET_KEYS},
        },
        "timeframe": config.get("timeframe"),
        "base_dir": str(base_dir),
        "api_server": _api_server(config),
        TERMS: asdict(PairListTerms.of(config, settings)),
        **{name: str(config[name]) for name in STRATEGY_KEYS if config.get(name)},
    }


def _api_server(config: Mapping[str, Any]) -> dict[str, Any]:
    """
    How the dashboard asks the bot. Its password is the only one that a sidecar is given, over
    standard input, and it goes nowhere but back to the bot.
    """
    names = ("enabled", "listen_ip_address", "listen_port", "username", "password")
    section = config.get("api_server") or {}
    return {name: section[name] for name in names if name in section}


class Autostart:
    """
    Keeps a sidecar running while the bot does. The sidecar gets a process session of its own,
    so that Ctrl-C on the bot does not end it; the lock beside the store makes racing starts
    harmless.

    :param files: beside the store
    :param config: see ``sidecar_config``
    :param monotonic_s: a clock for the restart limit
    :param restart_s: at most one start in this time
    """

    def __init__(
        self,
        files: SidecarFiles,
        config: Mapping[str, Any],
        monotonic_s: Callable[[], float] = time.monotonic,
        restart_s: float = _RESTART_S,
    ) -> None:
        self._files = files
        self._config = config
        self._monotonic_s = monotonic_s
        self._restart_s = restart_s
        self._last_start_s: float | None = None
        self._process: subprocess.Popen[bytes] | None = None

    def ensure(self) -> bool:
        """
        Start a sidecar if none is running, at most once in ``restart_s``.

        :return: True if one was started
        """
        self._report_end()
        still_running()
        if self._process is not None:
            return False
        now_s = self._monotonic_s()
        if self._last_start_s is not None and now_s - self._last_start_s < self._restart_s:
            return False
        if SidecarLock(self._files).running():
            return False
        self._last_start_s = now_s
        self._start()
        return True

    def _report_end(self) -> None:
        code = None if self._process is None else self._process.poll()
        if code is None:
            return
        self._process = None
        if code:  # 0: another bot's sidecar was first, or it was asked to end
            logger.warning("The sidecar ended (exit status %s); see %s", code, self._files.log)

    def _start(self) -> None:
        self._files.log.parent.mkdir(parents=True, exist_ok=True)
        with open(self._files.log, "ab", opener=private_files.opener) as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "liq_provider.cli", "run", "--config-from-stdin"],
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        _started.add(self._process)
        assert self._process.stdin is not None
        try:
            with self._process.stdin as told:
                told.write(json.dumps(self._config).encode())
        except BrokenPipeError:
            logger.error("The sidecar did not start; see %s", self._files.log)
            return
        logger.info("Started the sidecar (pid %s), log %s", self._process.pid, self._files.log)
