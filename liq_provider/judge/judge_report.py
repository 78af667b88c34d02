"""What the judge tells about itself."""

from typing import Any

from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.news.desk import NewsDesk


def nobody_judges() -> dict[str, Any]:
    """:return: what ``judge_report`` says before the store was opened"""
    names = ("judged", "without_candles", "failed")
    missing = ("last", "error", "model", "early", "news")
    report: dict[str, Any] = {"name": "none before the store is open"}
    return report | dict.fromkeys(names, 0) | dict.fromkeys(missing)


def judge_report(waves: WaveJudge, desk: NewsDesk | None = None) -> dict[str, Any]:
    """:return: what the judge did, what it cost, and where its news comes from"""
    stats, asks_ahead = waves.stats, waves.asked.ahead_per_minute > 0
    return {
        "name": stats.name,
        "stand_in": is_stand_in(stats.name),
        "judged": stats.judged,
        "without_candles": stats.without_candles,
        "failed": stats.failed,
        "last": stats.last,
        "error": stats.error,
        "model": waves.asked.report(),
        "early": waves.questions.early.report() if asks_ahead else None,
        "news": None if desk is None else news_report(desk),
    }


def news_report(desk: NewsDesk) -> dict[str, Any]:
    """:return: what the news desk did"""
    stats = desk.stats
    return {
        "provider": desk.provider,
        "asked": stats.asked,
        "failed": stats.failed,
        "items": stats.items,
        "dropped": dict(stats.dropped),
        "error": stats.error,
        **desk.report(),
    }
