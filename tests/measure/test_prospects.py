"""Which coins are worth a look: ranked, kept for a while, cut; properties over random markets."""

from collections.abc import Iterator, Sequence
from itertools import pairwise

import numpy as np
import pytest

from liq_provider.measure.prospects import Prospect, Prospects, Tier, cut, liveliest

MINUTE = 60_000
T = 1_795_350_000_000
KEEP = 10 * MINUTE


def seen(coin: str, tier: Tier = Tier.WAVE, minute: int = 0, **values: float) -> Prospect:
    return Prospect(coin, tier, T + minute * MINUTE, **values)  # type: ignore[arg-type]


def after(*minutes: Sequence[Prospect], keep_ms: int = KEEP) -> Prospects:
    """Each minute's sights, from minute 0 on."""
    known = Prospects(keep_ms)
    for number, prospects in enumerate(minutes):
        known = known.after(prospects, T + number * MINUTE)
    return known


def coins(known: Prospects) -> list[str]:
    return [prospect.base_asset for prospect in known.ranked()]


def markets(count: int = 60) -> Iterator[list[list[Prospect]]]:
    """Minutes of what is seen of up to forty coins, some of it with equal numbers."""
    for seed in range(count):
        rng = np.random.default_rng(seed)
        minutes = []
        for minute in range(int(rng.integers(1, 25))):
            some = rng.choice(40, int(rng.integers(0, 40)), replace=False)
            minutes.append(
                [
                    Prospect(
                        *(f"C{coin}", Tier(int(rng.integers(1, 4))), T + minute * MINUTE),
                        *(int(rng.integers(0, 3)), float(rng.integers(0, 9))),
                        float(rng.integers(0, 5)) * 10_000,
                    )
                    for coin in some
                ]
            )
        yield minutes


def test_waves_come_first_by_strength_then_score_then_what_may_become_one() -> None:
    known = after(
        [
            seen("GROWS", Tier.GROWING, notional_usd=9_000_000),
            seen("LARGE", Tier.LARGE, score=2.4),
            seen("LARGER", Tier.LARGE, score=2.49),
            seen("MEDIUM", strength=1, score=30.0),
            seen("STRONG", strength=2, score=5.0),
            seen("STRONGER", strength=2, score=6.0),
            seen("SMALLER", Tier.GROWING, notional_usd=8_000),
        ]
    )
    ranked = ["STRONGER", "STRONG", "MEDIUM", "LARGER", "LARGE", "GROWS", "SMALLER"]
    assert coins(known) == ranked


def test_a_wave_that_runs_comes_before_one_that_is_over() -> None:
    known = after([seen("OVER", strength=2, score=50.0)], [], [seen("NOW", minute=2, strength=1)])
    assert coins(known) == ["NOW", "OVER"]
    # The minute that was just settled is not over because the next one began.
    begun = after([seen("SETTLED", strength=2, score=5.0)], [seen("NOW", minute=1, strength=1)])
    assert coins(begun) == ["SETTLED", "NOW"]


@pytest.mark.parametrize(("tier", "minutes"), [(Tier.WAVE, 10), (Tier.LARGE, 2), (Tier.GROWING, 2)])
def test_a_coin_stays_for_as_long_as_its_tier_is_kept(tier: Tier, minutes: int) -> None:
    known = Prospects(KEEP).after([seen("A", tier)], T)
    assert coins(known.after([], T + minutes * MINUTE)) == ["A"]
    assert coins(known.after([], T + (minutes + 1) * MINUTE)) == []


def test_a_coin_whose_wave_is_over_keeps_its_place_and_then_has_that_of_what_it_shows() -> None:
    known = after([seen("A", strength=2)], [seen("A", Tier.GROWING, 1, notional_usd=9_000)])
    (kept,) = known.ranked()
    assert kept.tier is Tier.WAVE
    later = known.after([seen("A", Tier.GROWING, 11, notional_usd=9_000)], T + 11 * MINUTE)
    (now,) = later.ranked()
    assert now.tier is Tier.GROWING


