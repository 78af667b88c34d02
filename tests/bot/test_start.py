"""A backtest starts on minutes that were made with its own settings, or not at all."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from freqtrade.enums import RunMode

from liq_provider.bot.start import Started, start
from liq_provider.errors import SettingsError
from tests.bot.helpers import Store
from tests.bot.test_checks import GOOD_CONFIG, GOOD_STRATEGY


def started(store: Store, tmp_path: Path, **section: Any) -> Started:
    config = GOOD_CONFIG | {
        "runmode": RunMode.BACKTEST,
        "user_data_dir": tmp_path / "user_data",
        "liq_provider": section | {"store": store.url},
    }
    return start(SimpleNamespace(**GOOD_STRATEGY, timeframe="1m", config=config))


def test_minutes_made_with_another_min_event_usd_are_refused(store: Store, tmp_path: Path) -> None:
    assert started(store, tmp_path).live is None
    with pytest.raises(
        SettingsError, match=r"liq_provider\.min_event_usd: 500, .* with 0; "
    ) as told:
        started(store, tmp_path, min_event_usd=500)
    assert "`liq-provider rebuild`" in str(told.value)


def test_the_same_min_event_usd_is_no_difference(tmp_path: Path) -> None:
    made = Store(tmp_path / "other.sqlite")
    made.writer.min_event_usd = 500.0
    made.writer.rebuild()
    made.close()
    assert started(made, tmp_path, min_event_usd=500).live is None
