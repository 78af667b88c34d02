"""When a feed that is silent is not believed."""

import pytest

from liq_provider.core.durations import MINUTE_MS
from liq_provider.stream import SilenceJudge
from liq_provider.venues import VENUES


def judge() -> SilenceJudge:
    """Two feeds, both connected at 0."""
    judge = SilenceJudge(silent_after_s=180, busy_count=20)
    judge.connected("binance", 0, 1_800)
    judge.connected("okx", 0, 1_800)
    return judge


def test_silence_beside_busy_venues_is_implausible() -> None:
    silence = judge()
    silence.heard("okx", 170_000, 20)
    assert not silence.silent("binance", 179_999)
    assert silence.silent("binance", 180_000)
    assert not silence.silent("okx", 180_000)


def test_silence_in_a_quiet_market_is_plausible() -> None:
    silence = judge()
    silence.heard("okx", 100_000, 19)
    assert not silence.silent("binance", 200_000)


def test_what_others_said_long_ago_does_not_count() -> None:
    silence = judge()
    silence.heard("okx", 10_000, 500)
    assert silence.silent("binance", 185_000)
    assert not silence.silent("binance", 195_000)


def test_all_other_venues_count_together() -> None:
    silence = judge()
    silence.connected("bybit", 0, 1_800)
    silence.heard("okx", 150_000, 10)
    silence.heard("bybit", 151_000, 10)
    assert silence.silent("binance", 180_000)


def test_one_liquidation_is_enough_to_be_alive() -> None:
    silence = judge()
    silence.heard("okx", 170_000, 100)
    silence.heard("binance", 100_000, 1)
    assert not silence.silent("binance", 279_999)
    assert silence.silent("binance", 280_000)


@pytest.mark.parametrize("others", [0, 5])
def test_half_an_hour_of_silence_is_implausible_for_a_whole_exchange(others: int) -> None:
    silence = judge()
    if others:
        silence.heard("okx", 29 * MINUTE_MS, others)
    assert not silence.silent("binance", 30 * MINUTE_MS - 1)
    assert silence.silent("binance", 30 * MINUTE_MS)


def test_each_venue_has_its_own_patience() -> None:
    silence = SilenceJudge()
    silence.connected("binance", 0, VENUES["binance"].quiet_alone_s)
    silence.connected("quiet", 0, 7_200)
    assert not silence.silent("binance", 1_799_000)
    assert silence.silent("binance", 1_800_000)
    assert not silence.silent("quiet", 7_199_000)
    assert silence.silent("quiet", 7_200_000)


def test_a_venue_that_seldom_speaks_is_not_silent_beside_busy_ones() -> None:
    silence = judge()
    silence.connected("seldom", 0, 7_200, 1_800)
    silence.heard("okx", 170_000, 100)
    assert silence.silent("binance", 180_000) and not silence.silent("seldom", 180_000)
    silence.heard("okx", 1_790_000, 100)
    assert not silence.silent("seldom", 1_799_999)
    assert silence.silent("seldom", 1_800_000)


def test_addresses_of_one_venue_do_not_vouch_against_each_other() -> None:
    silence = judge()
    for name in ("two", "two b"):
        silence.connected(name, 0, 1_800)
    silence.heard("two", 170_000, 100)
    assert not silence.silent("two b", 180_000)
    assert silence.silent("binance", 180_000)
    assert silence.silent("two b", 1_800_000)


def test_what_a_dead_address_does_not_send_is_life_too() -> None:
    silence = judge()
    silence.heard("okx", 170_000, 100)
    silence.heard("binance", 100_000, 0)
    assert not silence.silent("binance", 279_999)
    assert silence.silent("binance", 280_000)


def test_a_feed_that_is_not_connected_cannot_be_silent() -> None:
    silence = judge()
    silence.heard("okx", 170_000, 100)
    silence.lost("binance")
    assert not silence.silent("binance", 300_000)
    assert not silence.silent("never seen", 300_000)


def test_reconnecting_gives_a_feed_its_time_again() -> None:
    silence = judge()
    silence.heard("okx", 170_000, 100)
    silence.lost("binance")
    silence.connected("binance", 181_000, 1_800)
    assert not silence.silent("binance", 182_000)
