"""Quotes around whole values are taken away, and only where that changes nothing."""

import csv
import re
from random import Random

import numpy as np
import pytest

from liq_provider.history.quoted_values import unquoted
from liq_provider.history.text_blocks import TextBlock

PARTS = ['"', '"', '"', ",", ",", "\n", "\r\n", "\r", " ", '""', "a", "1.5", '"a"', '","', '",\n']
BARE = re.compile(rb"\r(?!\n)")


def values_of(line: bytes) -> list[str] | None:
    """:return: what Python's csv says; None where it is no line of a CSV"""
    try:
        return next(csv.reader([line.decode()]), [])
    except csv.Error:
        return None


def lines_of(text: bytes, ends: np.ndarray) -> list[bytes]:
    starts = [0, *ends[:-1].tolist()]
    return [text[start:end] for start, end in zip(starts, ends.tolist(), strict=True)]


@pytest.mark.parametrize("seed", range(20))
def test_a_line_says_the_same_without_the_quotes_that_are_taken_away(seed: int) -> None:
    random = Random(seed)
    changed = 0
    for _ in range(500):
        text = "".join(random.choices(PARTS, k=random.randrange(1, 30))).encode()
        block = TextBlock.of(1, text)
        plain, ends = unquoted(text, block.ends)
        lines = list(zip(lines_of(text, block.ends), lines_of(plain, ends), strict=True))
        for before, after in lines:
            # A bare carriage return makes a line odd, with and without quotes.
            if before == after or BARE.search(after):
                continue
            changed += 1
            assert b'"' not in after
            # Where nothing but quotes stood nothing is left, and such a line is read as it was.
            assert values_of(before) == (values_of(after) or [""])
    assert changed > 50


def test_a_line_with_another_quote_stays_as_it_is() -> None:
    text = b'"a","1"\n"b","x,y"\n"c","say ""no"""\n"d"x,1\n"e","2"'
    plain, ends = unquoted(text, TextBlock.of(1, text).ends)
    assert lines_of(plain, ends) == [
        b"a,1\n",
        b'"b","x,y"\n',
        b'"c","say ""no"""\n',
        b'"d"x,1\n',
        b"e,2",
    ]
