"""
LiqTrend's settings: the section ``liq_provider`` of Freqtrade's own configuration file.

One model validates them for the bot, the sidecar and the command line alike, so a wrong key
is refused with the same message everywhere. Secrets are no settings: they are read from the
environment where they are used.
"""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import (
    Field,
    ValidationError,
    field_validator,
    model_validator,
)
from sqlalchemy.engine import make_url
from sqlalchemy.exc import ArgumentError

from liq_provider.config.sections import (
    DashboardSettings,
    JudgeSettings,
    LlmSettings,
    MarketSettings,
    MessageSettings,
    NewsSettings,
    Purity,
    Section,
    Share,
    Venues,
)
from liq_provider.core.durations import DAY_MIN, HOUR_MS, HOUR_S
from liq_provider.errors import SettingsError
from liq_provider.measure.baseline import MOST_VENUES
from liq_provider.measure.minute_grid import FeatureParams
from liq_provider.measure.scales import PURITY, SCALES, Score, threshold_problem
from liq_provider.measure.waves import Thresholds
from liq_provider.venues.registry import refuse_unusable

SECTION = "liq_provider"
ENV_PREFIX = "LIQ_PROVIDER__"

_STORES = {"sqlite", "postgresql+psycopg"}

# Where the configuration sets nothing, it is as where a notebook does not.
_WINDOWS, _THRESHOLDS = FeatureParams(), Thresholds()


