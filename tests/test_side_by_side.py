"""What benches time in turns, and what they say of it."""

import pytest

from benchmarks.side_by_side import Row, Times, growth, in_turns


def test_each_way_runs_in_every_round_and_each_goes_first_in_turn() -> None:
    ran: list[str] = []
    times = in_turns({name: lambda name=name: ran.append(name) for name in "abc"}, 3)
    assert [ran[first : first + 3] for first in range(0, 12, 3)] == [
        *(["c", "a", "b"], ["a", "b", "c"], ["b", "c", "a"], ["c", "a", "b"]),
    ]
    assert list(times) == ["a", "b", "c"]
    assert all(len(one.seconds) == 3 for one in times.values())


def test_a_ratio_is_the_median_of_those_of_the_rounds() -> None:
    own, peer = Times((1.0, 4.0, 2.0)), Times((2.0, 2.0, 8.0))
    assert own.over(peer) == 0.5
    assert own.median_ms == 2_000.0
    assert Row("work", {"own": own, "peer": peer}).lines()[2].endswith("0.50 of it")


@pytest.mark.parametrize(("power", "seconds"), [(1, (1, 4, 16)), (0, (3, 3, 3)), (2, (1, 16, 256))])
def test_growth_is_the_power_of_the_size(power: int, seconds: tuple[float, ...]) -> None:
    times = [Times((one,)) for one in seconds]
    assert growth((1, 4, 16), times) == pytest.approx(power)
