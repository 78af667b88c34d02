"""The files beside the store that let one sidecar serve several bots."""

import json
import os
import re
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from socket import gethostname
from typing import Any

from sqlalchemy.engine import make_url

from liq_provider.core import private_files
from liq_provider.core.durations import DAY_S
from liq_provider.errors import StoreUnusable

_THERE_S = 60.0


@dataclass(frozen=True, slots=True)
class SidecarFiles:
    """
    Where the sidecar of one store keeps its lock, log, spool and heartbeats.

    :param prefix: path that all of them begin with
    """

    prefix: Path

    @classmethod
    def of(cls, store_url: str, base_dir: Path) -> "SidecarFiles":
        """
        :param store_url: absolute URL of the store
        :param base_dir: parent of user_data; used where the store is no file
        """
        url = make_url(store_url)
        if url.get_backend_name() == "sqlite" and url.database:
            return cls(Path(url.database))
        name = f"liq_provider-{url.host or 'local'}-{url.database or 'default'}"
        return cls(base_dir / "user_data" / name)

    def _with(self, ending: str) -> Path:
        return self.prefix.with_name(self.prefix.name + ending)

    @property
    def lock(self) -> Path:
        """Held by the running sidecar."""
        return self._with(".lock")

    @property
    def pid(self) -> Path:
        """Which process the running sidecar is."""
        return self._with(".pid")

    @property
    def log(self) -> Path:
        """Log of an autostarted sidecar."""
        return self._with(".log")

    @property
    def spool(self) -> Path:
        """Liquidations that wait for the store."""
        return self._with(".spool")

    def stop_request(self, run: str) -> Path:
        """Is there if somebody asked that sidecar to end; any one, if ``run`` is empty."""
        return self._with(f".stop-{run or 'any'}")

    def heartbeat(self, pid: int | None = None) -> Path:
        """Touched by a bot in every loop. In containers every bot may have the same pid."""
        return self._with(f".bot-{gethostname()}-{os.getpid() if pid is None else pid}")

    def beat(self, told: Mapping[str, Any] | None = None) -> None:
        """
        A bot says that it is there.

        :param told: about itself, for the dashboard
        """
        path, text = self.heartbeat(), json.dumps(told or {})
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.is_file() and path.read_text(encoding="utf-8") == text:
            os.utime(path, follow_symlinks=False)
            return
        private_files.replace_text(path, text)

    def bots(self) -> list[dict[str, Any]]:
        """:return: what the bots of this machine that are there now told about themselves"""
        told = []
        for path in sorted(self.prefix.parent.glob(self.prefix.name + ".bot-*")):
            try:
                if time.time() - path.stat().st_mtime <= _THERE_S:
                    told.append(dict(json.loads(path.read_text(encoding="utf-8") or "{}")))
            except (OSError, ValueError, TypeError):
                continue  # it just went, or is no bot's
        return told

    def last_beat_s(self) -> float | None:
        """
        :return: age in seconds of the newest bot heartbeat, None if no bot ever came; those
            that are older than a day are removed
        """
        ages = []
        for path in self.prefix.parent.glob(self.prefix.name + ".bot-*"):
            try:
                age = time.time() - path.stat().st_mtime
                if age > DAY_S:
                    path.unlink()
                ages.append(age)
            except OSError:
                continue  # it just went, or is not ours to remove
        return min(ages) if ages else None

    def ask_to_stop(self, run: str) -> None:
        """
        :param run: of the sidecar that is to end; empty if it is not known
        :raises StoreUnusable: the directory cannot be written
        """
        path = self.stop_request(run)
        try:
            private_files.make(path)
        except OSError as error:
            raise StoreUnusable(f"{path}: {error.strerror}") from error

    def asked_to_stop(self, run: str) -> bool:
        """:return: whether this run of the sidecar was asked to end"""
        return any(os.path.lexists(self.stop_request(name)) for name in (run, ""))

    def kept(self) -> list[Path]:
        """:return: the store, if it is a file, and all that lies beside it because of it"""
        beside = self.prefix.parent.glob(self.prefix.name + "*")
        endings = r"(-wal|-shm|-journal|\.(lock|pid|log|spool|bot-|stop-).*)?"
        return sorted(
            path for path in beside if re.fullmatch(endings, path.name[len(self.prefix.name) :])
        )

    def forget_requests(self) -> None:
        """Whoever was asked to end did, or is no more."""
        for path in self.prefix.parent.glob(self.prefix.name + ".stop-*"):
            with suppress(OSError):
                path.unlink()
