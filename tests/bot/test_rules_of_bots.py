"""Whose rules are in force."""

from pathlib import Path
from typing import Any

import pytest

from liq_provider.bot.rules_of_bots import (
    TOLD,
    as_the_bot_did,
    in_force_now,
    in_force_of,
    refusals_of,
)
from liq_provider.config.parameter_file import ParameterFile
from liq_provider.core.durations import MINUTE_MS
from liq_provider.judge.matrix import Confidence
from liq_provider.judge.rules_in_force import RulesInForce
from tests.bot.helpers import settings
from tests.judge.combinations import Combination, in_force
from tests.judge.combinations import told as story_of_scene

BTC, ETH = "BTC/USDT:USDT", "ETH/USDT:USDT"


def bot(name: str = "A", pairs: tuple[str, ...] = (BTC,), **values: Any) -> dict[str, Any]:
    """What a bot tells of itself."""
    known = in_force_of(settings(), values, MINUTE_MS, pairs, "")
    return {"name": name, "parameters": values, TOLD: known.as_told()}


def now(*bots: dict[str, Any], file: ParameterFile | None = None) -> RulesInForce:
    return in_force_now(bots, settings(), MINUTE_MS, lambda: file, [ETH])


def test_a_bot_that_is_there_decides_by_its_own_rules() -> None:
    known = now(bot(z_strong=4.0, windows="10/24"))
    assert known.rules.thresholds.z_strong == 4.0
    assert (known.windows.segment_min, known.rules.segment_min) == (10, 10)
    assert known.owner == "the bot A"
    assert (known.lists(BTC), known.lists(ETH)) == (True, False)


def test_bots_that_decide_alike_are_told_together_with_all_their_pairs() -> None:
    known = now(bot("A", z_strong=4.0), bot("B", (ETH,), z_strong=4.0))
    assert known.owner == "the bot A and the bot B"
    assert known.lists(BTC) and known.lists(ETH)


@pytest.mark.parametrize(
    ("bots", "why"),
    [
        ((), "no bot is there"),
        (({"dry_run": True},), "no bot is there"),
        (({TOLD: {"rules": "of another version"}},), "no bot is there"),
        ((bot(z_strong=4.0), bot(z_strong=6.0)), "2 bots with different rules are there"),
    ],
)
def test_else_the_configuration_decides_with_the_file_that_freqtrade_would_load(
    bots: tuple[dict[str, Any], ...], why: str
) -> None:
    known = now(*bots)
    assert known.owner == f"the configuration ({why})"
    assert (known.rules.thresholds.z_strong, known.lists(BTC), known.lists(ETH)) == (5, False, True)
    file = ParameterFile(Path("LiqTrend.json"), {"z_strong": 7.5, "min_confidence": "low"})
    known = now(*bots, file=file)
    assert known.owner == f"the configuration and LiqTrend.json ({why})"
    assert known.rules.thresholds.z_strong == 7.5
    assert known.rules.min_confidence is Confidence.LOW


def test_a_file_that_freqtrade_leaves_out_is_said_with_the_rules() -> None:
    file = ParameterFile(Path("LiqTrend.json"), left_out="is no JSON")
    known = now(file=file)
    assert known.rules == now().rules
    assert known.owner == (
        "the configuration without LiqTrend.json, which is no JSON (no bot is there)"
    )


def test_what_its_bot_kept_out_is_no_entry_though_the_store_lets_it_in() -> None:
    told, lock = Combination(), ("lock", "Freqtrade has locked the pair")
    entered, _ = story_of_scene(told, in_force("as the sidecar"))
    key = (BTC, entered.close_ms)
    kept_out = as_the_bot_did(entered, BTC, {key: lock})
    assert (kept_out.words, kept_out.enters) == (f"not entered: {lock[1]}", False)
    assert as_the_bot_did(entered, BTC, {(ETH, entered.close_ms): lock}) is entered
    # What did not pass before the bot's own gates stays as it was.
    refused, _ = story_of_scene(Combination(z=2.0), in_force("as the sidecar"))
    assert as_the_bot_did(refused, BTC, {key: lock}) is refused


def test_a_refusal_for_want_of_a_decision_counts_and_one_by_an_unknown_gate_does_not() -> None:
    entered, _ = story_of_scene(Combination(), in_force("as the sidecar"))
    told = {"refusals": [[BTC, entered.close_ms, "decision", "none"], [ETH, 60_000, "moon", "x"]]}
    refusals = refusals_of([told])
    assert as_the_bot_did(entered, BTC, refusals).words == "not entered: none"
    assert list(refusals) == [(BTC, entered.close_ms)]


def test_a_bot_of_an_older_version_tells_its_parameters_alone() -> None:
    known = now({"name": "A", "parameters": {"z_strong": 4.0, "windows": "configured"}})
    assert (known.rules.thresholds.z_strong, known.owner) == (4.0, "the bot A")
    assert known.lists(BTC) is None


@pytest.mark.parametrize("section", [{}, {"segment_min": 7}, {"baseline_hours": 30.5}])
def test_what_a_bot_tells_comes_back_as_it_was(section: dict[str, Any]) -> None:
    own = settings(**section)
    known = in_force_of(own, {"trend_k": 0.7}, MINUTE_MS, [BTC, ETH], "x")
    assert RulesInForce.of_told(known.as_told(), "x") == known
    other = known.applied_to(settings())
    assert (other.segment_min, other.baseline_segments) == (own.segment_min, own.baseline_segments)
    assert (other.trend_k, other.min_confidence) == (0.7, "medium")