class Settings(Section):
    """Everything under ``liq_provider``; ``docs/configuration.md`` explains each key."""

    # Where and how data is kept
    store: str = "sqlite:///user_data/liq_provider.sqlite"
    venues: Venues = Venues()
    autostart: bool = False
    fill_gaps: bool = True
    keep_days: float | None = Field(None, ge=2, le=36_500)
    idle_exit_min: float = Field(30, gt=0)
    log_level: Literal["DEBUG", "INFO", "WARNING", "ERROR"] = "INFO"

    # Time
    settle_s: float = Field(2.0, ge=0.5, le=30)
    max_late_s: float = Field(60, ge=5, le=600)
    max_skew_ms: float = Field(500, gt=0, le=5_000)
    max_staleness_s: float = Field(90, ge=65, le=HOUR_S)
    max_entry_delay_s: float = Field(30, ge=5, le=HOUR_S)

    # Features
    min_event_usd: float = Field(0, ge=0)
    segment_min: int = Field(_WINDOWS.segment_min, ge=1, le=DAY_MIN)
    baseline_hours: float = Field(24, gt=0, le=24 * 60)
    min_baseline_segments: int = Field(_WINDOWS.min_baseline_segments, ge=2)
    min_active_segments: int = Field(_WINDOWS.min_active_segments, ge=0)
    min_count: int = Field(_THRESHOLDS.min_count, ge=0)
    min_segment_usd: float = Field(_THRESHOLDS.min_segment_usd, ge=0)

    # Thresholds
    zscore: Score = "classic"
    # The defaults are those of the classic score; see ``scales.SCALES`` for the others.
    z_threshold: float = Field(SCALES["classic"].medium, gt=0, le=100)
    z_strong: float = Field(SCALES["classic"].strong, gt=0, le=100)
    purity_threshold: Purity = PURITY.medium
    purity_strong: Purity = PURITY.strong
    direction_mode: Literal["follow", "fade"] = "follow"
    trend_candles: int = Field(15, ge=2, le=500)
    trend_k: float = Field(0.5, ge=0, le=10)
    min_confidence: Literal["low", "medium", "high"] = "medium"
    judge: JudgeSettings = JudgeSettings()
    news: NewsSettings = NewsSettings()
    llm: LlmSettings = LlmSettings()
    on_llm_unavailable: Literal["skip", "matrix"] = "skip"

    # Which pairs a bot looks at
    market: MarketSettings = MarketSettings()

    # What people see
    dashboard: DashboardSettings = DashboardSettings()
    messages: MessageSettings = MessageSettings()

    # Trading
    leverage: float = Field(1.0, ge=1, le=125)
    max_slippage_pct: float = Field(0.003, ge=0, le=0.1)
    on_upgrade: Literal["reopen", "keep"] = "reopen"
    trailing_pct: Share = 0.01
    trailing_arm_pct: float = Field(0.01, ge=0, lt=1)
    fallback_pct: Share = 0.02

    # Backtests
    backtest_source: Literal["minutes", "coinglass", "coinalyze"] = "minutes"
    backtest_entry: Literal["open", "next"] = "open"
    backtest_verdicts: Literal["recorded", "matrix", "both"] = "both"
    backtest_trail: Literal["previous", "same"] = "previous"
    min_coverage: float = Field(0.8, ge=0, le=1)
    hyperopt_windows: tuple[Annotated[str, Field(pattern=r"^\d{1,4}/\d{1,4}$")], ...] = ()

    @field_validator("store")
    @classmethod
    def _known_store(cls, value: str) -> str:
        try:
            url = make_url(value)
        except (ArgumentError, ValueError):
            # Their messages quote the address, and with it a password.
            raise ValueError("not a database URL; see docs/configuration.md") from None
        if url.drivername not in _STORES:
            raise ValueError("use sqlite:///path or postgresql+psycopg://host/name")
        if url.password or any("password" in name for name in url.query):
            raise ValueError(
                "holds a password; leave it out and set PGPASSWORD or use a pgpass file"
            )
        if url.drivername == "sqlite" and (not url.database or url.database == ":memory:"):
            raise ValueError("bot and sidecar share a file; write sqlite:///path")
        return value

    @model_validator(mode="before")
    @classmethod
    def _thresholds_of_the_score(cls, value: Any) -> Any:
        """Where none are set, those of the score that is chosen."""
        if not isinstance(value, Mapping):
            return value
        scale = SCALES.get(value.get("zscore", "classic"))
        if scale is None:
            return value
        completed = {"z_threshold": scale.medium, "z_strong": scale.strong, **value}
        judge = value.get("judge", {})
        if isinstance(judge, Mapping):
            completed["judge"] = {"z_min": scale.floor, **judge}
        return completed

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        thresholds = {
            "z_threshold": self.z_threshold,
            "z_strong": self.z_strong,
            "judge.z_min": self.judge.z_min,
        }
        for key, value in thresholds.items():
            problem = threshold_problem(self.zscore, key, value)
            if problem is not None:
                raise ValueError(problem)
        if self.z_strong < self.z_threshold:
            raise ValueError("z_strong must not be below z_threshold")
        if self.purity_strong < self.purity_threshold:
            raise ValueError("purity_strong must not be below purity_threshold")
        if self.baseline_segments < 1:
            raise ValueError("baseline_hours must hold at least one segment of segment_min")
        if self.min_baseline_segments > self.baseline_segments:
            raise ValueError(
                f"min_baseline_segments ({self.min_baseline_segments}) is more than "
                f"baseline_hours / segment_min give ({self.baseline_segments})"
            )
        if self.min_active_segments > self.baseline_segments:
            raise ValueError(
                f"min_active_segments ({self.min_active_segments}) is more than "
                f"baseline_hours / segment_min give ({self.baseline_segments})"
            )
        if self.keep_days is not None and self.keep_days < self.baseline_hours / 24 + 1:
            raise ValueError(
                f"keep_days ({self.keep_days:g}) must be a day longer than baseline_hours "
                f"({self.baseline_hours:g} h), which are read for every signal"
            )
        if not self.venues.enabled:
            raise ValueError("venues: enable at least one")
        if len(self.venues.enabled) > MOST_VENUES:
            raise ValueError(
                f"venues: {len(self.venues.enabled)} are enabled, and at most {MOST_VENUES} can be "
                "added up; set enabled to false for the others"
            )
        return self

    @property
    def baseline_segments(self) -> int:
        """Number of baseline segments, ``baseline_hours`` long."""
        return int(self.baseline_hours * 60 // self.segment_min)

    @property
    def settle_ms(self) -> int:
        """``settle_s`` in milliseconds."""
        return round(self.settle_s * 1000)

    @property
    def max_late_ms(self) -> int:
        """``max_late_s`` in milliseconds."""
        return round(self.max_late_s * 1000)

    @property
    def baseline_ms(self) -> int:
        """``baseline_hours`` in milliseconds."""
        return round(self.baseline_hours * HOUR_MS)

    @property
    def max_entry_delay_ms(self) -> int:
        """``max_entry_delay_s`` in milliseconds."""
        return round(self.max_entry_delay_s * 1000)

    @property
    def verdict_life_ms(self) -> int:
        """How long after the close of a minute that confirms it a verdict is alive."""
        return self.settle_ms + self.max_entry_delay_ms


# What a running sidecar has taken from whoever started it, if what it records, measures or judges
# depends on it; a bot with other values is told.
_OF_SIDECAR = (
    *(
        "venues",
        "fill_gaps",
        "keep_days",
        "settle_s",
        "max_late_s",
        "max_skew_ms",
        "max_entry_delay_s",
        "min_event_usd",
    ),
    *("segment_min", "baseline_hours", "min_baseline_segments", "min_active_segments"),
    *("min_count", "min_segment_usd", "zscore", "z_strong", "purity_strong", "direction_mode"),
    *("trend_candles", "trend_k", "judge", "news", "llm", "on_llm_unavailable"),
    "market",
)

# What may differ without a word: the bot's own rules, how the sidecar is started and shown, and the
# store, as who has another one sees no such sidecar.
_NOT_OF_SIDECAR = (
    *("store", "autostart", "idle_exit_min", "log_level", "dashboard", "messages"),
    *("max_staleness_s", "z_threshold", "purity_threshold", "min_confidence", "leverage"),
    *("max_slippage_pct", "on_upgrade", "trailing_pct", "trailing_arm_pct", "fallback_pct"),
    *("backtest_source", "backtest_entry", "backtest_verdicts", "backtest_trail"),
    *("min_coverage", "hyperopt_windows"),
)


def sidecar_settings(settings: Settings) -> dict[str, Any]:
    """:return: the settings that decide what a sidecar does, by key, as JSON values"""
    return settings.model_dump(mode="json", include=set(_OF_SIDECAR))


def load_settings(config: Mapping[str, Any], environ: Mapping[str, str] | None = None) -> Settings:
    """
    Validate the section ``liq_provider`` of a Freqtrade configuration.

    Environment variables ``LIQ_PROVIDER__A__B`` override the key ``a.b``.

    :param config: Freqtrade's whole configuration
    :param environ: defaults to the process environment
    :raises SettingsError: one line per wrong key, each naming the key
    :raises UsageError: a package adds a venue that cannot be used
    """
    refuse_unusable()
    section = config.get(SECTION, {})
    if not isinstance(section, Mapping):
        raise SettingsError(f"{SECTION}: must be a section {{...}} of the configuration")
    raw = _with_environment(section, os.environ if environ is None else environ)
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        raise SettingsError(_explain(error)) from None


def _with_environment(section: Mapping[str, Any], environ: Mapping[str, str]) -> dict[str, Any]:
    raw: dict[str, Any] = {
        key: dict(value) if isinstance(value, Mapping) else value for key, value in section.items()
    }
    for name in sorted(environ):
        if not name.startswith(ENV_PREFIX):
            continue
        path = [part.lower() for part in name.removeprefix(ENV_PREFIX).split("__")]
        target = raw
        for part in path[:-1]:
            child = target.get(part)
            target[part] = child = dict(child) if isinstance(child, Mapping) else {}
            target = child
        target[path[-1]] = environ[name]
    return raw


def _explain(error: ValidationError) -> str:
    lines = []
    for fault in error.errors(include_url=False, include_input=False, include_context=True):
        key = ".".join([SECTION, *(str(part) for part in fault["loc"])])
        message = re.sub(r"^Value error, ", "", fault["msg"])
        if fault["type"] == "extra_forbidden":
            message = "unknown key; remove it or correct its spelling (docs/configuration.md)"
        lines.append(f"{key}: {message}")
    return "\n".join(lines)


def resolve_store(settings: Settings, base_dir: Path) -> str:
    """
    The store's URL with a relative SQLite path made absolute.

    :param base_dir: parent of Freqtrade's user_data directory, the same for bot and sidecar
    """
    url = make_url(settings.store)
    if url.get_backend_name() == "sqlite" and url.database:
        url = url.set(database=str((base_dir / url.database).resolve()))
    return url.render_as_string(hide_password=False)
