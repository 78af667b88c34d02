"""A sidecar's ways into its store: one that writes, one that reads."""

from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.opening import Opening
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer


class StoreAccess:
    """
    It is opened while the feeds record already; until then everything waits on disk.

    :param own_run: which run of the sidecar this is
    :param busy_timeout_s: how long to wait for a store that somebody else has locked
    """

    def __init__(self, config: SidecarConfig, own_run: str, busy_timeout_s: float) -> None:
        settings = config.settings
        rules = BookingRules(settings.settle_ms, settings.max_late_ms)
        engine = open_engine(config.store_url, busy_timeout_s=busy_timeout_s)
        self.writer = Writer(engine, rules, settings.min_event_usd, own_run, at_once=False)
        self.reader = Reader(config.store_url)
        self.opening = Opening(self.writer, config.store_url)

    def hang_up(self) -> None:
        """Break off what waits for a store that does not answer."""
        self.writer.hang_up()
        self.reader.hang_up()
