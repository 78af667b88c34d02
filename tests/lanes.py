"""
Which test files take long, and how ``make test`` deals them to its workers.

Half of the long ones compute, the others mostly wait: for the close of a minute, or for a process.
So the first workers, one for each of two cores, take those that compute, the longest first. Any
further ones take files that wait: the cores are hardly busier with them. What a file waits for is
mostly real minutes, which no faster machine shortens, so there are more of them. Whoever has none
left of its own kind takes one of the other, and what is short comes last, so that all end together.
"""

from collections.abc import Iterable
from typing import Any

import pytest
from xdist.scheduler import LoadFileScheduling

_COMPUTING_WORKERS = 2

# Those that take longest come first. None of them is part of ``make quick``, and no file that takes
# more than a few seconds on an idle core is missing.
COMPUTING = (
    "tests/integration/test_day_parity.py",
    "tests/integration/test_backtest.py",
    "tests/integration/test_market_parity.py",
    "tests/benchmarks/test_rows.py",
    "tests/test_one_story.py",
    "tests/sidecar/test_parity.py",
    "tests/study/test_hyperopt_planted.py",
    "tests/study/test_planted.py",
    "tests/venues/test_dropped_file.py",
    "tests/integration/test_timeframes.py",
    "tests/sidecar/test_known.py",
    "tests/sidecar/test_retention.py",
    "tests/news/test_feeds.py",
    "tests/study/test_judges.py",
    "tests/history/test_hostile_files.py",
    "tests/test_bots_own_gates.py",
    "tests/bot/test_as_of.py",
    "tests/store/test_writer.py",
    "tests/judge/test_story_from_store.py",
    "tests/bot/test_liquidations.py",
    "tests/history/test_archive.py",
    "tests/store/test_shared_questions.py",
    "tests/dashboard/test_page.py",
    "tests/store/test_verdicts.py",
    "tests/judge/test_gates.py",
    "tests/simulator/test_scenario.py",
    "tests/store/test_pruning.py",
    "tests/sidecar/test_parity_sockets.py",
    "tests/history/test_order_formats.py",
    "tests/history/test_fill.py",
    "tests/news/test_news_source.py",
    "tests/commands/test_times.py",
    "tests/judge/test_hostile.py",
    "tests/store/test_two_writers.py",
    "tests/scripts/test_structure.py",
    "tests/judge/test_judges.py",
    "tests/dashboard/test_recent_sums.py",
    "tests/bot/test_trading.py",
    "tests/measure/test_closes.py",
    "tests/stream/test_feeds.py",
    "tests/measure/test_noise.py",
    "tests/study/test_command.py",
    "tests/test_imports.py",
    "tests/judge/test_wave_judge.py",
    "tests/bot/test_last_look.py",
    "tests/bot/test_engine.py",
    "tests/measure/test_features.py",
    "tests/sidecar/test_ingest.py",
    "tests/commands/test_history.py",
    "tests/judge/test_added_judges.py",
    "tests/history/test_import.py",
    "tests/test_doctests.py",
    "tests/judge/test_early_look.py",
    "tests/bot/test_source.py",
    "tests/judge/test_wave_records.py",
    "tests/bot/test_wave_notices.py",
    "tests/store/test_column_append.py",
    "tests/history/test_kinds.py",
    "tests/news/test_desk.py",
    "tests/store/test_minute_features.py",
    "tests/simulator/test_freqtrade.py",
    "tests/history/test_resume.py",
    "tests/bot/test_order_filled.py",
    "tests/study/test_event_study.py",
    "tests/judge/test_wave_records_shared.py",
    "tests/plot/test_figure.py",
    "tests/judge/test_model.py",
    "tests/sidecar/test_settle_minute.py",
    "tests/news/test_http.py",
    "tests/dashboard/test_account.py",
    "tests/config/test_simulated_marks.py",
    "tests/commands/test_plot.py",
    "tests/simulator/test_market.py",
    "tests/plot/test_view.py",
    "tests/store/test_readiness_facts.py",
)
WAITING = (
    "tests/integration/test_sidecar.py",
    "tests/launch/test_demo.py",
    "tests/integration/test_orders_in_time.py",
    "tests/launch/test_trade.py",
    "tests/integration/test_whole_market.py",
    "tests/strategies/test_callbacks.py",
    "tests/sidecar/test_stopping.py",
    "tests/integration/test_messages.py",
    "tests/chaos/test_chaos.py",
    "tests/sidecar/test_store_away.py",
    "tests/bot/test_hung_store.py",
    "tests/integration/test_real_bot.py",
    "tests/integration/test_hung_store.py",
    "tests/strategies/test_start.py",
    "tests/sidecar/test_planted_keys.py",
    "tests/sidecar/test_two_sidecars_ask.py",
    "tests/integration/test_clock_jump.py",
    "tests/sidecar/test_added_judges.py",
    "tests/integration/test_model_fails.py",
    "tests/dashboard/test_strangers.py",
    "tests/commands/test_status_process.py",
    "tests/chaos/test_clock.py",
    "tests/integration/test_late_candles.py",
    "tests/sidecar/test_killed_process.py",
    "tests/sidecar/test_store_hangs.py",
    "tests/integration/test_any_strategy.py",
    "tests/sidecar/test_beginning.py",
    "tests/launch/test_broken_package.py",
    "tests/integration/test_by_hand.py",
    "tests/benchmarks/test_referee.py",
    "tests/judge/test_shared_asking.py",
    "tests/judge/test_shared_news.py",
    "tests/sidecar/test_pair_list.py",
    "tests/integration/test_commands.py",
    "tests/dashboard/test_board.py",
    "tests/integration/test_said.py",
    "tests/sidecar/test_running_minute.py",
    "tests/dashboard/test_page_server.py",
    "tests/sidecar/test_service.py",
    "tests/exchange/test_lean_ccxt.py",
    "tests/simulator/test_sockets.py",
    "tests/core/test_private_files.py",
    "tests/chaos/test_exchange.py",
    "tests/simulator/test_faults.py",
    "tests/integration/test_pairlist.py",
    "tests/bot/test_background.py",
    "tests/simulator/test_live.py",
    "tests/sidecar/test_service_readiness.py",
    "tests/bot/test_sidecar_keeper.py",
    "tests/chaos/test_faults.py",
    "tests/launch/test_processes.py",
)


_LISTED = {*COMPUTING, *WAITING}
# What is not listed is short, and comes after these.
_FIRST = {file: n for n, file in enumerate((*COMPUTING, *WAITING))}
_FURTHER = {file: n for n, file in enumerate((*WAITING, *COMPUTING))}


def mark(items: Iterable[pytest.Item]) -> None:
    """Mark as ``slow`` what is in a long file."""
    for item in items:
        if item.nodeid.split("::")[0] in _LISTED:
            item.add_marker("slow")


def best(files: Iterable[str], *, further: bool) -> str | None:
    """
    :param files: those that are left
    :return: which one to begin now; None if there is none
    """
    ranks = _FURTHER if further else _FIRST
    return min(files, key=lambda file: ranks.get(file, len(ranks)), default=None)


class Lanes(LoadFileScheduling):
    """What waits beside what computes."""

    def _assign_work_unit(self, node: Any) -> None:
        further = int(node.gateway.id.removeprefix("gw")) >= _COMPUTING_WORKERS
        chosen = best(self.workqueue, further=further)
        if chosen is None:
            node.shutdown()
            return
        self.workqueue.move_to_end(chosen, last=False)
        super()._assign_work_unit(node)
