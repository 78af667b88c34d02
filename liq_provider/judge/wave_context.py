"""What is told of a decision beside its numbers: who was heard, against what, and how it began."""

from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np

from liq_provider.judge.decisions import Decisions, Rules
from liq_provider.measure.feature_rows import FeatureRows
from liq_provider.measure.features import Features
from liq_provider.measure.scales import score_words
from liq_provider.measure.waves import score


@dataclass(frozen=True, slots=True)
class WaveContext:
    """
    In words; empty where nothing is known.

    :param covered: by which venues
    :param baseline: what the segment is measured against
    :param began: what its first minute follows
    """

    covered: str = ""
    baseline: str = ""
    began: str = ""


def context_of(
    decisions: Decisions,
    row: int,
    rows: FeatureRows,
    rules: Rules,
    features: tuple[Features, int] | None = None,
) -> WaveContext:
    """
    :param rows: features by minute
    :param features: as they were computed, and the position of the candle in them
    """
    began = _began(decisions, row, rows, rules)
    if features is None:
        return WaveContext(began=began)
    return WaveContext(_covered(*features), _baseline(*features), began)


def _covered(features: Features, row: int) -> str:
    return f"covered by {', '.join(features.venues_at(row)) or 'no venue'}"


def _baseline(features: Features, row: int) -> str:
    share = float(features.percentile(np.array([row]))[row])
    hours = features.params.baseline_segments * features.params.segment_min / 60
    rank = f"; {score_words('percentile', share, hours=hours)}" if np.isfinite(share) else ""
    return f"baseline mean ${features.mean_usd[row]:,.0f}, std ${features.std_usd[row]:,.0f}{rank}"


def _began(decisions: Decisions, row: int, rows: FeatureRows, rules: Rules) -> str:
    """A wave may be entered only if nobody missed how it began."""
    wave_ms = int(decisions.wave_ms[row])
    if not wave_ms:
        return ""
    first = int(np.searchsorted(rows.close_ms, wave_ms))
    began = f"its first minute, {_clock(wave_ms)} UTC, follows"
    if rows.steady[first]:
        return f"{began} one that was known and quiet"
    return (
        f"{began} minutes that were not known for the same venues, and without its newest "
        f"minute the segment {_before(rows, first, rules, quiet=bool(decisions.seen[row]))}"
    )


def _before(rows: FeatureRows, row: int, rules: Rules, *, quiet: bool) -> str:
    before, own = rows.before, rules.thresholds
    usd = float(before.long_usd[row] + before.short_usd[row])
    if not usd > 0:
        return "is empty"
    measured = f"({score_words(own.zscore, score(before, own)[row], 2)}, ${usd:,.0f})"
    return f"does not stand out {measured}" if quiet else f"already stands out {measured}"


def _clock(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%H:%M")
