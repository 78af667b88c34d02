"""A judge with a store and a simulated exchange of its own, and waves to put before it."""

import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from aiohttp import web

from liq_provider.config.settings import Settings, load_settings
from liq_provider.exchange.bot_exchange import BotExchange
from liq_provider.exchange.wave_candles import WaveCandles
from liq_provider.judge.asked_judge import AskedJudge
from liq_provider.judge.case_source import CaseSource
from liq_provider.judge.matrix_judge import MatrixJudge
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.shared_asking import SharedAsking
from liq_provider.judge.verdict_log import VerdictLog
from liq_provider.judge.wave_judge import WaveJudge
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.measure.waves import Strength
from liq_provider.simulator.exchange_server import Simulator
from liq_provider.simulator.stand_in_model import StandIn, completion
from liq_provider.simulator.urls import ccxt_config
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

MINUTE = 60_000
PAIR = "BTC/USDT:USDT"


class JudgeRig:
    """A judge with a store and an exchange of its own."""

    def __init__(self, sim: Simulator, directory: Path) -> None:
        self.path = directory / "store.sqlite"
        url = f"sqlite:///{self.path}"
        self.sim = sim
        self.writer = Writer(open_engine(url))
        self.reader = Reader(url)
        self.executors = ThreadPoolExecutor(1), ThreadPoolExecutor(2)
        self.close_ms = sim.now_ms() // MINUTE * MINUTE
        self._began_s = time.monotonic()
        self.models: list[ModelJudge] = []
        self.judge = self.new()

    def now_ms(self) -> int:
        """Two seconds after the close when it begins, wherever in a minute the tests run."""
        return self.close_ms + 2_000 + round((time.monotonic() - self._began_s) * 1000)

    def wait_for_locks(self, seconds: float) -> None:
        """Open the store anew, with so much patience for others who have locked it."""
        self.writer.close()
        self.writer = Writer(open_engine(self.reader.url, busy_timeout_s=seconds))
        self.judge = self.new()

    def new(self, settings: Settings | None = None, asked: AskedJudge | None = None) -> WaveJudge:
        """
        :param asked: who judges; None: the matrix
        """
        settings = settings or Settings()
        store, asking = self.executors
        exchange = BotExchange("binance", ccxt_config(self.sim.url, "binance"))
        candles = WaveCandles(exchange, "1m", MINUTE, settings.trend_candles + 1, asking, asking)
        return WaveJudge(
            asked or MatrixJudge(),
            VerdictLog(self.writer, store, self.now_ms),
            CaseSource(candles, None, settings),
            settings,
            self.now_ms,
            self.reader.verdicts(0, self.now_ms()),
        )

    def asking(
        self,
        server: StandIn,
        llm: dict[str, Any] | None = None,
        *,
        shared: bool = False,
        **section: Any,
    ) -> WaveJudge:
        """
        A model judges, by what ``server`` answers.

        :param shared: its questions are those of all sidecars of the store
        """
        model_section = {"base_url": server.url, **(llm or {})}
        settings = load_settings({"liq_provider": {"llm": model_section, **section}}, {})

        async def keep(row: dict[str, Any]) -> None:
            self.writer.put_model_call(row)

        asking = SharedAsking(self.writer, self.executors[0], settings.llm, self.now_ms)
        others = asking if shared else None
        model = ModelJudge(settings.llm, "1m", self.now_ms, keep, shared=others)
        model.prepare()
        self.models.append(model)
        return self.new(settings, model)

    def settled(self, after: int = 0, *others: Anomaly, **changes: Any) -> Settled:
        """The close of a wave's minute, ``after`` minutes into it."""
        wave = anomaly(self.close_ms + after * MINUTE, self.close_ms, **changes)
        pairs = {"BTC": PAIR, "NOPE": "NOPE/USDT:USDT"}
        return Settled(wave.close_ms, (wave, *others), pairs, ("bybit",))

    def verdicts(self) -> list[dict[str, Any]]:
        return self.reader.verdicts(0, self.close_ms + 60 * MINUTE)


def anomaly(close_ms: int, wave_start_ms: int, **changes: Any) -> Anomaly:
    values: dict[str, Any] = {
        "base_asset": "BTC",
        "close_ms": close_ms,
        "direction": "SHORT",
        "strength": Strength.STRONG,
        "z": 9.0,
        "purity": 0.95,
        "notional_usd": 1e6,
        "long_usd": 9.5e5,
        "short_usd": 5e4,
        "count": 30,
        "wave_start_ms": wave_start_ms,
    }
    return Anomaly(**(values | changes))


def running(rig: JudgeRig, after: int = 1, **changes: Any) -> Anomaly:
    """A wave that begins with the minute that is not closed yet."""
    close_ms = rig.close_ms + after * MINUTE
    return anomaly(close_ms, close_ms, **changes)


def confirms(*wave: Anomaly) -> Settled:
    return Settled(wave[0].close_ms, wave, {"BTC": PAIR}, ("bybit",))


async def no_idea(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    """What a model says that does not answer the question."""
    return web.json_response(completion("no idea"))
