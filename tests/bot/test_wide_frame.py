"""Many columns at once are the same as one after the other, and few blocks."""

from typing import Any

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal

from liq_provider.bot.wide_frame import beside

ROWS = 20


def frame(rows: int = ROWS) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "date": pd.date_range("2026-01-01", periods=rows, freq="1min", tz="UTC"),
            "close": np.arange(rows, dtype=float),
        }
    )


def columns(rows: int = ROWS) -> dict[str, Any]:
    return {
        "float": np.linspace(0, 1, rows),
        "also_float": 1.5,
        "word": "classic",
        "whole": np.arange(rows),
        "also_whole": 3,
        "short_whole": np.arange(rows, dtype=np.int32),
        "truth": True,
        "truths": np.arange(rows) % 2 == 0,
        "words": np.array(["", "a"] * (rows // 2), dtype=object),
        "fixed_words": np.array(["b", "a"] * (rows // 2), dtype="U1"),
        "empty": "",
        "close": np.zeros(rows),
    }


@pytest.mark.parametrize("rows", [0, 2, ROWS])
def test_it_is_what_assign_makes(rows: int) -> None:
    given, added = frame(rows), columns(rows)
    assert_frame_equal(beside(given, added), given.assign(**added), check_index_type="exact")


@pytest.mark.parametrize("name", list(columns()))
def test_each_type_is_what_assign_makes_of_it(name: str) -> None:
    given, added = frame(), {name: columns()[name]}
    assert_frame_equal(beside(given, added), given.assign(**added))
    again = beside(given, added)
    assert_frame_equal(beside(again, added), given.assign(**added))


def test_frames_with_rows_or_names_of_their_own_keep_them() -> None:
    given = frame().iloc[3:12]
    assert_frame_equal(beside(given, {"a": 1.0, "b": "x"}), given.assign(a=1.0, b="x"))
    named = frame().rename_axis(columns="of")
    assert_frame_equal(beside(named, {"a": 1.0}), named.assign(a=1.0))
    objects = frame().set_axis(pd.Index(["date", "close"], dtype=object), axis=1)
    assert_frame_equal(beside(objects, {"a": 1.0}), objects.assign(a=1.0))


def test_the_frame_that_was_given_stays_as_it_was() -> None:
    given = frame()
    before = given.copy()
    made = beside(given, columns())
    made["close"], made["word"] = 9.0, "other"
    made.loc[:, "empty"] = "written"
    assert_frame_equal(given, before)
    assert set(beside(given, columns())["empty"]) == {""}
    assert set(beside(given, columns())["word"]) == {"classic"}


def test_titles_are_given_to_one_frame_alone() -> None:
    given = frame()
    made = beside(given, columns())
    made.columns.name, made.index.name = "columns", "rows"
    for other in (given, beside(given, columns())):
        assert other.columns.name is None and other.index.name is None


def test_neighbours_of_one_type_share_a_block() -> None:
    added = {f"f{n}": np.full(ROWS, 1.0 * n) for n in range(20)} | {f"i{n}": n for n in range(10)}
    assert len(beside(frame(), added)._mgr.blocks) <= len(frame()._mgr.blocks) + 2
