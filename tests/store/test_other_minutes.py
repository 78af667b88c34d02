"""Minutes that were made with another ``min_event_usd``."""

from pathlib import Path

import pytest

from liq_provider.config.settings import Settings
from liq_provider.store.database import open_engine
from liq_provider.store.other_minutes import other_minutes
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer


@pytest.mark.parametrize(("configured", "same"), [(50.0, True), (0.0, False), (60.0, False)])
def test_minutes_that_were_made_with_another_least_size_are_named_with_the_remedy(
    tmp_path: Path, configured: float, same: bool
) -> None:
    url = f"sqlite:///{tmp_path / 's.sqlite'}"
    Writer(open_engine(url), None, 50.0).close()
    said = other_minutes(Reader(url), Settings(min_event_usd=configured))
    assert (said is None) is same
    if said is not None:
        assert said == (
            f"liq_provider.min_event_usd: {configured:g}, but the store's minutes were made with "
            "50; set it to that, or run `liq-provider rebuild`"
        )
