"""Five waves at once on a market of 500 pairs, by a real bot and a real sidecar."""

from pathlib import Path

from benchmarks.market_stand import standing
from benchmarks.orders import EARLY, WAVES, WHOLE_MARKET, Trials
from liq_provider.simulator.request_weights import MINUTE_LIMIT

# A signal is good for 30 s after the close; how fast it is, benchmarks/orders.py measures.
WORST_S = 28.0
# On a machine that is so busy that a minute's signals are too late, another minute is looked at.
AT_MOST = 4
WANTED = 2


def test_waves_of_coins_that_no_list_has_are_all_entered_within_the_limit_of_requests(
    tmp_path: Path,
) -> None:
    with standing(WHOLE_MARKET, tmp_path) as stand:
        assert len(stand.sim.market.symbols) == 500
        trials, whole = Trials(stand), 0
        for _ in range(AT_MOST):
            trial = trials.run()
            assert trial.listed_before == (), "nobody knew of them"
            assert set(trials.entered).isdisjoint(stand.static)
            # Pairs of open positions stand beside what the list has room for.
            most = stand.settings.market.pairs + WAVES
            assert len(stand.listed()) <= most, "not the whole market"
            if len(trial.orders_s) == WAVES:
                assert 0 < trial.orders_s[0] <= trial.orders_s[-1] < WORST_S
                assert len(trial.verdicts_s) == WAVES
                assert set(trials.entered) <= set(stand.listed()), "the sidecar listed them"
                whole += 1
            if whole == WANTED:
                break
        assert whole == WANTED, "each of five waves is entered"
        weights = stand.sim.weights.state()
    assert weights["refused"] == 0
    assert 0 < weights["peak"] < MINUTE_LIMIT * 3 // 4, "there is room for exits"
    assert EARLY < WAVES, "some of them show in the last second only"
