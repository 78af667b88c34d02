"""The connections to the exchanges: one ``Feed`` per venue, one ``SilenceJudge`` for all."""

from liq_provider.stream.feed import Feed
from liq_provider.stream.feed_status import FeedState, FeedStatus
from liq_provider.stream.intake import Sink
from liq_provider.stream.retry import RetryWaits
from liq_provider.stream.silence import SilenceJudge
from liq_provider.stream.time_limits import TimeLimits

__all__ = [
    "Feed",
    "FeedState",
    "FeedStatus",
    "RetryWaits",
    "SilenceJudge",
    "Sink",
    "TimeLimits",
]
