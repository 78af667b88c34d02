"""Five waves at once on a market of 500 pairs, by a real bot and a real sidecar."""

from pathlib import Path

from benchmarks.market_stand import standing
from benchmarks.orders import EARLY, WAVES, WHOLE_MARKET, Trials
from liq_provider.simulator.request_weights import MINUTE_LIMIT

TRIALS = 2
# A signal is good for 30 s after the close; how fast it is, benchmarks/orders.py measures.
WORST_S = 27.0


def test_waves_of_coins_that_no_list_has_are_all_entered_within_the_limit_of_requests(
    tmp_path: Path,
) -> None:
    with standing(WHOLE_MARKET, tmp_path) as stand:
        assert len(stand.sim.market.symbols) == 500
        trials = Trials(stand)
        for _ in range(TRIALS):
            trial = trials.run()
            assert trial.listed_before == (), "nobody knew of them"
            assert len(trial.verdicts_s) == WAVES
            assert len(trial.orders_s) == WAVES, "each is entered"
            assert 0 < trial.orders_s[0] <= trial.orders_s[-1] < WORST_S
            waves = set(trials.entered)
            assert waves.isdisjoint(stand.static)
            assert waves <= set(stand.listed()), "the sidecar listed them"
            assert len(stand.listed()) == stand.settings.market.pairs, "and not the whole market"
        weights = stand.sim.weights.state()
    assert weights["refused"] == 0
    assert 0 < weights["peak"] < MINUTE_LIMIT * 3 // 4, "there is room for exits"
    assert EARLY < WAVES, "some of them show in the last second only"
