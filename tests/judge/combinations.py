"""Every combination of a wave's gates, alone or on one time line, to be decided at once."""

import itertools
import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from liq_provider.bot.rules_of_bots import in_force_of
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.decisions import CandleTrend, Decisions, decide
from liq_provider.judge.gate_list import DecisionStory
from liq_provider.judge.gates import tell
from liq_provider.judge.matrix import News
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_of_candle import verdict_of_candle
from liq_provider.measure.feature_rows import COLUMNS, FeatureRows, State
from tests.bot.helpers import at, feature_rows, settings, verdict

CLOSE = at(40)
PAIR = "BTC/USDT:USDT"
# So far apart that each wave is over, and so is all that was said of it.
APART_MS = 10 * MINUTE_MS


@dataclass(frozen=True)
class Combination:
    """
    One way in which a candle's gates may stand.

    :param before: what news said of the minute before, if that was a wave that was let in
    """

    state: State = State.READY
    count: int = 10
    usd: float = 1e6
    z: float = 9.0
    share: float = 0.98
    seen: bool = True
    price: int | None = -1
    said: str | None = "enter"
    news: News = News.NONE
    before: News | None = None

    def rows(self) -> FeatureRows:
        """The candle's minute, and perhaps one before that was entered already."""
        minutes = {40: (self.z, self.share)}
        if self.before is not None:
            minutes = {39: (9.0, 0.98), **minutes}
        made = feature_rows(minutes, usd=self.usd, count=self.count)
        state = np.where(made.close_ms == CLOSE, int(self.state), int(State.READY))
        z = np.where(state == State.READY, made.z, np.nan)
        steady = np.full(len(made), self.seen)
        return replace(made, state=state, z=z, steady=steady)

    def trend(self, size: int) -> CandleTrend:
        if self.price is None:
            return CandleTrend(np.full(size, np.nan), np.full(size, np.nan))
        return CandleTrend(np.full(size, 0.02 * self.price), np.full(size, 0.01))

    def verdicts(self) -> list[dict[str, Any]]:
        """What the sidecar, with thresholds of its own, made of both minutes."""
        stored = []
        if self.before is not None:
            stored.append(self.verdict_of(39, 39, "enter", self.before))
        if self.said is not None:
            first = 40 if self.before is None else 39
            stored.append(self.verdict_of(first, 40, self.said, self.news))
        return stored

    def verdict_of(self, first: int, made: int, said: str, news: News) -> dict[str, Any]:
        veto = said != "enter"
        known = self.price is not None
        inputs = {"trend_change": 0.02 * self.price if known else None, "trend_noise": 0.01}
        late_ms = 60_000 if said == "late" else 3_000
        return verdict(
            first,
            news=news.value,
            news_key=f"{made} {news}",
            action="skip" if said in ("unavailable", "vetoed") else said.replace("late", "enter"),
            judge=said if said in ("unavailable", "vetoed") else "matrix",
            downgrade=3 if veto and said != "late" else 0,
            aligned={None: "unknown", -1: "yes"}.get(self.price, "no"),
            inputs=json.dumps(inputs),
            close_ms=at(made),
            available_at=at(made) + late_ms,
            expires_at=at(made) + 32_000,
            confirmed=json.dumps([[at(made), at(made)]]),
        )


def combinations() -> Iterator[Combination]:
    """Every gate passed, failed or not reached, against every other."""
    measures = itertools.product(
        State,
        (10, 2),
        (1e6, 20_000.0),
        (9.0, 4.5, 2.0),
        (0.98, 0.8, 0.6),
        (True, False),
    )
    judged = list(
        itertools.product(
            (-1, 0, 1, None),
            ("enter", "hold", "skip", "unavailable", "vetoed", "late", None),
            (News.NONE, News.SUPPORTS, News.CONTRADICTS, News.NOT_ASKED),
            (None, News.NONE, News.SUPPORTS),
        )
    )
    for state, count, usd, z, share, seen in measures:
        poor = state is not State.READY or count == 2 or usd < 25_000 or z < 3 or share < 0.75
        # What judges say of no wave is the same whatever it is.
        for price, said, news, before in judged[:: 97 if poor else 1]:
            yield Combination(state, count, usd, z, share, seen, price, said, news, before)


RULES = {
    "as the sidecar": {},
    "hyperopted stricter": {"z_strong": 6.0, "min_confidence": "high", "purity_strong": 0.95},
    "hyperopted looser": {"z_strong": 4.0, "min_confidence": "low", "trend_k": 1.5},
}


def in_force(name: str) -> RulesInForce:
    return in_force_of(settings(), RULES[name], MINUTE_MS, [PAIR], "a test")


def told(one: Combination, rules: RulesInForce) -> tuple[DecisionStory, Decisions]:
    rows = one.rows()
    decisions = decide(
        rows.close_ms, rows, one.trend(len(rows)), one.verdicts(), rules.rules, "live"
    )
    row = len(rows) - 1
    said = verdict_of_candle(decisions, row, one.verdicts(), rules.rules)
    return tell(decisions, row, rules, "live", said), decisions


class TimeLine:
    """
    :param scenes: in their order
    """

    def __init__(self, scenes: Sequence[Combination]) -> None:
        self.scenes = scenes
        self.closes_ms = [at(40) + number * APART_MS for number in range(len(scenes))]
        parts = [replace_times(one.rows(), n * APART_MS) for n, one in enumerate(scenes)]
        columns: Any = {
            name: np.concatenate([getattr(part, name) for part in parts]) for name in COLUMNS
        }
        self.rows = FeatureRows(**columns)
        trends = [one.trend(len(part)) for one, part in zip(scenes, parts, strict=True)]
        self.trend = CandleTrend(
            np.concatenate([trend.change for trend in trends]),
            np.concatenate([trend.noise for trend in trends]),
        )
        self.ends = np.cumsum([len(part) for part in parts])
        self.said = [
            [later(said, number * APART_MS) for said in one.verdicts()]
            for number, one in enumerate(scenes)
        ]

    @cached_property
    def verdicts(self) -> list[dict[str, Any]]:
        """Of all of them, by ``available_at``."""
        return sorted(itertools.chain(*self.said), key=lambda said: int(said["available_at"]))

    def decided(self, rules: RulesInForce) -> Decisions:
        return decide(self.rows.close_ms, self.rows, self.trend, self.verdicts, rules.rules, "live")

    def stories(self, rules: RulesInForce) -> list[DecisionStory]:
        """:return: what each ends in, in their order"""
        decisions, own = self.decided(rules), rules.rules
        rows = [int(end) - 1 for end in self.ends]
        return [
            tell(decisions, r, rules, "live", verdict_of_candle(decisions, r, self.verdicts, own))
            for r in rows
        ]

    def rows_of(self, number: int) -> FeatureRows:
        """:return: the features of one of them"""
        begin = 0 if not number else int(self.ends[number - 1])
        return self.rows.picked(slice(begin, int(self.ends[number])))


def replace_times(rows: FeatureRows, by_ms: int) -> FeatureRows:
    return replace(rows, close_ms=rows.close_ms + by_ms)


def later(said: dict[str, Any], by_ms: int) -> dict[str, Any]:
    """:return: the same verdict at another time"""
    times = ("wave_start_ms", "close_ms", "available_at", "expires_at")
    spans = [[first + by_ms, last + by_ms] for first, last in json.loads(said["confirmed"])]
    return said | {name: said[name] + by_ms for name in times} | {"confirmed": json.dumps(spans)}
