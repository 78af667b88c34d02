"""
The scores that can be thresholded, each with thresholds of its own: what is rare for one of them
is common, or never seen, for another.

On recorded hours and half-hours the classic z passes 3 in about 2 % of segments and 5 in 1 %; the
robust z passes 2 as often as that and 3 hardly ever; the percentile is the share itself.
"""

from dataclasses import dataclass
from typing import Literal

Score = Literal["classic", "robust", "percentile"]
EVERY_SCORE: tuple[Score, ...] = ("classic", "robust", "percentile")


@dataclass(frozen=True, slots=True)
class Scale:
    """
    :param name: in a sentence
    :param medium: ``z_threshold``, where the configuration sets none
    :param strong: ``z_strong``, likewise
    :param floor: ``judge.z_min``, likewise
    :param ends: a threshold lies above the first and not above the second
    :param medium_below: from here on ``z_threshold`` would hardly ever be reached
    :param search: what hyperopt tries for ``z_threshold``; so is ``search_strong``
    :param decimals: of what hyperopt tries
    """

    name: str
    medium: float
    strong: float
    floor: float
    ends: tuple[float, float]
    medium_below: float
    search: tuple[float, float]
    search_strong: tuple[float, float]
    decimals: int


SCALES: dict[Score, Scale] = {
    "classic": Scale("z", 3.0, 5.0, 2.5, (0.0, 100.0), 101.0, (2.5, 8.0), (3.0, 15.0), 1),
    "robust": Scale("robust z", 2.0, 2.5, 1.7, (0.0, 5.0), 3.0, (1.7, 2.9), (2.0, 4.0), 1),
    "percentile": Scale(
        "percentile", 0.98, 0.99, 0.97, (0.5, 1.0), 1.0, (0.97, 0.995), (0.98, 1.0), 3
    ),
}


@dataclass(frozen=True, slots=True)
class PurityScale:
    """
    The same for purity, a share, whichever score is chosen.

    :param medium: ``purity_threshold``, where the configuration sets none
    :param strong: ``purity_strong``, likewise
    :param floor: ``judge.purity_min``, likewise
    :param search: what hyperopt tries for ``purity_threshold``; so is ``search_strong``
    :param decimals: of what hyperopt tries
    """

    medium: float
    strong: float
    floor: float
    search: tuple[float, float]
    search_strong: tuple[float, float]
    decimals: int


PURITY = PurityScale(0.75, 0.90, 0.7, (0.70, 0.95), (0.75, 1.0), 2)


def score_words(zscore: Score, value: float, digits: int = 1, hours: float | None = None) -> str:
    """
    >>> score_words("robust", 2.41)
    'robust z 2.4'
    >>> score_words("percentile", 0.982, hours=24)
    'larger than 98.2% of the last 24 h'

    :param hours: the baseline's length, if it is to be said
    """
    if zscore == "percentile":
        return f"larger than {value:.1%} of " + (
            f"the last {hours:g} h" if hours else "its baseline"
        )
    return f"{SCALES[zscore].name} {value:.{digits}f}"


def threshold_problem(zscore: Score, key: str, value: float) -> str | None:
    """
    :param key: of the configuration
    :return: why a threshold makes no sense for a score, None if it does
    """
    scale = SCALES[zscore]
    low, high = scale.ends
    usual = f"usual are {scale.medium:g}, strong from {scale.strong:g}, judged from {scale.floor:g}"
    # A floor may be as low as one likes, and even 0 for z.
    if not low < value <= high and not (key == "judge.z_min" and value == low):
        between = f"must lie above {low:g} and not above {high:g}"
        return f"{key} {value:g} {between} with zscore {zscore}; {usual}"
    if key != "z_strong" and value >= scale.medium_below:
        return f"{key} {value:g} is hardly ever reached with zscore {zscore}; {usual}"
    return None
