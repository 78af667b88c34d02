"""What is known of minutes, without their sums: the same as the grids know."""

import numpy as np
import pytest

from liq_provider.core.coverage import Interval, merge, minutes_around
from liq_provider.core.durations import FOREVER_MS
from liq_provider.core.markets import Market
from liq_provider.store.known_minutes import Knowledge
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.store.helpers import MINUTE, T0, order

VENUES = ("okx", "bybit")
COINS = ("BTC", "NEW", "SOL")
FROM, TO = T0 - 30 * MINUTE, T0 + 30 * MINUTE


def test_they_are_those_of_the_grids(writer: Writer, reader: Reader) -> None:
    writer.cover("bybit", [Interval(T0 - 20 * MINUTE, T0 + 5 * MINUTE + 7)], "live", T0)
    writer.cover("bybit", [Interval(T0 + 9 * MINUTE, TO)], "live", T0)
    writer.cover("okx", [Interval(FROM, TO)], "live", T0)
    new = Market("bybit", "NEWUSDT", "NEW/USDT:USDT", "NEW", listed_ms=T0 - 3 * MINUTE)
    writer.put_markets("bybit", [new])
    hole = Interval(T0 + 5 * MINUTE, T0 + 9 * MINUTE)
    filled = order(T0 + 6 * MINUTE, base_asset="SOL", pair="SOL/USDT:USDT", market_id="SOLUSDT")
    writer.fill("bybit", "SOL", hole, [filled], T0 + 12 * MINUTE)
    for to_ms in (T0 + 10 * MINUTE, TO):
        known = reader.known_minutes(COINS, VENUES, FROM, to_ms)
        for coin, grid in reader.grids(COINS, VENUES, FROM, to_ms).items():
            scored, baseline = known[coin]
            assert np.array_equal(scored, grid.covered)
            assert np.array_equal(baseline, grid.as_of(to_ms).in_baselines)
    scored, baseline = known["SOL"]
    assert baseline.sum() - scored.sum() == 4
    assert known["NEW"][0].sum() < known["BTC"][0].sum()


def random_knowledge(seed: int) -> Knowledge:
    """Three sidecars, some of which heard late, and an import; doubts of one and of all."""
    rng = np.random.default_rng(seed)

    def span(most: int) -> Interval:
        start_ms = FROM + int(rng.integers(-10 * MINUTE, 60 * MINUTE))
        return Interval(start_ms, start_ms + int(rng.integers(1, most * MINUTE)))

    heard: dict[str, list[tuple[Interval, int]]] = {}
    for heard_by in ("", "a", "b", "c"):
        for _ in range(int(rng.integers(0, 4))):
            delay_ms = int(rng.choice([0, 0, MINUTE, 7 * MINUTE])) if heard_by else 0
            heard.setdefault(heard_by, []).append((span(25), delay_ms))
    doubts: dict[str, list[tuple[Interval, int]]] = {}
    for heard_by in ("", "a", "b"):
        for _ in range(int(rng.integers(0, 3))):
            doubt = minutes_around(span(3))
            known_ms = doubt.start_ms + int(rng.integers(1, 9)) * MINUTE
            doubts.setdefault(heard_by, []).append((doubt, known_ms))
    return Knowledge(heard, [], doubts)


def plainly(knowledge: Knowledge, open_ms: int) -> tuple[bool, int, int]:
    """:return: was a minute known at its close, until when, or since when"""
    close_ms, until, learned = open_ms + MINUTE, [0], []
    for heard_by, spans in knowledge.heard.items():
        against = [
            *knowledge.doubts.get("", []),
            *(knowledge.doubts.get(heard_by, []) * bool(heard_by)),
        ]
        times = [at for doubt, at in against if doubt.start_ms <= open_ms < doubt.end_ms]
        for delay_ms in {delay_ms for _, delay_ms in spans}:
            own = merge(each for each, delay in spans if delay == delay_ms)
            if not any(each.start_ms <= open_ms and close_ms <= each.end_ms for each in own):
                continue
            if not delay_ms:
                until.append(min([FOREVER_MS, *times]))
            elif not times:
                learned.append(close_ms + delay_ms)
    if max(until) <= close_ms:
        return False, 0, min(learned, default=0)
    return True, 0 if learned or max(until) == FOREVER_MS else max(until), 0


@pytest.mark.parametrize("seed", range(60))
def test_each_minute_is_known_to_the_decisions_that_somebody_heard_it_for(seed: int) -> None:
    knowledge, size = random_knowledge(seed), 60
    known = knowledge.known(FROM, size)
    nothing = np.zeros(size, dtype=np.int64)
    dated = (nothing if times is None else times for times in (known.doubted_ms, known.learned_ms))
    rows = zip(known.covered, *dated, strict=True)
    assert [(bool(covered), int(doubted), int(learned)) for covered, doubted, learned in rows] == [
        plainly(knowledge, FROM + n * MINUTE) for n in range(size)
    ]


def test_a_report_is_written_with_its_coins_and_replaced_by_the_next(
    writer: Writer, reader: Reader
) -> None:
    row = {"base_asset": "BTC", "pair": "BTC/USDT:USDT", "baseline_n": 3, "active_n": 2}
    for minute, state in ((1, 1), (2, 3)):
        close_ms = T0 + minute * MINUTE
        coins = [row | {"close_ms": close_ms, "state": state}]
        writer.put_readiness({"close_ms": close_ms}, coins, close_ms)
    assert reader.states(["readiness"]) == {"readiness": {"close_ms": T0 + 2 * MINUTE}}
    assert reader.readiness() == [row | {"close_ms": T0 + 2 * MINUTE, "state": 3}]
