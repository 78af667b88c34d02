"""Blocks that are added up from either end, whatever they hold."""

import numpy as np
import pytest

from liq_provider.measure.block_rows import BlockRows

KINDS = ([0, 0, 0], [1], [0, 1, 2, 3, 4, 5, 0, 8, 9, 288], [2, 2, 2], [288, 0, 1, 288])


@pytest.mark.parametrize("counts", KINDS)
def test_each_value_has_what_is_older_and_what_is_newer_in_its_block(counts: list[int]) -> None:
    first = np.concatenate(([0], np.cumsum(counts)))
    values = np.random.default_rng(1).lognormal(5, 3, first[-1]) * (1 + 2j)
    rows = BlockRows(first)
    ranks, blocks = np.arange(first[-1]), np.repeat(np.arange(len(counts)), counts)
    before, since = rows.before(ranks, blocks), rows.since(ranks, blocks)
    older, newer = rows.added_up(values, before)
    for rank, block in zip(ranks.tolist(), blocks.tolist(), strict=True):
        below, above = values[first[block] : rank], values[rank : first[block + 1]]
        # To the last bit, as additions are in this order.
        assert older[before[rank]] == (np.cumsum(below)[-1] if len(below) else 0)
        assert newer[since[rank]] == np.cumsum(above[::-1])[-1]


@pytest.mark.parametrize("counts", KINDS)
def test_after_the_last_value_of_a_block_there_is_nothing(counts: list[int]) -> None:
    first = np.concatenate(([0], np.cumsum(counts)))
    rows = BlockRows(first)
    cells = rows.before(np.arange(first[-1]), np.repeat(np.arange(len(counts)), counts))
    _, newer = rows.added_up(np.ones(first[-1], dtype=np.complex128), cells)
    assert (newer[rows.since(first[1:], np.arange(len(counts)))] == 0).all()


def test_a_single_full_block_gives_the_others_no_room() -> None:
    counts = [3] * 1_000 + [288]
    rows = BlockRows(np.concatenate(([0], np.cumsum(counts))))
    older, _ = rows.added_up(
        np.ones(sum(counts), dtype=np.complex128),
        rows.before(np.arange(sum(counts)), np.repeat(np.arange(1_001), counts)),
    )
    assert len(older) < 10 * 1_000
