"""Decisions as dataframe columns: what plots show and what Freqtrade trades on."""

import re
from typing import Any

import numpy as np

from liq_provider.core.arrays import BoolArray
from liq_provider.judge.decisions import Decisions
from liq_provider.judge.matrix import Confidence
from liq_provider.measure.feature_rows import State
from liq_provider.measure.waves import Strength, Thresholds, direction_word

REVERSAL = "liq_reversal"
UPGRADE = "liq_upgrade"

# Columns of candles that enter and exit nothing, in the order in which they come about: Freqtrade
# puts an empty tag into a frame before it asks for entries, and another before it asks for exits.
NO_ENTRIES: dict[str, Any] = {"enter_tag": ""}
NO_EXITS: dict[str, Any] = {"exit_tag": "", "exit_long": 0, "exit_short": 0}
NO_SIGNALS: dict[str, Any] = {"enter_long": 0, "enter_short": 0, **NO_EXITS}

_OURS = "liq_"
_TAG = re.compile(r"liq_(?:long|short)_(?:medium|strong)_(low|medium|high)")


def decision_columns(decisions: Decisions, thresholds: Thresholds) -> dict[str, Any]:
    """
    :param thresholds: drawn as lines; a column is the only way to have one beside z
    :return: columns ``liq_*``, one value per candle
    """
    # Where nothing is known, nothing is drawn: a zero would say that it was quiet.
    long_usd, short_usd, purity, count = (
        np.where(decisions.state == State.UNCOVERED, np.nan, values)
        for values in (decisions.long_usd, decisions.short_usd, decisions.purity, decisions.count)
    )
    return {
        "liq_long_usd": long_usd,
        "liq_short_usd": short_usd,
        # Longs downwards, so that both sides can be bars of one plot.
        "liq_long_usd_down": -long_usd,
        "liq_count": count,
        "liq_z": decisions.z,
        "liq_zscore": thresholds.zscore,
        "liq_z_threshold": thresholds.z_threshold,
        "liq_z_strong": thresholds.z_strong,
        "liq_purity": purity,
        "liq_purity_threshold": thresholds.purity_threshold,
        "liq_purity_strong": thresholds.purity_strong,
        "liq_state": decisions.state,
        "liq_strength": decisions.strength,
        "liq_sign": decisions.sign,
        "liq_wave": decisions.wave_ms,
        "liq_seen": decisions.seen.astype(np.int64),
        "liq_aligned": decisions.aligned,
        "liq_judged": decisions.judged.astype(np.int64),
        "liq_news": decisions.news,
        "liq_level": decisions.level,
        "liq_candidate": decisions.candidate.astype(np.int64),
        # Upwards for LONG, downwards for SHORT.
        "liq_wave_side": decisions.sign * decisions.strength,
        "liq_verdict_side": decisions.sign * decisions.level,
    }


def entry_columns(decisions: Decisions, entry: BoolArray, late: int) -> dict[str, Any]:
    """
    :param entry: candles that may enter
    :param late: candles by which signals are delayed (``backtest_entry: next``)
    :return: Freqtrade's entry columns and tags
    """
    columns = {
        "enter_long": (entry & (decisions.sign > 0)).astype(np.int64),
        "enter_short": (entry & (decisions.sign < 0)).astype(np.int64),
        "enter_tag": _entry_tags(decisions, entry),
    }
    return {name: _delayed(values, late) for name, values in columns.items()}


def _entry_tags(decisions: Decisions, entry: BoolArray) -> Any:
    rows = np.flatnonzero(entry)
    if not len(rows):
        return ""
    tags = np.full(len(entry), "", dtype=object)
    for row in rows:
        tags[row] = entry_tag(
            int(decisions.sign[row]), int(decisions.strength[row]), int(decisions.level[row])
        )
    return tags


def exit_columns(decisions: Decisions, late: int) -> dict[str, Any]:
    """
    :return: Freqtrade's exit columns: a sure wave closes a position of the other side, also one
        that may not be entered as its beginning was not seen
    """
    if not decisions.sure.any():
        return dict(NO_EXITS)
    against_long = decisions.sure & (decisions.sign < 0)
    against_short = decisions.sure & (decisions.sign > 0)
    columns = {
        "exit_long": against_long.astype(np.int64),
        "exit_short": against_short.astype(np.int64),
        "exit_tag": np.where(against_long | against_short, REVERSAL, "").astype(object),
    }
    return {name: _delayed(values, late) for name, values in columns.items()}


def _delayed(values: Any, late: int) -> Any:
    if not late or isinstance(values, str):
        return values
    moved = np.roll(values, late)
    moved[:late] = "" if values.dtype == object else 0
    return moved


def entry_tag(sign: int, strength: int, level: int) -> str:
    """:return: such as ``liq_short_strong_high``"""
    side = direction_word(sign).lower()
    return f"liq_{side}_{Strength(strength).word}_{Confidence(level).word}"


def level_of_tag(tag: str | None) -> int:
    """:return: the confidence that a tag of ours states, 0 for a foreign one"""
    match = _TAG.fullmatch(tag or "")
    return 0 if match is None else int(Confidence.of(match[1]))


def by_hand(tag: str | None, signalled: str | None) -> bool:
    """
    Freqtrade gives an entry by hand the tag ``force_entry``, or whatever its user wrote. Anything
    that might be a signal's passes all gates, also what a derived strategy calls its own.

    :param tag: of an entry
    :param signalled: of the pair's newest candle
    :return: whether a user ordered it
    """
    return bool(tag) and not str(tag).startswith(_OURS) and tag != signalled