def test_a_wave_that_goes_on_is_ranked_by_what_it_is_now() -> None:
    known = after(
        [seen("A", score=50.0)], [seen("A", minute=1, score=3.0), seen("B", minute=1, score=4.0)]
    )
    assert coins(known) == ["B", "A"]
    # What arrives late of the minute before does not take it back.
    assert coins(known.after([seen("A", score=50.0)], T + MINUTE)) == ["B", "A"]


def test_a_clock_that_is_set_back_leaves_no_coin_there_for_ever() -> None:
    known = Prospects(KEEP).after([seen("A", minute=600)], T + 600 * MINUTE)
    assert coins(known.after([seen("B")], T)) == ["B"]


def test_each_coin_is_ranked_once_and_none_before_a_nearer_one() -> None:
    for minutes in markets():
        known = after(*minutes)
        ranked = known.ranked()
        assert len({one.base_asset for one in ranked}) == len(ranked)
        assert [one.tier for one in ranked] == sorted(one.tier for one in ranked)
        for one, other in pairwise(ranked):
            same = one.tier is other.tier
            running = [p.close_ms >= known.close_ms - MINUTE for p in (one, other)]
            if same and running[0] == running[1]:
                assert (one.strength, one.score, one.notional_usd) >= (
                    *(other.strength, other.score),
                    other.notional_usd,
                )


def test_who_is_there_follows_from_when_it_was_last_seen_alone() -> None:
    for minutes in markets():
        known, last = after(*minutes), len(minutes) - 1
        keep = {Tier.WAVE: 10, Tier.LARGE: 2, Tier.GROWING: 2}
        expected = {
            one.base_asset
            for number, prospects in enumerate(minutes)
            for one in prospects
            if last - number <= keep[one.tier]
        }
        assert {one.base_asset for one in known.ranked()} == expected


def test_the_order_in_which_coins_are_seen_changes_nothing() -> None:
    for minutes in markets(20):
        forwards = after(*minutes).ranked()
        assert after(*(prospects[::-1] for prospects in minutes)).ranked() == forwards
        # A minute that is looked at in two pieces, as the running one is.
        known = Prospects(KEEP)
        for number, prospects in enumerate(minutes):
            half = len(prospects) // 2
            for piece in (prospects[:half], prospects[half:], prospects[:half]):
                known = known.after(piece, T + number * MINUTE)
        assert known.ranked() == forwards


def test_nobody_is_left_out_for_one_who_is_ranked_lower() -> None:
    for seed in range(200):
        rng = np.random.default_rng(seed)
        names = [f"C{n}" for n in range(40)]
        some = [list(rng.choice(names, int(rng.integers(0, 40)), replace=False)) for _ in range(3)]
        held, ranked, filling = some
        most = int(rng.integers(1, 30))
        made = cut(held, ranked, filling, most)
        assert len(set(made.taken)) == len(made.taken)
        assert made.taken[: len(held)] == tuple(held)
        others = made.taken[len(held) :]
        assert len(others) <= most
        wanted = [pair for pair in ranked if pair not in held]
        assert list(others[: len(wanted)]) == wanted[:most]
        assert list(made.left_out) == wanted[most:]
        # There is no empty place that somebody could have.
        if len(others) < most:
            assert set(made.taken) == {*held, *ranked, *filling}
            assert made.left_out == ()


def test_a_list_is_filled_by_the_liveliest_and_does_not_change_for_a_little() -> None:
    counts = {"A": 100, "B": 95, "C": 90, "D": 10}
    assert liveliest(counts, ()) == ["A", "B", "C", "D"]
    assert liveliest(counts, {"C"}) == ["C", "A", "B", "D"]
    assert liveliest(counts, {"D"}) == ["A", "B", "C", "D"]
