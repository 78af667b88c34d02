"""The study finds an edge that was planted, and none where there is none."""

from dataclasses import replace

import pytest

from liq_provider.config.settings import load_settings
from liq_provider.study.event_study import Options, run_study
from liq_provider.study.findings import headline
from tests.study.planted import market, pair_data

pytestmark = pytest.mark.slow

SETTINGS = load_settings({}, {})
DAYS = 40


def study(seed: int, edge: float, days: int = DAYS):
    return run_study([pair_data(market(seed, days, edge))], SETTINGS, Options(seed=seed))


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_continuation_is_found(seed: int) -> None:
    result = study(seed, 0.006)
    follow, fade = result.hypotheses
    assert (follow.finding, fade.finding) == ("qualified", "not qualified")
    assert "RUNS ON" in headline(result)
    assert 0.004 < follow.mean.mean < 0.007, "of 0.6 %, less what passed before the close"


@pytest.mark.parametrize("seed", range(3))
def test_a_planted_reversal_makes_fade_win(seed: int) -> None:
    result = study(seed, -0.006)
    follow, fade = result.hypotheses
    assert (follow.finding, fade.finding) == ("not qualified", "qualified")
    assert "REVERTS" in headline(result)


def test_an_edge_below_its_costs_does_not_qualify() -> None:
    result = study(1, 0.0012)
    assert result.hypotheses[0].mean.low > 0, "it is there"
    assert result.hypotheses[0].finding == "not qualified", "but it does not pay"


@pytest.mark.timeout(600)
def test_without_an_edge_nothing_qualifies_in_95_of_100_seeds() -> None:
    # Without costs, which would hide a false find: what qualifies with them does so without.
    free = Options(fee=0.0, slippage=0.0)
    answers = [
        headline(
            run_study([pair_data(market(seed, DAYS, 0.0))], SETTINGS, replace(free, seed=seed))
        )
        for seed in range(100)
    ]
    assert sum(answer.startswith("NOT QUALIFIED") for answer in answers) >= 95


def test_a_short_recording_is_not_enough_data() -> None:
    result = study(1, 0.006, days=5)
    assert headline(result).startswith("NOT ENOUGH DATA")
    assert {hypothesis.finding for hypothesis in result.hypotheses} == {"not enough data"}
