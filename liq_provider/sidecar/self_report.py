"""What the sidecar tells about itself: what the status page and the bots see."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from liq_provider import __version__
from liq_provider.config.measuring import windows_of
from liq_provider.config.settings import sidecar_settings
from liq_provider.core.clock import ExchangeClock
from liq_provider.sidecar.gap_filler import GapFiller
from liq_provider.sidecar.ingest import Ingest
from liq_provider.sidecar.judge_once_store_opens import JudgeOnceStoreOpens
from liq_provider.sidecar.neighbours import Neighbours
from liq_provider.sidecar.page_protocol import Page
from liq_provider.sidecar.pair_list import PairList
from liq_provider.sidecar.retention import Retention
from liq_provider.sidecar.running_minute import RunningLoop
from liq_provider.sidecar.settling_schedule import SettlingSchedule
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.venue_feeds import VenueFeed


@dataclass(frozen=True, slots=True)
class SelfReport:
    """
    Made anew whenever it is asked for, of plain JSON values.

    :param started_ms: when the sidecar did
    """

    config: SidecarConfig
    clock: ExchangeClock
    started_ms: int
    venues: Mapping[str, VenueFeed]
    ingest: Ingest
    minutes: SettlingSchedule
    gaps: GapFiller
    page: Page
    neighbours: Neighbours
    retention: Retention
    running: RunningLoop
    judge: JudgeOnceStoreOpens
    pair_list: PairList

    def __call__(self) -> dict[str, Any]:
        """:return: the status"""
        return {
            "version": __version__,
            "pid": os.getpid(),
            "started_ms": self.started_ms,
            "now_ms": self.clock.now_ms(),
            "skew_ms": self.clock.skew_ms,
            "skew_measured_ms": self.clock.measured_ms,
            "timeframe": self.config.timeframe,
            "windows": windows_of(self.config.settings),
            "settings": sidecar_settings(self.config.settings),
            "feeds": {name: venue.report() for name, venue in self.venues.items()},
            **self.ingest.report(),
            "unsettled_minutes": self.minutes.unsettled,
            "covered": list(self.minutes.covered),
            "fills": self.gaps.report(),
            "dashboard": self.page.report(),
            "bots": self.neighbours.bots,
            "retention": self.retention.report(),
            "looks_failed": self.running.failures,
            "judge": self.judge.report(),
            "pair_list": self.pair_list.report(),
        }
