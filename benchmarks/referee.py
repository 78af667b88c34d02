"""
Runs a row: who takes part takes turns, in another order each round, and every result is compared.

A contestant that fails, hangs or says no figures makes the row one that was not computed. It never
ends the others.
"""

import json
import math
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from dataclasses import dataclass, field
from pathlib import Path
from threading import Event

from benchmarks.contest import Growth, Measured, Row
from benchmarks.minute_ends import MinuteEnds

ROOT = Path(__file__).parents[1]
_LOOK_S = 0.2


class RunError(Exception):
    """A run came to nothing. It says why."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """
    :param runs: of each contestant, a round after the other
    :param growth: of each thing that grows, its cost in seconds with each size
    :param failure: why the row was not computed, or what is not equal; empty if all is well
    """

    row: Row
    runs: Mapping[str, list[Measured]] = field(default_factory=dict)
    growth: Mapping[str, list[float]] = field(default_factory=dict)
    failure: str = ""


@dataclass(frozen=True, slots=True)
class Referee:
    """
    :param own: Python of LiqTrend's environment
    :param peers: Python of the peers' environment
    :param folder: for what is made; emptied by whoever made it
    :param minute_ends: who waits for them, and who stands still then
    :param ended: ends whatever runs, once it is set
    """

    own: Path
    peers: Path
    folder: Path
    tell: Callable[[str], None] = print
    minute_ends: MinuteEnds = field(default_factory=MinuteEnds)
    ended: Event = field(default_factory=Event)

    def judge(self, row: Row, rounds: int | None = None) -> Outcome:
        """:param rounds: in place of the row's own"""
        runs: dict[str, list[Measured]] = {each.name: [] for each in row.contestants}
        growth: dict[str, list[float]] = {}
        try:
            with self.minute_ends.waited_for() if row.waits else nullcontext():
                scene = self.scene(row, row.prepare, row.size)
                self._rounds(row, rounds or row.rounds, scene, runs)
                failure = unequal(row, runs)
                for each in row.growth:
                    if not each.rows:
                        growth[each.what] = self._grow(row, each)
        except RunError as error:
            failure = f"not computed: {error}"
        return Outcome(row, runs, growth, failure)

    def scene(self, row: Row, prepare: str, size: int) -> Path:
        """:return: folder of what is read, made once for all rows that want the same"""
        if not prepare:
            return self.folder
        folder = self.folder / f"{prepare.replace(':', '.')}-{size}"
        if not folder.exists():
            folder.mkdir()
            try:
                self._run(row, prepare, folder, size, self.own)
            except RunError:
                folder.rename(folder.with_name(f"{folder.name}-failed-{os.getpid()}"))
                raise
        return folder

    def _rounds(
        self, row: Row, rounds: int, scene: Path, runs: Mapping[str, list[Measured]]
    ) -> None:
        for number in range(-1 if row.warm else 0, rounds):
            turn = number % len(row.contestants)
            for each in row.contestants[turn:] + row.contestants[:turn]:
                python = self.peers if each.peer else self.own
                try:
                    made = self._measure(row, each.call, scene, row.size, python)
                except RunError as error:
                    raise RunError(f"{each.name}: {error}") from None
                if number >= 0:
                    runs[each.name].append(made)
                    told = f"{each.name}: {made.value:,.4g} {row.unit}"
                    self.tell(f"  {row.name} {number + 1}/{rounds} {told}")

    def _grow(self, row: Row, growth: Growth) -> list[float]:
        costs = []
        for size in growth.sizes:
            scene = self.scene(row, growth.prepare, size)
            made = self._measure(row, growth.call, scene, size, self.own)
            costs.append(made.cpu_s if growth.cost == "cpu_s" else made.value)
            self.tell(f"  {row.name} {size:,} {growth.what}: {costs[-1]:,.4g}")
        return costs

    def _measure(self, row: Row, call: str, scene: Path, size: int, python: Path) -> Measured:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            # What a run leaves behind is gone with it; what all read is one folder above.
            folder = Path(name)
            (folder / "scene").symlink_to(scene)
            output = self._run(row, call, folder, size, python)
        try:
            made = Measured(**json.loads(output.rstrip().rpartition("\n")[2]))
        except (ValueError, TypeError):
            raise RunError(f"{call} says no figures: {output[-200:]!r}") from None
        figures = (made.value, made.cpu_s, made.wall_s, made.peak_mb)
        if not all(math.isfinite(each) and each >= 0 for each in figures) or not made.result:
            raise RunError(f"{call} says no figures: {made}")
        return made

    def _run(self, row: Row, call: str, folder: Path, size: int, python: Path) -> str:
        if not python.exists():
            raise RunError("its environment is not there: `make peers` makes it")
        if row.interruptible:
            self._sleep(self.minute_ends.still_s(time.time()))
        # Files, as what a run leaves running would hold a pipe open.
        with tempfile.TemporaryFile("w+") as output, tempfile.TemporaryFile("w+") as errors:
            process = subprocess.Popen(
                [str(python), "-m", "benchmarks.one_run", call, str(folder), str(size)],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "TMPDIR": str(folder)},
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=errors,
                start_new_session=True,
            )
            try:
                status = self._wait(row, process)
            except subprocess.TimeoutExpired:
                raise RunError(f"{call} took more than {row.timeout_s:g} s") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            errors.seek(0)
            if status:
                raise RunError(f"{call} ended with {status}: {_last_line(errors.read())}")
            return output.read()

    def _wait(self, row: Row, process: "subprocess.Popen[bytes]") -> int:
        """
        :return: exit status
        :raises subprocess.TimeoutExpired: it took too long; what it stood still for does not count
        """
        deadline_s = time.monotonic() + row.timeout_s
        while True:
            with suppress(subprocess.TimeoutExpired):
                return process.wait(_LOOK_S)
            if time.monotonic() > deadline_s:
                raise subprocess.TimeoutExpired(process.args, row.timeout_s)
            still_s = self.minute_ends.still_s(time.time()) if row.interruptible else 0.0
            if still_s:
                os.killpg(process.pid, signal.SIGSTOP)
                self._sleep(still_s)
                os.killpg(process.pid, signal.SIGCONT)
                deadline_s += still_s
            self._sleep(0)

    def _sleep(self, seconds: float) -> None:
        """:raises RunError: everything ends"""
        if self.ended.wait(seconds):
            raise RunError("interrupted")


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    # Where this clone lies is nobody's business in a published table.
    line = (lines or ["it said nothing"])[-1].replace(str(ROOT), ".")
    return line.replace(tempfile.gettempdir(), "TMP")[:300]


def unequal(row: Row, runs: Mapping[str, list[Measured]]) -> str:
    """:return: whose results are not what they must be, or nothing"""
    own = row.contestants[0].name
    for each in row.contestants:
        results = {run.result for run in runs[each.name]}
        if len(results) != 1:
            return (
                f"not equal: {each.name} came to {len(results)} results in as many rounds or more"
            )
        if not each.differs and results != {runs[own][0].result}:
            return f"not equal: {each.name} came to another result than {own}"
    return ""


def own_python() -> Path:
    """:return: the one that runs this"""
    return Path(sys.executable)
