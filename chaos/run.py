"""One run: start, break, recover, compare."""

import heapq
import json
import random
import shutil
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from chaos import faults as ways
from chaos import ledger, script, trading
from chaos.books import read_books
from chaos.logs import tracebacks
from chaos.records import Span, read_loops, read_truth
from chaos.schedule import VENUES, Fault, Setup, plan
from chaos.watch import Canary, Counts, Shocks
from chaos.world import FALLBACK_PCT, MAX_ENTRY_DELAY_S, SEGMENT_MIN, SETTLE_S, World
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

_TICK_S = 0.05
# A connection is not yet a subscription.
_SUBSCRIBED_S = 2.0
_RECOVERY_S = 200.0
_END_S = 5.0


@dataclass(frozen=True, slots=True)
class Options:
    """
    :param minutes: how long faults may begin; start and recovery come on top
    :param faults: instead of the seed's plan
    :param loop_s: longest loop that is let pass
    :param aligned: count the faults' times from the first whole minute that is heard; those
        before it are negative
    :param settled_min: minutes that are settled after the faults before all is compared
    :param damage_every: of a venue that sends garbage, each so-manieth frame is cut off
    """

    seed: int
    minutes: float
    directory: Path
    setup: Setup
    faults: tuple[Fault, ...]
    loop_s: float = 1.0
    aligned: bool = False
    settled_min: int = 2
    damage_every: int = 3

    @classmethod
    def of(cls, seed: int, minutes: float, directory: Path) -> "Options":
        """:return: the seed's own plan"""
        setup = Setup.of_seed(seed)
        return cls(seed, minutes, directory, setup, plan(seed, minutes * 60, setup))


