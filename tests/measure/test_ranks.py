"""Ranks without a search are those that a search finds."""

import numpy as np
import pytest

from liq_provider.measure.ranks import Ranks


@pytest.mark.parametrize("size", [1, 63, 64, 65, 128, 5_000])
@pytest.mark.parametrize("share", [0.0, 0.01, 0.5, 1.0])
def test_they_say_how_many_lie_before(size: int, share: float) -> None:
    rng = np.random.default_rng(size)
    positions = rng.permutation(np.flatnonzero(rng.random(size) < share))
    asked = np.arange(size + 1)
    ranks = Ranks(positions, size).before(asked)
    assert ranks.dtype == np.int64
    assert (ranks == np.searchsorted(np.sort(positions), asked)).all()


def test_many_in_one_word_are_counted_further_than_its_bits() -> None:
    ranks = Ranks(np.arange(100_000), 100_000)
    assert ranks.before(np.array([99_999, 100_000])).tolist() == [99_999, 100_000]
