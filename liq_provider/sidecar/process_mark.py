"""
Which process a sidecar is, so that nobody else is taken for it.

A number alone says little: it is another process's in another container, and may be a
stranger's once the sidecar was killed.
"""

import json
import os
import signal
from dataclasses import asdict, dataclass
from pathlib import Path
from socket import gethostname

_BOOT = Path("/proc/sys/kernel/random/boot_id")
_NAMESPACE = Path("/proc/self/ns/pid")
_COMMAND = (b"liq_provider.cli", b"run")
# Of /proc/PID/stat, counted behind the command's name: state is the first.
_START_FIELD = 19


@dataclass(frozen=True, slots=True)
class ProcessMark:
    """
    :param run: of the sidecar; empty if it is not known
    :param host: for people
    :param boot: of the machine's kernel
    :param namespace: of process ids, one for each container
    :param started: when the process did, in ticks since the boot
    """

    pid: int
    run: str = ""
    host: str = ""
    boot: str = ""
    namespace: str = ""
    started: str = ""

    @classmethod
    def mine(cls, run: str) -> "ProcessMark":
        """:return: of this process"""
        pid = os.getpid()
        return cls(pid, run, gethostname(), *_here(), _started("self"))

    @classmethod
    def read(cls, text: str) -> "ProcessMark | None":
        """
        :param text: of a pid file; earlier versions wrote the number alone
        :return: None if it is no such file
        """
        try:
            said = json.loads(text)
            mark = cls(**said) if isinstance(said, dict) else cls(said)
        except (ValueError, TypeError):
            return None
        return mark if type(mark.pid) is int else None

    def write(self) -> str:
        """:return: the text for ``read``"""
        return json.dumps(asdict(self))

    @property
    def words(self) -> str:
        """For messages."""
        return f"pid {self.pid}" + (f" on {self.host}" if self.host else "")

    def is_gone(self) -> bool:
        """:return: True if it ran where we are, and does not any more"""
        return self._is_here() and not self._is_there()

    def terminate(self) -> bool:
        """
        Send SIGTERM, but only to the very process that left this mark.

        :return: whether it was sent
        """
        if not self._is_here() or not hasattr(os, "pidfd_open"):
            return False
        try:
            # From here on the number cannot become another process's unnoticed.
            file = os.pidfd_open(self.pid)
        except OSError:
            return False
        try:
            if not self._is_there() or not self._is_a_sidecar():
                return False
            signal.pidfd_send_signal(file, signal.SIGTERM)
        except OSError:
            return False
        finally:
            os.close(file)
        return True

    def _is_here(self) -> bool:
        return bool(self.boot and self.namespace and self.started) and _here() == (
            self.boot,
            self.namespace,
        )

    def _is_there(self) -> bool:
        return _started(str(self.pid)) == self.started

    def _is_a_sidecar(self) -> bool:
        try:
            command = Path(f"/proc/{self.pid}/cmdline").read_bytes().split(b"\0")
        except OSError:
            return False
        return all(word in command for word in _COMMAND)


def _here() -> tuple[str, str]:
    """Empty where the system does not tell; then no process can be proven to be another's."""
    try:
        return _BOOT.read_text(encoding="ascii").strip(), str(_NAMESPACE.readlink())
    except OSError:
        return "", ""


def _started(pid: str) -> str:
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
    # A command's name may hold spaces and brackets.
    fields = text.rpartition(")")[2].split()
    return fields[_START_FIELD] if len(fields) > _START_FIELD else ""
