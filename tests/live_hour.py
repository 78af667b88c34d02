"""
An hour as the sidecar lives it, on an injected time line: real frames, parsers, writer, settler.

Frames arrive late, twice and out of order; one venue loses its connection, another leaves a
minute unproven. What the bot would have seen and decided at every settled minute is kept.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from liq_provider.config.settings import Settings
from liq_provider.core.coverage import CoverageTracker, Interval
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, Rules, decide
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.trend import trend_inputs
from liq_provider.sidecar.settle_minute import Settler
from liq_provider.simulator.demo_script import RandomWaves
from liq_provider.simulator.market import TapeRow
from liq_provider.simulator.scenario import Scenario
from liq_provider.simulator.symbols import DEMO_SYMBOLS
from liq_provider.simulator.world import World
from liq_provider.store.booked_minute import Incoming
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues import VENUES
from tests.simulator.helpers import tables

START_MS = 1_795_350_000_000 // MINUTE_MS * MINUTE_MS
MINUTES = 60
COINS = {spec.coin: spec.symbol for spec in DEMO_SYMBOLS}
CANDLES_BEFORE = 120
BATCH_MS = 200


@dataclass(frozen=True)
class Trouble:
    """
    What goes wrong: venue by venue, in minutes since the start, None for nothing.

    :param standstill: the whole sidecar hears nothing, as one that is frozen or restarted
    """

    disconnected: tuple[str, float, float] | None = ("okx", 20.5, 22.2)
    unproven: tuple[str, int] | None = ("bybit", 40)
    standstill: tuple[float, float] | None = None

    @property
    def outages(self) -> list[tuple[str, float, float]]:
        """Each venue's, apart from each other."""
        outages = [] if self.disconnected is None else [self.disconnected]
        if self.standstill is not None:
            outages += [(venue, *self.standstill) for venue in VENUES]
        return outages


