"""Whether an entry is possible now, for whoever looks at the store from outside."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from liq_provider.commands.support.entry_possible import readiness_now, traded_coins
from liq_provider.config.measuring import windows_of
from liq_provider.measure.readiness import Readiness
from tests.sidecar.test_settle_minute import SETTINGS, Store
from tests.store.helpers import MINUTE, T0

NOW = T0 + MINUTE + 3_000


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    """A sidecar that heard one minute after forty imported ones."""
    store = Store(tmp_path)
    store.past(40)
    store.put(0, 50.0)
    store.settle(1, (0, 1))
    speaks(store)
    yield store
    store.writer.close()


def speaks(store: Store, now_ms: int = NOW, state: str = "live", **status: Any) -> None:
    feed = {"state": state, "detail": "in words", "since_ms": T0 - MINUTE}
    told: dict[str, Any] = {"now_ms": now_ms, "skew_ms": 0, "feeds": {"bybit": feed}}
    told |= {"windows": windows_of(SETTINGS)} | status
    store.writer.put_state("sidecar", told, now_ms)


def whole(store: Store, now_ms: int = NOW, **changes: Any) -> Readiness:
    return readiness_now(store.reader, changes.pop("settings", SETTINGS), now_ms, **changes).whole


def test_an_entry_is_possible_only_if_nothing_at_all_speaks_against_it(store: Store) -> None:
    assert whole(store).ready
    assert whole(store, running=False).reason == "no sidecar is running on this machine"
    assert whole(store, NOW + 25_000).reason == "the sidecar does not answer"
    speaks(store, skew_ms=9_000)
    assert "max_skew_ms" in whole(store).reason
    speaks(store, state="down")
    assert whole(store).reason == "no feed is live: bybit down"
    speaks(store, NOW + 200_000)
    assert "max_staleness_s" in whole(store, NOW + 200_000).reason


def test_while_baselines_are_short_it_says_until_when(store: Store) -> None:
    longer = SETTINGS.model_copy(update={"baseline_hours": 2.0, "min_baseline_segments": 60})
    readiness = whole(store, settings=longer)
    assert (readiness.condition, readiness.from_ms) == ("warming_up", T0 + 21 * MINUTE)
    assert "warming up: 40 of 60 baseline segments of 1 min are known" in readiness.words(NOW)


def test_a_minute_that_nobody_heard_says_until_when(store: Store) -> None:
    store.settle(2)
    speaks(store, NOW + MINUTE)
    readiness = whole(store, NOW + MINUTE)
    assert (readiness.condition, readiness.from_ms) == ("unknown", T0 + 3 * MINUTE)


def test_before_the_first_minute_is_settled_it_says_when_that_is(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store.past(40)
    # Also a moment after its close, when nobody has settled it yet.
    for now_ms in (T0 + 20_000, T0 + MINUTE + 1_000):
        speaks(store, now_ms)
        readiness = whole(store, now_ms)
        assert readiness.reason == "the sidecar has not settled a minute yet"
        assert readiness.from_ms == T0 + MINUTE
    store.writer.close()


def test_only_coins_that_are_traded_count(store: Store) -> None:
    assert whole(store, coins={"BTC", "ETH"}).ready
    assert whole(store, coins={"ETH"}).condition == "too_thin"


@pytest.mark.parametrize(
    ("pairs", "method", "coins"),
    [
        (["BTC/USDT:USDT", "1000PEPE/USDT:USDT"], "StaticPairList", {"BTC", "PEPE"}),
        ([".*/USDT:USDT"], "StaticPairList", None),
        (["BTC/USDT:USDT"], "RemotePairList", None),
        ([], "StaticPairList", None),
    ],
)
def test_the_traded_coins_are_those_of_a_whitelist_that_names_them_all(
    pairs: list[str], method: str, coins: set[str] | None
) -> None:
    config = {"exchange": {"pair_whitelist": pairs}, "pairlists": [{"method": method}]}
    assert traded_coins(config) == coins
