"""The feeds of the enabled venues."""

from liq_provider.config.settings import Settings
from liq_provider.core.doubts import Doubts
from liq_provider.sidecar.venue_feeds import VenueFeed, feeds_of, feeds_told
from tests.store.helpers import MINUTE, T0


def feeds(*enabled: str, **changed: object) -> dict[str, VenueFeed]:
    off = {name: {"enabled": False} for name in Settings().venues.enabled if name not in enabled}
    settings = Settings.model_validate({"venues": off | changed})
    return feeds_of(settings, lambda: T0, lambda *_: None, Doubts(2_000))


def test_there_is_one_for_every_enabled_venue_at_its_own_address_or_another() -> None:
    made = feeds("bybit", "okx", okx={"url": "ws://127.0.0.1:1/okx"})
    assert list(made) == ["bybit", "okx"]
    assert made["bybit"].report()["url"].startswith("wss://")
    assert made["okx"].report()["url"] == "ws://127.0.0.1:1/okx"
    told = feeds_told(made)
    assert told["okx"].heard_ms is None and "down" in str(told["okx"].trouble)


def test_it_covers_what_it_heard_without_a_break() -> None:
    venue = feeds("bybit")["bybit"]
    assert not venue.covers(T0)
    venue.tracker.begin(T0)
    assert venue.covers(T0 + MINUTE) and venue.covers(T0)
    assert not venue.covers(T0 - 1)
