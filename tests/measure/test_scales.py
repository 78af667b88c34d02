"""Each score has thresholds of its own."""

from typing import Any

import pytest

from liq_provider.config.measuring import feature_params_of, floor_of, thresholds_of
from liq_provider.config.settings import Settings, load_settings
from liq_provider.errors import SettingsError
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.scales import PURITY, SCALES, Score, score_words
from liq_provider.measure.waves import Thresholds


@pytest.mark.parametrize(
    ("zscore", "expected"),
    [("classic", (3.0, 5.0, 2.5)), ("robust", (2.0, 2.5, 1.7)), ("percentile", (0.98, 0.99, 0.97))],
)
def test_thresholds_that_are_not_set_are_those_of_the_score(
    zscore: Score, expected: tuple[float, float, float]
) -> None:
    settings = load_settings({"liq_provider": {"zscore": zscore}}, {})
    assert (settings.z_threshold, settings.z_strong, settings.judge.z_min) == expected
    assert thresholds_of(settings).z_threshold == expected[0]
    assert floor_of(settings).z_threshold == expected[2]


def test_an_empty_configuration_asks_for_the_windows_and_thresholds_of_a_notebook() -> None:
    assert feature_params_of(Settings()) == FeatureParams()
    assert thresholds_of(Settings()) == Thresholds()
    assert Settings().judge.purity_min == PURITY.floor < PURITY.medium < PURITY.strong


def test_thresholds_that_are_set_stay_also_beside_other_keys_of_the_judge() -> None:
    section = {"zscore": "robust", "z_threshold": 2.2, "judge": {"purity_min": 0.6}}
    settings = load_settings({"liq_provider": section}, {"LIQ_PROVIDER__Z_STRONG": "3.1"})
    assert (settings.z_threshold, settings.z_strong) == (2.2, 3.1)
    assert (settings.judge.z_min, settings.judge.purity_min) == (1.7, 0.6)


def test_what_was_resolved_can_be_handed_on() -> None:
    """The bot's effective settings go to the sidecar as they are."""
    settings = Settings(zscore="percentile")
    assert Settings.model_validate(settings.model_dump(mode="json")) == settings


@pytest.mark.parametrize(
    ("section", "words"),
    [
        ({"zscore": "robust", "z_threshold": 3.0}, "z_threshold 3 is hardly ever reached"),
        ({"zscore": "robust", "z_strong": 6.0}, "z_strong 6 must lie above 0 and not above 5"),
        ({"zscore": "percentile", "z_threshold": 3.0}, "z_threshold 3 must lie above 0.5"),
        ({"zscore": "percentile", "z_threshold": 1.0}, "z_threshold 1 is hardly ever reached"),
        ({"zscore": "percentile", "z_strong": 0.97}, "z_strong must not be below z_threshold"),
        ({"zscore": "percentile", "judge": {"z_min": 2.5}}, "judge.z_min 2.5 must lie above 0.5"),
    ],
)
def test_a_threshold_of_another_score_is_refused(section: dict[str, Any], words: str) -> None:
    with pytest.raises(SettingsError, match=words):
        load_settings({"liq_provider": section}, {})


def test_the_largest_segment_of_all_can_be_the_strong_one() -> None:
    assert Settings(zscore="percentile", z_strong=1.0).z_strong == 1.0


@pytest.mark.parametrize("zscore", SCALES)
def test_what_hyperopt_tries_makes_sense(zscore: Score) -> None:
    scale = SCALES[zscore]
    for value in scale.search:
        settings = Settings(zscore=zscore, z_threshold=value, z_strong=scale.search_strong[1])
        assert settings.judge.z_min <= settings.z_threshold
    assert scale.search[0] <= scale.medium <= scale.search[1]
    assert scale.search_strong[0] <= scale.strong <= scale.search_strong[1]


def test_scores_in_words() -> None:
    assert score_words("classic", 9.04) == "z 9.0"
    assert score_words("robust", 2.41, 2) == "robust z 2.41"
    assert score_words("percentile", 0.982) == "larger than 98.2% of its baseline"
    assert score_words("percentile", 0.982, hours=24) == "larger than 98.2% of the last 24 h"
