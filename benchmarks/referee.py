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
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.contest import Growth, Measured, Row

ROOT = Path(__file__).parents[1]


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
    """

    own: Path
    peers: Path
    folder: Path
    tell: Callable[[str], None] = print

    def judge(self, row: Row, rounds: int | None = None) -> Outcome:
        """:param rounds: in place of the row's own"""
        runs: dict[str, list[Measured]] = {each.name: [] for each in row.contestants}
        growth: dict[str, list[float]] = {}
        try:
            scene = self.scene(row.prepare, row.size, row.timeout_s)
            self._rounds(row, rounds or row.rounds, scene, runs)
            failure = unequal(row, runs)
            for each in row.growth:
                growth[each.what] = self._grow(each, row.timeout_s)
        except RunError as error:
            failure = f"not computed: {error}"
        return Outcome(row, runs, growth, failure)

    def scene(self, prepare: str, size: int, timeout_s: float) -> Path:
        """:return: folder of what is read, made once for all rows that want the same"""
        if not prepare:
            return self.folder
        folder = self.folder / f"{prepare.replace(':', '.')}-{size}"
        if not folder.exists():
            folder.mkdir()
            try:
                self._run(prepare, folder, size, timeout_s, self.own)
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
                    made = self._measure(each.call, scene, row.size, row.timeout_s, python)
                except RunError as error:
                    raise RunError(f"{each.name}: {error}") from None
                if number >= 0:
                    runs[each.name].append(made)
                    self.tell(f"  {number + 1}/{rounds} {each.name}: {made.value:,.4g} {row.unit}")

    def _grow(self, growth: Growth, timeout_s: float) -> list[float]:
        costs = []
        for size in growth.sizes:
            scene = self.scene(growth.prepare, size, timeout_s)
            made = self._measure(growth.call, scene, size, timeout_s, self.own)
            costs.append(made.cpu_s if growth.cost == "cpu_s" else made.value)
            self.tell(f"  {size:,} {growth.what}: {costs[-1]:,.4g}")
        return costs

    def _measure(
        self, call: str, scene: Path, size: int, timeout_s: float, python: Path
    ) -> Measured:
        with tempfile.TemporaryDirectory(dir=self.folder) as name:
            # What a run leaves behind is gone with it; what all read is one folder above.
            folder = Path(name)
            (folder / "scene").symlink_to(scene)
            output = self._run(call, folder, size, timeout_s, python)
        try:
            made = Measured(**json.loads(output.rstrip().rpartition("\n")[2]))
        except (ValueError, TypeError):
            raise RunError(f"{call} says no figures: {output[-200:]!r}") from None
        figures = (made.value, made.cpu_s, made.wall_s, made.peak_mb)
        if not all(math.isfinite(each) and each >= 0 for each in figures) or not made.result:
            raise RunError(f"{call} says no figures: {made}")
        return made

    def _run(self, call: str, folder: Path, size: int, timeout_s: float, python: Path) -> str:
        if not python.exists():
            raise RunError("its environment is not there: `make peers` makes it")
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
                status = process.wait(timeout_s)
            except subprocess.TimeoutExpired:
                raise RunError(f"{call} took more than {timeout_s:g} s") from None
            finally:
                with suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGKILL)
                process.wait()
            output.seek(0)
            errors.seek(0)
            if status:
                raise RunError(f"{call} ended with {status}: {_last_line(errors.read())}")
            return output.read()


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