@dataclass
class LiveHour:
    """
    :param url: an empty store
    :param tape: what arrived while live, as a recorder would have kept it
    :param seen: per minute close and coin, the bot's decision about the candle that closes then
    """

    url: str
    seed: int
    trouble: Trouble = field(default_factory=Trouble)
    settings: Settings = field(default_factory=Settings)
    tape: list[TapeRow] = field(default_factory=list)
    history: list[TapeRow] = field(default_factory=list)
    seen: dict[tuple[int, str], Decisions] = field(default_factory=dict)

    def __post_init__(self) -> None:
        plan = RandomWaves(self.seed, START_MS + 3 * MINUTE_MS, DEMO_SYMBOLS)
        self.world = World(START_MS, self.seed, background=3.0, scenario=Scenario(plan=plan))
        self.writer = Writer(open_engine(self.url))
        self.reader = Reader(self.url)
        self.markets = tables(self.world)
        for venue, table in self.markets.items():
            self.writer.put_markets(venue, table)
        self._settler = Settler(self.writer, self.reader, self.settings)
        self._trackers = {
            venue: CoverageTracker(venue, self.settings.settle_ms) for venue in VENUES
        }
        self._since = dict.fromkeys(VENUES, START_MS)

    @property
    def closes(self) -> np.ndarray:
        """The closes of the hour's minutes."""
        return START_MS + MINUTE_MS * np.arange(1, MINUTES + 1)

    def close(self) -> None:
        """Give the store back."""
        self.reader.close()
        self.writer.close()

    def run(self) -> None:
        """History, then minute by minute."""
        self._import_history()
        self.tape = disturbed(
            self.world.tape(START_MS, START_MS + (MINUTES + 1) * MINUTE_MS), self.seed
        )
        self.prices = {base: self._prices(symbol) for base, symbol in COINS.items()}
        for tracker in self._trackers.values():
            tracker.begin(START_MS)
        arrivals = iter(self.tape)
        ahead = next(arrivals, None)
        for number, close_ms in enumerate(self.closes.tolist(), start=1):
            batch: list[Incoming] = []
            batch_ms = 0
            while ahead is not None and ahead.received_ms <= close_ms + self.settings.settle_ms:
                self._connections(ahead.received_ms)
                if ahead.received_ms >= batch_ms + BATCH_MS:
                    self.writer.append(batch)
                    batch, batch_ms = [], ahead.received_ms
                batch += self._parsed(ahead)
                ahead = next(arrivals, None)
            self.writer.append(batch)
            self._settle(number, close_ms)
            self._look(number, close_ms)

    def _import_history(self) -> None:
        first_ms = -(-self.world.first_ms // MINUTE_MS) * MINUTE_MS
        self.history = self.world.tape(first_ms, START_MS)
        items = [
            Incoming(order)
            for row in self.history
            for order in VENUES[row.venue]
            .parse(row.frame, self.markets[row.venue], row.received_ms)
            .liquidations
        ]
        self.writer.import_batch(items)
        for venue in VENUES:
            self.writer.cover(venue, [Interval(first_ms, START_MS)], "import", START_MS)

    def _connections(self, now_ms: int) -> None:
        for venue, lost, back in self.trouble.outages:
            tracker = self._trackers[venue]
            lost_ms, back_ms = (START_MS + int(m * MINUTE_MS) for m in (lost, back))
            if lost_ms <= now_ms < back_ms and tracker.covering:
                tracker.prove(lost_ms, lost_ms)
                tracker.lose()
            elif back_ms <= now_ms and self._since[venue] < back_ms and not tracker.covering:
                tracker.begin(back_ms)
                self._since[venue] = back_ms

    def _parsed(self, row: TapeRow) -> Iterator[Incoming]:
        if not self._trackers[row.venue].covering:
            return
        said = VENUES[row.venue].parse(row.frame, self.markets[row.venue], row.received_ms)
        assert said.understood
        for order in said.liquidations:
            yield Incoming(order, self._since[row.venue])

    def _settle(self, number: int, close_ms: int) -> None:
        self._connections(close_ms)
        for venue, tracker in self._trackers.items():
            if self.trouble.unproven != (venue, number):
                at_ms = close_ms + self.settings.settle_ms // 2
                tracker.prove(at_ms, at_ms)
        heard = [venue for venue, tracker in self._trackers.items() if tracker.heard(close_ms)]
        now_ms = close_ms + self.settings.settle_ms
        self._settler.settle(close_ms, heard, now_ms)
        self._settler.compute(close_ms, now_ms)

    def _look(self, number: int, close_ms: int) -> None:
        """What the bot decides now, from what is stored now."""
        stored = self.reader.features(None, int(self.closes[0]), close_ms)
        for base in COINS:
            rows = stored.get(base, FeatureRows.empty())
            known = self.prices[base][: CANDLES_BEFORE + number]
            trend = CandleTrend(
                *(x[-number:] for x in trend_inputs(known, self.settings.trend_candles))
            )
            rules = Rules.of(self.settings)
            decisions = decide(self.closes[:number], rows, trend, [], rules, "matrix")
            self.seen[close_ms, base] = decisions

    def _prices(self, symbol: str) -> np.ndarray:
        end_ms = int(self.closes[-1])
        from_ms = START_MS - CANDLES_BEFORE * MINUTE_MS
        candles = self.world.candles(symbol, MINUTE_MS, from_ms, end_ms - 1, end_ms + MINUTE_MS)
        return np.array([row[4] for row in candles])[: CANDLES_BEFORE + MINUTES]


def disturbed(tape: list[TapeRow], seed: int) -> list[TapeRow]:
    """Some frames late, some far too late, some twice; in the order in which they arrive."""
    rng = np.random.default_rng((seed, 77))
    rows = []
    for row in tape:
        delay_ms = 0
        kind = rng.random()
        if kind < 0.06:
            delay_ms = int(rng.integers(200, 8_000))
        elif kind < 0.10:
            delay_ms = int(rng.integers(8_000, 58_000))
        elif kind < 0.12:
            delay_ms = int(rng.integers(61_000, 150_000))
        rows.append(TapeRow(row.venue, row.received_ms + delay_ms, row.frame))
        if rng.random() < 0.06:
            again_ms = row.received_ms + delay_ms + int(rng.integers(0, 40_000))
            rows.append(TapeRow(row.venue, again_ms, row.frame))
    return sorted(rows, key=lambda row: row.received_ms)


def decided(decisions: Decisions, row: int) -> dict[str, Any]:
    """:return: everything that is decided about one candle, verdict level and all"""
    names = (
        *("strength", "sign", "wave_ms", "seen", "trend", "aligned"),
        *("judged", "level", "sure", "candidate", "entry"),
    )
    return {name: getattr(decisions, name)[row].item() for name in names}
