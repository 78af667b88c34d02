"""What is known of the newest segment."""

from pathlib import Path

from liq_provider.coverage import Interval
from liq_provider.health import uncovered
from liq_provider.settings import Settings
from liq_provider.store.engine import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

MINUTE = 60_000
T0 = 1_795_350_000_000


def test_a_segment_counts_as_heard_only_if_one_feed_covers_all_of_it(tmp_path: Path) -> None:
    url, settings = f"sqlite:///{tmp_path / 's.sqlite'}", Settings()
    writer = Writer(open_engine(url))
    writer.cover("okx", [Interval(T0, T0 + 20 * MINUTE)], "live", T0)
    # After a restart the feed is live again, and for five minutes that is not enough.
    writer.cover("okx", [Interval(T0 + 24 * MINUTE, T0 + 40 * MINUTE)], "live", T0)
    reader = Reader(url)
    said = {minute: uncovered(reader, settings, T0 + minute * MINUTE) for minute in (5, 20, 28, 29)}
    writer.close()
    assert said[5] is said[20] is said[29] is None
    assert said[28] == "no feed was heard for all of the last 5 min"
