"""How attempts to connect are spaced."""

import random

from liq_provider.stream.retry import Backoff, RetryWaits


def test_waits_grow_are_spread_and_bounded() -> None:
    class Longest(random.Random):
        def uniform(self, a: float, b: float) -> float:
            assert a == 0.0  # full jitter
            return b

    backoff = Backoff(RetryWaits(backoff_base_s=0.5, backoff_cap_s=60), Longest())
    assert [backoff.next_s() for _ in range(9)] == [0.5, 1, 2, 4, 8, 16, 32, 60, 60]
    for _ in range(2_000):
        assert backoff.next_s() == 60
    backoff.reset()
    assert backoff.next_s() == 0.5
