"""
What LiqTrend is for others: strategies, notebooks, and packages that add to it.

All that is listed here is documented in ``docs/api.md`` and ``docs/extending.md``, and stays. What
is not, is LiqTrend's own. A name is imported when it is asked for, so that who needs little loads
little.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from liq_provider.bot.checks import refuse_spot
    from liq_provider.bot.liquidations import Liquidations
    from liq_provider.bot.pair_file import prepare_pairs
    from liq_provider.bot.parameters import ExactDecimal, refuse_parameters
    from liq_provider.bot.plots import PLOT_CONFIG
    from liq_provider.bot.trading import Trading
    from liq_provider.errors import JudgeError, LiqError, SettingsError, StoreError, UsageError
    from liq_provider.judge.case import Case, Judge
    from liq_provider.judge.guard import Opinion
    from liq_provider.judge.matrix import Action, Confidence, News
    from liq_provider.measure.scales import PURITY, SCALES
    from liq_provider.measure.waves import Strength
    from liq_provider.news.headline import Entry
    from liq_provider.news.http import NewsError
    from liq_provider.news.news_source import NewsSource
    from liq_provider.news.spelling import Spelling

__all__ = [
    "PLOT_CONFIG",
    "PURITY",
    "SCALES",
    "Action",
    "Case",
    "Confidence",
    "Entry",
    "ExactDecimal",
    "Judge",
    "JudgeError",
    "LiqError",
    "Liquidations",
    "News",
    "NewsError",
    "NewsSource",
    "Opinion",
    "SettingsError",
    "Spelling",
    "StoreError",
    "Strength",
    "Trading",
    "UsageError",
    "prepare_pairs",
    "refuse_parameters",
    "refuse_spot",
]

_HOMES = {
    "bot.checks": ("refuse_spot",),
    "bot.liquidations": ("Liquidations",),
    "bot.pair_file": ("prepare_pairs",),
    "bot.parameters": ("ExactDecimal", "refuse_parameters"),
    "bot.plots": ("PLOT_CONFIG",),
    "bot.trading": ("Trading",),
    "errors": ("JudgeError", "LiqError", "SettingsError", "StoreError", "UsageError"),
    "judge.case": ("Case", "Judge"),
    "judge.guard": ("Opinion",),
    "judge.matrix": ("Action", "Confidence", "News"),
    "measure.scales": ("PURITY", "SCALES"),
    "measure.waves": ("Strength",),
    "news.http": ("NewsError",),
    "news.headline": ("Entry",),
    "news.news_source": ("NewsSource",),
    "news.spelling": ("Spelling",),
}
_HOME = {name: f"liq_provider.{module}" for module, names in _HOMES.items() for name in names}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(_HOME[name]), name)


def __dir__() -> list[str]:
    return __all__
