"""
For which minutes a verdict holds: those whose settled features showed the state of the wave that
it was made for.

A wave may leave a state and come back to it. In between nobody live could act on what was said
of that state, so the minutes are kept as spans, and a backtest reads them alike.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from pydantic import TypeAdapter, ValidationError

from liq_provider.core.durations import MINUTE_MS

Span = tuple[int, int]  # closes of the first and the last minute

_SPANS: TypeAdapter[list[Span]] = TypeAdapter(list[Span])


@dataclass(frozen=True, slots=True)
class Confirmed:
    """
    A settled minute that shows a wave in some state.

    :param aligned: yes, no or unknown
    :param news_key: identifies the set of news; empty if none was looked at
    :param judge: whose verdict holds in this minute
    :param expires_at: until when an order may follow from this minute
    """

    base_asset: str
    direction: str
    wave_start_ms: int
    strength: str
    aligned: str
    news_key: str
    judge: str
    close_ms: int
    expires_at: int


def first_span(close_ms: int) -> str:
    """:return: the column ``confirmed`` of a verdict that was made for one minute"""
    return json.dumps([[close_ms, close_ms]])


def last_minute(confirmed: str | None, made_ms: int) -> int:
    """
    :return: close of the newest minute that a verdict holds for; see ``prolonged``
    """
    return int(json.loads(confirmed)[-1][1]) if confirmed else made_ms


def prolonged(confirmed: str | None, made_ms: int, close_ms: int) -> str | None:
    """
    :param confirmed: of the table ``verdicts``
    :param made_ms: close of the minute that the verdict was made for
    :return: the same with one more minute; None if there is nothing to add
    """
    spans = json.loads(confirmed) if confirmed else [[made_ms, made_ms]]
    last_ms = spans[-1][1]
    if close_ms <= last_ms:
        return None
    if close_ms - last_ms <= MINUTE_MS:
        spans[-1][1] = close_ms
    else:
        spans.append([close_ms, close_ms])
    return json.dumps(spans)


def spans_of(verdict: Mapping[str, Any], life_ms: int) -> list[Span]:
    """
    :param verdict: a row of the table ``verdicts``
    :param life_ms: how long after a close it is alive, see ``Settings.verdict_life_ms``
    :return: the minutes that it holds for. Versions before schema 0004 kept only the last of
        them, so their verdicts hold from the first on
    """
    if verdict["confirmed"]:
        return _SPANS.validate_json(verdict["confirmed"])
    return [(int(verdict["wave_start_ms"]), int(verdict["expires_at"]) - life_ms)]


def is_valid(confirmed: str | None) -> bool:
    """:return: whether this can be the column ``confirmed``: ascending spans that do not touch"""
    if confirmed is None:
        return True
    try:
        spans = _SPANS.validate_json(confirmed)
    except ValidationError:
        return False
    bounds = [bound for span in spans for bound in span]
    apart = all(late[0] - early[1] > MINUTE_MS for early, late in pairwise(spans))
    return bool(bounds) and bounds == sorted(bounds) and apart
