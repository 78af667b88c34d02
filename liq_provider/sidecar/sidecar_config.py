"""What one run of the sidecar is told: settings, store, files, and parts of Freqtrade's own."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from liq_provider.config.pair_list_file import PairListTerms
from liq_provider.config.settings import Settings, load_settings, resolve_store
from liq_provider.errors import SettingsError
from liq_provider.exchange.bot_exchange import timeframe_ms
from liq_provider.sidecar.sidecar_files import SidecarFiles

# Of Freqtrade's configuration: what says where a strategy and its parameters are.
STRATEGY_KEYS = ("strategy", "strategy_path", "user_data_dir", "recursive_strategy_search")


@dataclass(frozen=True, slots=True)
class SidecarConfig:
    """
    :param files: lock, log, spool and heartbeats beside the store
    :param exchange: Freqtrade's section ``exchange``, without credentials
    :param base_dir: parent of user_data
    :param api_server: Freqtrade's section of that name, for the dashboard
    :param strategy: where Freqtrade finds the strategy, for the dashboard
    :param pair_list: that bots may read
    :param idle_exit: end when no bot has been seen for ``idle_exit_min``
    """

    settings: Settings
    store_url: str
    files: SidecarFiles
    exchange: Mapping[str, Any]
    timeframe: str
    base_dir: Path = Path()
    api_server: Mapping[str, Any] = field(default_factory=dict, repr=False)
    strategy: Mapping[str, Any] = field(default_factory=dict)
    pair_list: PairListTerms = field(default_factory=PairListTerms)
    idle_exit: bool = False

    @classmethod
    def of(cls, config: Mapping[str, Any], *, idle_exit: bool = False) -> "SidecarConfig":
        """
        :param config: Freqtrade's configuration, or what the bot sends (``base_dir`` in it)
        :raises SettingsError: a key is wrong
        """
        settings = load_settings(config)
        base_dir = Path(config.get("base_dir") or ".").resolve()
        store_url = resolve_store(settings, base_dir)
        exchange = config.get("exchange") or {}
        if not exchange.get("name"):
            raise SettingsError("exchange.name: missing; candles come from the bot's exchange")
        timeframe = str(config.get("timeframe") or "1m")
        timeframe_ms(timeframe)
        return cls(
            settings,
            store_url,
            SidecarFiles.of(store_url, base_dir),
            exchange,
            timeframe,
            base_dir,
            config.get("api_server") or {},
            {name: config[name] for name in STRATEGY_KEYS if config.get(name)},
            PairListTerms.of(config, settings),
            idle_exit,
        )
