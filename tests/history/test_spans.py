"""Spans of a recording, against the plain definition."""

import random

import pytest

from liq_provider.core.coverage import Interval
from liq_provider.history import spans as module
from liq_provider.history.spans import Spans
from tests.store.helpers import MINUTE, T0, order


def plain(times: list[int], max_gap_ms: int) -> list[Interval]:
    spans: list[list[int]] = []
    for time in sorted(times):
        if spans and (
            time - spans[-1][1] - 1 < max_gap_ms or time // MINUTE == spans[-1][1] // MINUTE
        ):
            spans[-1][1] = time
        else:
            spans.append([time, time])
    return [Interval(first, last + 1) for first, last in spans]


@pytest.mark.parametrize("max_gap_ms", [0, 1, 20_000, MINUTE, 10 * MINUTE])
@pytest.mark.parametrize("order_of_rows", ["sorted", "reversed", "shuffled", "halves"])
def test_spans_are_the_same_in_any_order(
    monkeypatch: pytest.MonkeyPatch, max_gap_ms: int, order_of_rows: str
) -> None:
    monkeypatch.setattr(module, "_JOIN_FROM", 8)
    chance = random.Random(max_gap_ms)
    times, now_ms = [], T0
    for _ in range(400):
        now_ms += int(chance.expovariate(1 / 40_000)) if chance.random() < 0.97 else 11 * MINUTE
        times.append(now_ms)
    expected = plain(times, max_gap_ms)
    if order_of_rows == "reversed":
        times.reverse()
    elif order_of_rows == "shuffled":
        chance.shuffle(times)
    elif order_of_rows == "halves":
        times = times[200:] + times[:200]
    spans = Spans(max_gap_ms, per_coin=False)
    for time in times:
        spans.add(order(time))
    assert spans.covered() == {("bybit", ""): expected}


def test_a_span_that_was_known_joins_what_is_read_now() -> None:
    spans = Spans(10 * MINUTE, per_coin=False)
    spans.known(("bybit", ""), Interval(T0, T0 + 5 * MINUTE))
    spans.known(("okx", ""), Interval(T0, T0 + 5 * MINUTE))
    assert spans.covered() == {}, "nothing new can be said"
    spans.add(order(T0 + 9 * MINUTE))
    assert spans.covered() == {("bybit", ""): [Interval(T0, T0 + 9 * MINUTE + 1)]}
