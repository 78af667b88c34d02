"""
What a verdict on record says against its wave: one rule for whoever reads or writes verdicts.

Two sidecars judge with one store, and each may be restarted, so what was said against a wave must
follow from the rows alone. What holds because of it is written in ``judge/wave_records.py``.
"""

import json
from collections.abc import Mapping
from typing import Any, Final

# The word on news that speaks against a wave.
CONTRADICTS: Final = "contradicts"
# Who judges in the place of a judge that must not, because of a veto or a doubt; stores hold this
# text.
REFUSED: Final = "vetoed"
# Who judges without reading any news.
MATRIX: Final = "matrix"
# The word where no candles could be compared with, so that nobody may enter anyway.
UNKNOWN: Final = "unknown"

# Why no judge was heard, where that is a word on the news: one who says both "enter" and "the news
# is against it" has read news, too; and news was against it before.
CONTRADICTORY: Final = "contradictory"
AGAINST_BEFORE: Final = "vetoed"
# And where it is none: a judge who read news said less than the matrix, which reads none.
DOUBTED: Final = "doubted"


def news_against(row: Mapping[str, Any]) -> bool:
    """
    :param row: of the table ``verdicts``
    :return: whether it says that news was against the wave, so that nobody may let it pass
    """
    if row["news"] == CONTRADICTS:
        return True
    return row["judge"] == REFUSED and failure_of(row) in (CONTRADICTORY, AGAINST_BEFORE)


def refuses(row: Mapping[str, Any]) -> bool:
    """:return: whether it lets the wave pass for nobody, so that it may be said after a veto"""
    return bool(row["news"] == CONTRADICTS or row["judge"] == REFUSED)


def by_matrix(row: Mapping[str, Any]) -> bool:
    """
    :param row: of the table ``verdicts``
    :return: whether the matrix may let the wave pass, which it must not once somebody who reads
        news has doubted the wave
    """
    return bool(row["judge"] == MATRIX and row["aligned"] != UNKNOWN)


def failure_of(row: Mapping[str, Any]) -> str | None:
    """
    :param row: of the table ``verdicts``
    :return: why no model was heard, None if one was, or none should have been
    """
    failure = json.loads(row["inputs"]).get("failure")
    return None if failure is None else str(failure)
