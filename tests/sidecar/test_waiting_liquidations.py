"""Liquidations in memory: each of them in one place, and counted wherever it is."""

from collections.abc import Sequence

import pytest

from liq_provider.sidecar import waiting_liquidations
from liq_provider.sidecar.waiting_liquidations import WaitingLiquidations
from liq_provider.store.booked_minute import Incoming
from tests.store.helpers import T0, incoming


def some(count: int, first: int = 0) -> list[Incoming]:
    return [incoming(T0 + n) for n in range(first, first + count)]


def numbers(orders: Sequence[Incoming]) -> list[int]:
    return [order.liquidation.event_ms - T0 for order in orders]


def test_what_does_not_fit_is_handed_back_and_what_waits_stays() -> None:
    memory = WaitingLiquidations(3)
    assert memory.put(some(2)) == []
    assert numbers(memory.put(some(3, first=2))) == [3, 4]
    assert (memory.held, numbers(memory.take(9))) == (3, [0, 1, 2])


def test_what_a_call_has_in_hand_takes_room_until_it_is_stored() -> None:
    memory = WaitingLiquidations(2)
    memory.put(some(2))
    memory.take(2)
    assert (memory.held, len(memory.put(some(1)))) == (2, 1)
    memory.stored()
    assert (memory.held, len(memory.put(some(1)))) == (0, 0)


def test_what_was_not_stored_waits_again_before_what_came_later() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(3))
    memory.take(2)
    memory.put(some(1, first=3))
    memory.give_back()
    assert numbers(memory.take(9)) == [0, 1, 2, 3]


def test_a_mark_is_passed_when_all_that_was_put_before_it_is_gone() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(2))
    mark = memory.mark()
    memory.put(some(2, first=2))
    memory.take(1)
    assert memory.is_behind(mark)
    memory.take(1)
    assert not memory.is_behind(mark)
    memory.give_back()
    assert memory.is_behind(mark)


def test_on_the_way_to_the_disk_it_is_held_and_behind() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(3))
    mark = memory.mark()
    copies, moving = memory.move_out()
    assert (copies, numbers(moving)) == ([], [0, 1, 2])
    assert (memory.held, bool(memory), memory.is_behind(mark)) == (3, True, True)
    memory.moved_out([], moving[2:])  # the disk took two
    assert (memory.held, numbers(memory.take(9))) == (1, [2])


def test_what_is_in_hand_and_on_disk_is_not_stored_twice_from_memory() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(2))
    batch = memory.take(2)
    copies, _ = memory.move_out()
    assert copies is batch
    memory.moved_out(copies, [])
    assert memory.held == 0
    assert memory.move_out()[0] == [], "a second time it need not be saved"
    memory.moved_out([], [])
    memory.give_back()
    assert not memory


def test_what_the_disk_did_not_take_of_it_waits_again() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(2))
    memory.take(2)
    memory.move_out()
    memory.moved_out([], [])
    memory.give_back()
    assert numbers(memory.take(9)) == [0, 1]


def test_a_copy_of_an_earlier_call_says_nothing_of_a_later_one() -> None:
    memory = WaitingLiquidations(9)
    memory.put(some(2))
    memory.take(1)
    copies, moving = memory.move_out()
    memory.stored()
    memory.put(some(1, first=2))
    memory.take(1)
    memory.moved_out(copies, moving)
    assert memory.held == 2, "the later one is not on disk"


def test_another_store_is_given_what_the_old_one_took_lately_and_no_more_than_fits(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(waiting_liquidations, "_MOST_RECENT", 4)
    memory = WaitingLiquidations(3)
    memory.remember(some(2), 0.0)
    memory.remember(some(3, first=2), 100.0)
    memory.remember(some(2, first=5), 130.0)
    memory.put(some(1, first=9))
    assert memory.put_again() == 4  # older ones are too many, or too long ago
    assert numbers(memory.take(9)) == [5, 6, 9]
    assert memory.put_again() == 0
