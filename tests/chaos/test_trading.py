"""The bot's side of the ledger: what must not be entered, held or take long."""

from collections.abc import Sequence
from dataclasses import replace

import pytest

from chaos.books import Books
from chaos.ledger import Line
from chaos.records import Loop, Order, Position, Span, Truth, key_of
from chaos.trading import Rules, check_entries, check_loops, check_stops
from liq_provider.core.durations import MINUTE_MS

M0 = 1_795_784_400_000
CLOSE = M0 + MINUTE_MS
RULES = Rules()
SHORT = Position(1, "BTC/USDT:USDT", True, "liq_short_strong_medium", 100.0, 102.0)
LONG = replace(SHORT, short=False, stop=98.0)


def burst(minute_ms: int, venue: str = "okx", side: str = "long") -> list[Order]:
    return [
        Order(key_of(venue, "BTC", side, minute_ms + n * 1_000, 100.0, float(n)), "BTC", 50_000.0)
        for n in range(1, 20)
    ]


def truth(orders: Sequence[Order] = (), prices: Sequence[tuple[int, float]] = ()) -> Truth:
    return Truth({one.key: one for one in orders}, {"BTCUSDT": prices})


def books(*known: int, venue: str = "okx") -> Books:
    cells = frozenset((venue, "BTC", M0 + n * MINUTE_MS) for n in known)
    return Books((), cells, {}, M0 - 10 * MINUTE_MS, M0 + 10 * MINUTE_MS)


def entered(at_ms: int, position: Position = SHORT) -> list[Loop]:
    return [Loop(1, at_ms - 1_000, at_ms - 900), Loop(1, at_ms - 100, at_ms, (position,))]


def wrong(lines: Sequence[Line]) -> set[str]:
    return {line.name for line in lines if line.ok is False}


def entry_wrong(at_ms: int, orders: Sequence[Order], known: Books, position: Position = SHORT):
    return wrong(
        check_entries(entered(at_ms, position), truth(orders), known, ["okx", "bybit"], RULES)
    )


def test_an_entry_at_the_close_of_the_waves_first_minute_is_good() -> None:
    assert entry_wrong(CLOSE + 3_000, burst(M0), books(-1, 0)) == set()


def test_an_entry_later_than_the_allowed_delay_is_stale() -> None:
    assert entry_wrong(CLOSE + 40_000, burst(M0), books(-1, 0)) == {"entries on stale data"}


def test_an_entry_into_a_wave_that_is_over_is_stale() -> None:
    late_ms = CLOSE + 2 * MINUTE_MS + 3_000
    assert entry_wrong(late_ms, burst(M0), books(-1, 0, 1, 2)) == {"entries on stale data"}
    opposite = entry_wrong(CLOSE + 3_000, burst(M0, side="short"), books(-1, 0))
    assert opposite == {"entries on stale data"}


UNSEEN = {"entries on a wave whose beginning was not seen"}


def test_an_entry_in_a_waves_second_minute_needs_that_its_first_was_seen() -> None:
    second_ms = CLOSE + MINUTE_MS + 3_000
    assert entry_wrong(second_ms, burst(M0), books(-1, 0, 1)) == set()
    assert entry_wrong(second_ms, burst(M0), books(0, 1)) == UNSEEN


def test_seen_means_on_a_venue_that_carried_it() -> None:
    second_ms = CLOSE + MINUTE_MS + 3_000
    assert entry_wrong(second_ms, burst(M0), books(-1, 0, 1, venue="bybit")) == UNSEEN


def prices(*values: float, from_ms: int = M0) -> list[tuple[int, float]]:
    return [(from_ms + n * 500, value) for n, value in enumerate(values)]


def loops(count: int, position: Position) -> list[Loop]:
    return [
        Loop(1, M0 + 5_000 + n * 1_000, M0 + 5_100 + n * 1_000, (position,)) for n in range(count)
    ]


@pytest.mark.parametrize(("position", "beyond"), [(SHORT, 104.0), (LONG, 96.0)])
def test_a_price_beyond_the_stop_ends_a_position_within_two_loops(
    position: Position, beyond: float
) -> None:
    shocked = truth(prices=prices(*[beyond] * 60))
    assert wrong(check_stops(loops(3, position), shocked, RULES)) == set()
    held = check_stops(loops(4, position), shocked, RULES)
    assert wrong(held) == {"positions held beyond their stop for more than two loops"}
    calm = truth(prices=prices(*[100.0] * 60))
    assert wrong(check_stops(loops(9, position), calm, RULES)) == set()


@pytest.mark.parametrize("position", [replace(SHORT, stop=199.0), replace(LONG, stop=1.0)])
def test_a_position_without_a_stop_after_its_first_loop_is_told(position: Position) -> None:
    assert wrong(check_stops(loops(1, position), truth(), RULES)) == set()
    assert wrong(check_stops(loops(2, position), truth(), RULES)) == {
        "positions without a stop after one loop"
    }


def slow(*spans: Span, stalls: Sequence[Span] = ()) -> set[str]:
    taken = [Loop(1, M0, M0 + 100), Loop(1, M0 + 1_000, M0 + 4_000)]
    return wrong(check_loops(taken, spans, stalls, RULES))


def test_a_long_loop_is_told_unless_the_bot_or_the_machine_was_stopped() -> None:
    assert slow() == {"loops longer than 1 s"}
    assert slow(Span("freeze", "bot", M0 + 1_500, M0 + 3_900)) == set()
    assert slow(Span("freeze", "a", M0 + 1_500, M0 + 3_900)) == {"loops longer than 1 s"}
    assert slow(stalls=[Span("stall", "machine", M0 + 1_500, M0 + 3_900)]) == set()


def test_a_loop_is_not_charged_with_what_the_exchange_or_other_processes_took() -> None:
    lone = Loop(1, M0, M0 + 3_000, (), 1_500, 800)
    assert wrong(check_loops([lone], [], [], RULES)) == set()
    assert wrong(check_loops([replace(lone, exchange_ms=1_000)], [], [], RULES))


def test_a_bot_without_a_loop_does_not_balance() -> None:
    assert wrong(check_loops([], [], [], RULES)) == {"loops of the bot"}
