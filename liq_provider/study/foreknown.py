"""
Verdicts about waves that the model may have read about.

What was written until a model's knowledge ends may tell how such a wave went on, so what it says of
it proves nothing. The record says when that is, if its user stated it (``llm.knowledge_cutoff``);
for the model that is configured now, so do the settings.
"""

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

from liq_provider.config.settings import Settings
from liq_provider.judge.matrix_judge import is_model
from liq_provider.study.recorded_verdicts import Recorded


def without_foreknown(recorded: Recorded, settings: Settings) -> tuple[Recorded, int]:
    """:return: without them, and how many verdicts were left out"""
    kept = {
        coin: [row for row in rows if not _foreknown(row, settings)]
        for coin, rows in recorded.verdicts.items()
    }
    count = sum(map(len, recorded.verdicts.values())) - sum(map(len, kept.values()))
    return replace(recorded, verdicts=kept), count


def _foreknown(row: Mapping[str, Any], settings: Settings) -> bool:
    if not is_model(row["judge"]):
        return False
    ends = [_end_ms(json.loads(row["inputs"]).get("knowledge_cutoff"))]
    if row["judge"].startswith(f"{settings.llm.model}@"):
        ends.append(_end_ms(settings.llm.knowledge_cutoff))
    return bool(row["wave_start_ms"] < max(ends))


def _end_ms(cutoff: str | date | None) -> int:
    """:return: end of that day, 0 if it is not known"""
    try:
        day = date.fromisoformat(cutoff) if isinstance(cutoff, str) else cutoff
    except ValueError:
        return 0
    if day is None:
        return 0
    after = datetime(day.year, day.month, day.day, tzinfo=UTC) + timedelta(days=1)
    return round(after.timestamp() * 1000)