class Run:
    """A run's state, from its empty directory to its report."""

    def __init__(self, options: Options) -> None:
        self._options = options
        self._dir = options.directory
        self.done: list[Span] = []
        self._disks = {name: self._dir / f"disk-{name}" for name in options.setup.sidecars}
        self._took: dict[str, float] = {}
        self._recovered = False

    def run(self) -> list[ledger.Line]:
        """:return: the ledger"""
        self._prepare()
        options = self._options
        jumping = frozenset(f.target for f in options.faults if f.kind == "clock_jump")
        world = World(
            self._dir,
            options.seed,
            options.minutes + 1,
            options.setup,
            self._disks,
            jumping,
            options.damage_every,
        )
        canary = Canary()
        counts = None
        try:
            listening_ms = world.start()
            counts = Counts(world.store_url)
            self._break(world)
            self._recovered = self._recover(world, counts)
            self._took = world.stop()
            canary.close()
            counts.close()
            counts.look()
            lines = self._compare(world, counts, canary, listening_ms)
        finally:
            if counts is not None:
                counts.close()
            canary.close()
            world.close()
            self._keep_stores()
        self._write(lines)
        return lines

    def _prepare(self) -> None:
        for disk in self._disks.values():
            ways.unmount_disk(disk)
        shutil.rmtree(self._dir, ignore_errors=True)
        self._dir.mkdir(parents=True)
        for name, disk in self._disks.items():
            wanted = any(f.kind == "full_disk" and f.target == name for f in self._options.faults)
            if not wanted or not ways.mount_disk(disk):
                disk.mkdir(exist_ok=True)

    def _break(self, world: World) -> None:
        waiting = list(self._options.faults)
        if self._options.aligned:
            while waiting and waiting[0].at_s < 0:
                self._whole(world, waiting.pop(0))
            world.await_feeds()
            time.sleep(_SUBSCRIBED_S)
            time.sleep(60 - time.time() % 60)
        begin_s = time.monotonic()
        shocks = Shocks(world, random.Random(f"shocks {self._options.seed}"))  # noqa: S311
        open_ends: list[tuple[float, int, Fault, int, ways.Undo]] = []
        while True:
            now_s = time.monotonic() - begin_s
            while open_ends and open_ends[0][0] <= now_s:
                self._undo(heapq.heappop(open_ends))
            if waiting and waiting[0].at_s <= now_s:
                fault = waiting.pop(0)
                begun = self._begin(world, fault)
                if begun is not None:
                    end_s = time.monotonic() - begin_s + fault.seconds
                    heapq.heappush(open_ends, (end_s, len(waiting), fault, *begun))
            shocks.tick()
            if now_s >= self._options.minutes * 60 and not waiting and not open_ends:
                return
            time.sleep(_TICK_S)

    def _whole(self, world: World, fault: Fault) -> None:
        begun = self._begin(world, fault)
        if begun is not None:
            time.sleep(fault.seconds)
            self._undo((0.0, 0, fault, *begun))

    def _begin(self, world: World, fault: Fault) -> tuple[int, ways.Undo] | None:
        from_ms = _now_ms()
        print(f"{_clock()}  {fault.kind} {fault.target} for {fault.seconds:.0f} s", flush=True)
        try:
            return from_ms, ways.BREAKERS[fault.kind](world, fault)
        except ways.NotPossible as why:
            print(f"          not possible: {why}")
            self.done.append(_span(fault, from_ms, from_ms, str(why)))
            return None

    def _undo(self, ending: tuple[float, int, Fault, int, ways.Undo]) -> None:
        _, _, fault, from_ms, undo = ending
        undo()
        self.done.append(_span(fault, from_ms, _now_ms()))

    def _recover(self, world: World, counts: Counts) -> bool:
        """Wait until all is stored again and some more minutes are settled."""
        print(f"{_clock()}  the faults are over; recovering", flush=True)
        deadline_s = time.monotonic() + _RECOVERY_S
        wanted_ms = minute_of(_now_ms()) + self._options.settled_min * MINUTE_MS
        while time.monotonic() < deadline_s:
            pids = {sidecar.pid for sidecar in world.sidecars.values()}
            if counts.computed_ms >= wanted_ms and counts.waiting(pids) == 0:
                return all(sidecar.running for sidecar in world.sidecars.values())
            time.sleep(0.5)
        return False

    def _compare(
        self, world: World, counts: Counts, canary: Canary, listening_ms: int
    ) -> list[ledger.Line]:
        truth = read_truth(world.truth)
        loops = read_loops(world.loops, time.time() - time.monotonic())
        # A sidecar whose clock jumped ahead may have settled minutes that did not happen yet.
        from_ms = minute_of(listening_ms)
        to_ms = min(counts.watermark_ms, minute_of(_now_ms()))
        coins = [spec.base for spec in script.SYMBOLS]
        books = read_books(world.store_url, VENUES, coins, from_ms, to_ms)
        settle_ms = round(SETTLE_S * 1000)
        rules = trading.Rules(
            SEGMENT_MIN,
            MAX_ENTRY_DELAY_S * 1000,
            FALLBACK_PCT,
            round(self._options.loop_s * 1000),
        )
        sidecars = self._options.setup.sidecars
        causes = ledger.causes_of(self.done, VENUES, sidecars, settle_ms)
        causes.append(Span("start", "", from_ms, listening_ms + settle_ms))
        longest_s = max(self._took.values())
        logs = [world.bot.log, *(sidecar.log for sidecar in world.sidecars.values())]
        return [
            *ledger.storage(truth, books, self.done, counts.lost()),
            *ledger.minutes(truth, books, settle_ms),
            *ledger.unknown(books, VENUES, coins, causes),
            *trading.check_entries(loops, truth, books, VENUES, rules),
            *trading.check_stops(loops, truth, rules),
            *trading.check_loops(loops, self.done, canary.stalls, rules),
            ledger.Line("everything recovered", str(self._recovered), self._recovered),
            ledger.Line(
                "longest polite end of a sidecar", f"{longest_s:.1f} s", longest_s < _END_S
            ),
            *tracebacks(logs),
        ]

    def _keep_stores(self) -> None:
        """What lay on the small disks, for whoever looks into it."""
        for name, disk in self._disks.items():
            if not ways.is_own_disk(disk):
                continue
            kept = self._dir / f"kept-{name}"
            ignored = shutil.ignore_patterns("ballast")
            shutil.copytree(disk, kept, ignore=ignored, dirs_exist_ok=True)
            ways.unmount_disk(disk)

    def _write(self, lines: Sequence[ledger.Line]) -> None:
        report: dict[str, Any] = {
            "seed": self._options.seed,
            "minutes": self._options.minutes,
            "setup": asdict(self._options.setup),
            "plan": [fault.as_json() for fault in self._options.faults],
            "done": [asdict(span) for span in self.done],
            "kinds": dict(Counter(span.kind for span in self.done if not span.why_not)),
            "ledger": [asdict(line) for line in lines],
            "balances": balances(lines),
        }
        (self._dir / "report.json").write_text(json.dumps(report, indent=1))


def balances(lines: Sequence[ledger.Line]) -> bool:
    """:return: whether nothing is wrong"""
    return all(line.ok is not False for line in lines)


def _span(fault: Fault, from_ms: int, to_ms: int, why_not: str = "") -> Span:
    return Span(fault.kind, fault.target, from_ms, to_ms, fault.amount, why_not)


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


def _clock() -> str:
    return time.strftime("%H:%M:%S", time.gmtime())
