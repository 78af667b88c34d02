"""Verdicts as the page shows them: three assessments, a decision, and what stood against it."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from liq_provider.bot.rules_of_bots import Refusal, as_the_bot_did
from liq_provider.config.measuring import floor_of
from liq_provider.config.settings import Settings
from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.dashboard.queries import PageReader
from liq_provider.judge.gate_list import BEGINNING_UNSEEN, DecisionStory
from liq_provider.judge.matrix import Confidence
from liq_provider.judge.prompt import news_in
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_story import read_story
from liq_provider.measure.scales import SCALES, Score, score_words

_SHOWN = (
    *("base_asset", "symbol", "direction", "strength", "aligned", "news", "action", "confidence"),
    *("judge", "liq_note", "trend_note", "news_note", "action_reason", "wave_start_ms"),
    *("available_at", "expires_at", "close_ms"),
)
# What a story depends on besides the rules, and what tells verdicts from each other.
_KEY = (
    *("base_asset", "direction", "wave_start_ms", "strength", "aligned", "news_key", "judge"),
    *("available_at", "expires_at", "confirmed", "downgrade"),
)


def signal(row: Mapping[str, Any], story: DecisionStory) -> dict[str, Any]:
    """
    :param row: of the table ``verdicts``
    :param story: what became of it by the rules in force
    :return: what a line of the table shows
    """
    inputs = json.loads(row["inputs"])
    return {
        **{name: row[name] for name in _SHOWN},
        "score": _score(inputs),
        "purity": inputs.get("purity"),
        "verb": story.verb,
        "words": story.words,
        "sure": Confidence(story.level).word if story.enters and story.level else None,
        "refused_by": story.refused_by,
        "stand_in": is_stand_in(row["judge"]),
        "guarded": len(json.loads(row["guard"])),
    }


def wave_words(row: Mapping[str, Any], zscore: Score) -> dict[str, Any]:
    """
    :param row: of a wave, settled or not
    :param zscore: that its ``peak_z`` is
    :return: what the page says of it beside its numbers
    """
    return {
        "peak": score_words(zscore, row["peak_z"]),
        # Of an older store's waves it is not known.
        "remark": f"its {BEGINNING_UNSEEN}" if row["seen"] is not None and not row["seen"] else "",
    }


class Stories:
    """Keeps what was told of each verdict, as long as it and the rules stay the same."""

    def __init__(self, reader: PageReader) -> None:
        self._reader = reader
        self._in_force: RulesInForce | None = None
        self._told: dict[tuple[Any, ...], DecisionStory] = {}

    def of(
        self,
        rows: Sequence[Mapping[str, Any]],
        in_force: RulesInForce,
        refusals: Mapping[tuple[str, int], Refusal],
    ) -> list[DecisionStory]:
        """
        :param refusals: what a bot says of its own gates
        :return: the stories of some verdicts, in their order
        """
        before = self._told if in_force == self._in_force else {}
        told = {}
        for row in rows:
            key = tuple(row.get(name) for name in _KEY)
            known = before.get(key)
            told[key] = known or read_story(
                self._reader, row, in_force, in_force.lists(row["symbol"])
            )
        self._in_force, self._told = in_force, told
        return [
            as_the_bot_did(story, row["symbol"], refusals)
            for row, story in zip(rows, told.values(), strict=True)
        ]


def record(
    reader: PageReader,
    row: Mapping[str, Any],
    in_force: RulesInForce,
    refusals: Mapping[tuple[str, int], Refusal],
) -> dict[str, Any]:
    """
    Everything that is known of one verdict.

    :return: the signal, its gates, whose rules they are, what it was made from, the guard's
        changes, the question to the model, if one was asked and is still on record, and the news
        in it
    """
    inputs = json.loads(row["inputs"])
    call = reader.model_call(inputs["call_id"]) if inputs.get("call_id") else None
    story = read_story(reader, row, in_force, in_force.lists(row["symbol"]))
    story = as_the_bot_did(story, row["symbol"], refusals)
    return {
        "signal": signal(row, story),
        "gates": [asdict(gate) for gate in story.gates],
        "rules_of": in_force.owner,
        "inputs": inputs,
        "guard": json.loads(row["guard"]),
        "downgrade": row["downgrade"],
        "news": None if call is None else news_in(json.loads(call["prompt"])),
        "asked": bool(inputs.get("call_id")),
        "call": None if call is None else _call(call),
    }


def _score(inputs: Mapping[str, Any]) -> str | None:
    """What a verdict's wave was measured by, in words."""
    if inputs.get("z") is None:
        return None
    return score_words(inputs.get("zscore", "classic"), inputs["z"], 2)


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("judge", "asked_ms", "latency_ms", "requests", "answer", "prompt_tokens"),
        *("answer_tokens", "cost_usd", "outcome", "detail"),
    )
    return {
        **{name: call[name] for name in names},
        "prompt": [message["content"] for message in json.loads(call["prompt"])],
    }


def floor_words(settings: Settings) -> str:
    """:return: which waves the page shows and calls strong, whatever a bot's rules are"""
    floor = floor_of(settings)
    return (
        f"As the sidecar sees them, from the judge's floor on: {SCALES[floor.zscore].name} "
        f"{floor.z_threshold:g}, purity {floor.purity_threshold:.0%} (judge.z_min, "
        f"judge.purity_min); strong from {floor.z_strong:g} and {floor.purity_strong:.0%}. What is "
        "traded of them is decided below."
    )
