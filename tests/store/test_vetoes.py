"""What a verdict on record says against its wave."""

import json
from typing import Any

import pytest

from liq_provider.store.vetoes import news_against, refuses


def row(news: str, judge: str, failure: str | None = None) -> dict[str, Any]:
    inputs = {} if failure is None else {"failure": failure}
    return {"news": news, "judge": judge, "inputs": json.dumps(inputs)}


@pytest.mark.parametrize(
    ("verdict", "against", "refusing"),
    [
        (row("contradicts", "m@v1"), True, True),
        (row("not_asked", "vetoed", "contradictory"), True, True),
        (row("not_asked", "vetoed", "vetoed"), True, True),
        # A model doubted the wave before, and nobody else may judge it: that is no news.
        (row("not_asked", "vetoed", "doubted"), False, True),
        (row("not_asked", "vetoed", "timeout"), False, True),
        (row("not_asked", "unavailable", "timeout"), False, False),
        (row("not_asked", "matrix", "timeout"), False, False),
        (row("not_asked", "matrix"), False, False),
        (row("supports", "m@v1"), False, False),
        (row("none", "m@v1"), False, False),
    ],
)
def test_news_is_against_a_wave_if_somebody_read_so(
    verdict: dict[str, Any], against: bool, refusing: bool
) -> None:
    assert (news_against(verdict), refuses(verdict)) == (against, refusing)
