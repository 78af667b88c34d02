"""
From the settled minute to the order: a real bot and a real sidecar on a simulated exchange with its
limit of requests, and five waves in one minute. How long until each is entered?

With 13 and 100 pairs the bot has a static list, and the waves are of its pairs. With 500 it trades
the whole market by the sidecar's list, and the waves are of coins that were in no list before.
"""

import os
import statistics
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from benchmarks.market_stand import Scene, Stand, standing
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of

WAVES = 5

# In the minute before the close: three coins begin to be wiped out early, two at the very last.
EARLY_S, LAST_S = -20.0, -0.9
EARLY = 3
SEEN_S = 32.0  # after the close, when the trades are counted
CLOSED_S = 45.0  # and when they are closed at the latest
LOOKED_S = -22.0  # before it, when it is noted what is in the list

WHOLE_MARKET = Scene(500, 0)
# Of thirteen coins each has its turn in every third minute, so a wave must be over by then.
SCENES = (Scene(500, 13, segment_min=1), Scene(500, 100), WHOLE_MARKET)


@dataclass(frozen=True, slots=True)
class Trial:
    """
    Seconds from when the minute is settled, ``settle_s`` after its close.

    :param close_ms: of the minute
    :param verdicts_s: until each wave was judged
    :param orders_s: until each order, the first one first
    :param listed_before: waves' pairs that were in the list before their first liquidation
    :param weight: what the exchange was asked for in the minute after the close
    :param cpu_s: of bot, sidecar and exchange from 22 s before the close to 32 s after it
    :param load: of the machine
    """

    close_ms: int
    verdicts_s: tuple[float, ...]
    orders_s: tuple[float, ...]
    listed_before: tuple[str, ...]
    weight: int
    cpu_s: tuple[float, float, float]
    load: float


class Trials:
    """One after the other, of five coins each."""

    def __init__(self, stand: Stand) -> None:
        self.stand = stand
        self.entered: tuple[str, ...] = ()
        self._next = 0

    def run(self) -> Trial:
        """Five waves in the next minute of which enough is left."""
        stand, pairs = self.stand, self._choose()
        close_ms = minute_of(int((time.time() - LOOKED_S + 1) * 1000)) + MINUTE_MS
        close_s = close_ms / 1000
        _sleep_until(close_s + LOOKED_S)
        before = [pair for pair in pairs if pair in stand.listed()]
        cpu = stand.cpu_s()
        _sleep_until(close_s + EARLY_S)
        stand.wipe_out(pairs[:EARLY])
        _sleep_until(close_s + LAST_S)
        stand.wipe_out(pairs[EARLY:])
        _sleep_until(close_s + SEEN_S)
        settled_ms = close_ms + stand.settings.settle_ms
        opened = stand.opened(close_ms)
        self.entered = tuple(pair for pair in pairs if pair in opened)
        bot, sidecar, exchange = (now - then for now, then in zip(stand.cpu_s(), cpu, strict=True))
        weight = stand.sim.weights.used
        stand.end_positions(pairs, close_s + CLOSED_S)
        return Trial(
            close_ms,
            tuple((ms - settled_ms) / 1000 for ms in stand.judged(close_ms)),
            tuple(sorted((opened[pair] - settled_ms) / 1000 for pair in self.entered)),
            tuple(before),
            weight,
            (bot, sidecar, exchange),
            os.getloadavg()[0],
        )

    def _choose(self) -> list[str]:
        """In a static list one after the other, else such as nobody has listed."""
        listed, specs = self.stand.scene.listed, self.stand.specs
        if listed:
            at = [(self._next + n) % (listed // WAVES * WAVES) for n in range(WAVES)]
            self._next += WAVES
            return [specs[n].pair for n in at]
        there = self.stand.listed()
        pairs: list[str] = []
        while len(pairs) < WAVES:
            self._next += 1
            pair = specs[-self._next].pair
            if pair not in there and pair not in self.stand.static:
                pairs.append(pair)
        return pairs


def _sleep_until(at_s: float) -> None:
    time.sleep(max(at_s - time.time(), 0.0))


def measure(scene: Scene, trials: int, base: Path) -> tuple[list[Trial], Mapping[str, int]]:
    """:return: the trials, and the exchange's own account of its requests"""
    with standing(scene, base) as stand:
        running, made = Trials(stand), []
        for _ in range(trials):
            made.append(running.run())
            print(words(made[-1]), flush=True)
        return made, stand.sim.weights.state()


def words(trial: Trial) -> str:
    """One trial in one line."""
    told = [f"{value:.1f}" for value in trial.orders_s]
    judged = [f"{value:.1f}" for value in trial.verdicts_s]
    bot, sidecar, exchange = trial.cpu_s
    return (
        f"  {datetime.fromtimestamp(trial.close_ms / 1000, UTC):%H:%M}: "
        f"orders after {' '.join(told) or '-'} s (judged {' '.join(judged) or '-'}); "
        f"listed before {len(trial.listed_before)}; weight {trial.weight}; CPU of bot {bot:.1f} s, "
        f"sidecar {sidecar:.1f} s, exchange {exchange:.1f} s; load {trial.load:.1f}"
    )


def summary(scene: Scene, trials: Sequence[Trial], weights: Mapping[str, int]) -> str:
    """:raises RuntimeError: orders are missing, or the exchange refused requests"""
    each = [value for trial in trials for value in trial.orders_s]
    last = [max(trial.orders_s, default=float("inf")) for trial in trials]
    missing = len(trials) * WAVES - len(each)
    if missing or weights["refused"]:
        raise RuntimeError(
            f"{scene.name}: {missing} orders of {len(trials) * WAVES} are missing, "
            f"{weights['refused']} requests were refused"
        )
    return (
        f"{scene.name}: {len(trials)} trials of {WAVES} waves; settled minute to order "
        f"{statistics.median(each):.2f} s at the median, {max(each):.2f} s at the worst; to the "
        f"last of five {statistics.median(last):.2f} s; at most {weights['peak']} of "
        f"{weights['limit']} weight a minute"
    )


def main() -> None:
    """``python benchmarks/orders.py [trials] [pairs]``: five of each by default."""
    arguments = [int(argument) for argument in sys.argv[1:]]
    trials = arguments[0] if arguments else 5
    for scene in SCENES:
        if len(arguments) > 1 and arguments[1] != (scene.listed or scene.market):
            continue
        with tempfile.TemporaryDirectory() as folder:
            print(scene.name, flush=True)
            made, weights = measure(scene, trials, Path(folder))
        print(summary(scene, made, weights), flush=True)


if __name__ == "__main__":
    main()
