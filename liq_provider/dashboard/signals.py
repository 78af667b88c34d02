"""Verdicts as the page shows them: three assessments, a decision, and what stood against it."""

import json
from collections.abc import Mapping
from collections.abc import Set as AbstractSet
from typing import Any

from liq_provider.config.provenance import is_stand_in
from liq_provider.config.settings import Settings
from liq_provider.dashboard.queries import PageReader
from liq_provider.judge.matrix import Confidence
from liq_provider.judge.prompt import news_in
from liq_provider.judge.rules import UNJUDGED
from liq_provider.measure.scales import score_words
from liq_provider.store.confirmation import spans_of
from liq_provider.store.refusals import VETOED

_SHOWN = (
    *("base_asset", "symbol", "direction", "strength", "aligned", "news", "action", "confidence"),
    *("judge", "liq_note", "trend_note", "news_note", "action_reason", "wave_start_ms"),
    *("available_at", "expires_at", "close_ms"),
)


def signal(
    row: Mapping[str, Any],
    settings: Settings,
    whitelist: AbstractSet[str] = frozenset(),
    unseen: AbstractSet[tuple[str, str, int]] = frozenset(),
) -> dict[str, Any]:
    """
    :param row: of the table ``verdicts``
    :param whitelist: the bot's pairs of this moment; empty if it did not tell them
    :param unseen: waves whose beginning was not seen
    :return: what a line of the table shows
    """
    inputs = json.loads(row["inputs"])
    wave = row["base_asset"], row["direction"], row["wave_start_ms"]
    refused = refused_by(row, inputs, settings, seen=wave not in unseen)
    if refused is None and whitelist and row["symbol"] not in whitelist:
        refused = "not in the bot's whitelist now"
    return {
        **{name: row[name] for name in _SHOWN},
        "z": inputs.get("z"),
        "purity": inputs.get("purity"),
        "refused_by": refused,
        "stand_in": is_stand_in(row["judge"]),
        "guarded": len(json.loads(row["guard"])),
    }


def refused_by(
    row: Mapping[str, Any], inputs: Mapping[str, Any], settings: Settings, *, seen: bool = True
) -> str | None:
    """
    :param seen: the beginning of its wave was
    :return: the first gate that the settings in force would close, None if none; a bot
        without a free slot or with stale data may refuse for reasons of its own
    """
    if inputs["z"] < settings.z_threshold:
        words = score_words(settings.zscore, inputs["z"])
        return f"{words} is below z_threshold {settings.z_threshold:g}"
    if inputs["purity"] <= settings.purity_threshold:
        return f"purity {inputs['purity']:.0%} is not above {settings.purity_threshold:.0%}"
    if not seen:
        return "the wave's beginning was not seen"
    if row["aligned"] == "unknown":
        return "no candles to compare with"
    if row["aligned"] == "no":
        return "price does not follow"
    if row["judge"] == UNJUDGED:
        return "no verdict of the model"
    if row["judge"] == VETOED:
        return "vetoed"
    if row["news"] == "contradicts":
        return "news contradicts"
    if row["action"] != "enter":
        return f"the judge says {row['action']}"
    delay_ms = settings.max_entry_delay_ms
    last_ms = spans_of(row, settings.settle_ms + delay_ms)[-1][1]
    if row["available_at"] > last_ms + delay_ms:
        late_s = (row["available_at"] - last_ms) / 1000
        return f"came {late_s:.0f} s after the close, too late (max_entry_delay_s)"
    least = Confidence[settings.min_confidence.upper()]
    if Confidence[row["confidence"].upper()] < least:
        return f"confidence {row['confidence']} is below min_confidence {least.word}"
    return None


def record(
    reader: PageReader,
    row: Mapping[str, Any],
    settings: Settings,
    whitelist: AbstractSet[str] = frozenset(),
) -> dict[str, Any]:
    """
    Everything that is known of one verdict.

    :return: the signal, what it was made from, the guard's changes, the question to the model,
        if one was asked and is still on record, and the news in it
    """
    inputs = json.loads(row["inputs"])
    call = reader.model_call(inputs["call_id"]) if inputs.get("call_id") else None
    return {
        "signal": signal(row, settings, whitelist, reader.unseen_waves(row["wave_start_ms"])),
        "inputs": inputs,
        "guard": json.loads(row["guard"]),
        "downgrade": row["downgrade"],
        "news": None if call is None else news_in(json.loads(call["prompt"])),
        "asked": bool(inputs.get("call_id")),
        "call": None if call is None else _call(call),
    }


def _call(call: Mapping[str, Any]) -> dict[str, Any]:
    names = (
        *("judge", "asked_ms", "latency_ms", "requests", "answer", "prompt_tokens"),
        *("answer_tokens", "cost_usd", "outcome", "detail"),
    )
    return {
        **{name: call[name] for name in names},
        "prompt": [message["content"] for message in json.loads(call["prompt"])],
    }
