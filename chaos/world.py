"""All processes of a run: the exchange, the store, sidecars and the bot."""

import json
import os
import shutil
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import requests

from chaos import clock as jumps
from chaos import probe, script
from chaos.postgres import Server
from chaos.schedule import VENUES, Setup
from liq_provider.config.settings import load_settings
from liq_provider.core.coverage import Interval
from liq_provider.history.importer import import_files
from liq_provider.launch.ports import free_port
from liq_provider.launch.processes import Child, python_module
from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer

ROOT = Path(__file__).parents[1]
SETTLE_S = 2.0
SEGMENT_MIN = 2
MAX_ENTRY_DELAY_S = 30
FALLBACK_PCT = 0.02

_UP_S = 90.0


class NotUp(Exception):
    """A part of the run did not start."""


class Member:
    """
    One process that may be killed, frozen and started again.

    :param clock: file with the offset of its clock, None for the machine's clock
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        log: Path,
        env: Mapping[str, str],
        clock: Path | None,
    ) -> None:
        self.name = name
        self.log = log
        self.clock = clock
        self._command = command
        self._env = {**env, **_env_of(clock)}
        self._child: Child | None = None

    def start(self) -> None:
        """Start it; its log goes on."""
        self._child = Child(self.name, self._command, self.log, self._env)

    @property
    def running(self) -> bool:
        """Has it been started, and not ended?"""
        return self._child is not None and self._child.running

    @property
    def pid(self) -> int:
        """Process id of its newest life, 0 before the first."""
        return 0 if self._child is None else self._child.pid

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it is there."""
        if self._child is not None and self._child.running:
            os.kill(self._child.pid, number)

    def kill(self) -> None:
        """End it without a word, and see it gone."""
        self.signal(signal.SIGKILL)
        while self.running:
            time.sleep(0.01)

    def end(self) -> float:
        """:return: seconds that a polite end took"""
        begin_s = time.monotonic()
        self.signal(signal.SIGCONT)
        if self._child is not None:
            self._child.stop()
        return time.monotonic() - begin_s

    def set_clock(self, offset_s: float) -> None:
        """Let its clock jump."""
        assert self.clock is not None
        new = self.clock.with_suffix(".new")
        new.write_text(f"{offset_s:+g}\n")
        new.replace(self.clock)


def _env_of(clock: Path | None) -> dict[str, str]:
    if clock is None:
        return {"PYTHONPATH": str(ROOT)}
    path = os.pathsep.join([str(ROOT / "chaos" / "preload"), str(ROOT)])
    return {"PYTHONPATH": path, jumps.FILE: str(clock)}


class World:
    """
    :param directory: of this run; logs, configurations and databases go there
    :param disks: directory by sidecar where its store and spool lie
    :param jumping: names of the processes whose clock will jump
    :param damage_every: of a venue that sends garbage, each so-manieth frame is cut off
    """

    def __init__(
        self,
        directory: Path,
        seed: int,
        minutes: float,
        setup: Setup,
        disks: Mapping[str, Path],
        jumping: frozenset[str] = frozenset(),
        damage_every: int = 0,
    ) -> None:
        self.directory = directory
        self.setup = setup
        self.disks = disks
        self.server = Server() if setup.store == "postgresql" else None
        self._ports = {name: free_port() for name in setup.sidecars}
        self._jumping = jumping
        self._damage_every = damage_every
        first = self._ports[setup.sidecars[0]]
        self.url = f"http://127.0.0.1:{first}"
        self.exchange = Member(
            "exchange", self._exchange_command(seed, minutes), directory / "exchange.log", {}, None
        )
        self.sidecars = {name: self._sidecar(name) for name in setup.sidecars}
        self.bot = self._bot()

    @property
    def truth(self) -> Path:
        """What the exchange did."""
        return self.directory / "truth.jsonl"

    @property
    def loops(self) -> Path:
        """What the bot's loops were like."""
        return self.directory / "loops.jsonl"

    @property
    def store_url(self) -> str:
        """Address of the store."""
        if self.server is not None:
            return self.server.url
        return f"sqlite:///{self.disks[self.setup.sidecars[0]] / 'store.sqlite'}"

    @property
    def trades(self) -> Path:
        """Freqtrade's database."""
        return self.directory / "trades.sqlite"

    def member(self, name: str) -> Member:
        """:return: a sidecar or the bot"""
        return self.bot if name == "bot" else self.sidecars[name]

    def start(self) -> int:
        """
        Start everything and wait until it works.

        :return: the time from which on the sidecars listen, in milliseconds
        :raises NotUp: something does not start
        """
        self.exchange.start()
        self._await("the exchange", lambda: self._state() is not None, self.exchange)
        self._import_history()
        for sidecar in self.sidecars.values():
            sidecar.start()
        self.await_feeds()
        listening_ms = time.time_ns() // 1_000_000
        self.bot.start()
        self._await("the bot", self.loops.exists, self.bot)
        return listening_ms

    def await_feeds(self) -> None:
        """
        Wait until every sidecar is connected to every venue.

        :raises NotUp: it takes too long
        """
        wanted = len(VENUES) * len(self.sidecars)
        self._await("the feeds", lambda: self._connected() >= wanted, *self.sidecars.values())

    def stop(self) -> dict[str, float]:
        """:return: seconds that the polite end of each sidecar took"""
        self.bot.end()
        took = {name: sidecar.end() for name, sidecar in self.sidecars.items()}
        self.exchange.end()
        return took

    def close(self) -> None:
        """End whatever still runs."""
        for member in (self.bot, *self.sidecars.values(), self.exchange):
            member.signal(signal.SIGCONT)
            member.kill()
        if self.server is not None:
            self.server.close()

    def ask(self, method: str, path: str, body: Any = None) -> Any:
        """Use the exchange's controls."""
        answer = requests.request(method, self.url + path, json=body, timeout=10)
        answer.raise_for_status()
        return answer.json()

    def _state(self) -> dict[str, Any] | None:
        try:
            return dict(self.ask("GET", "/sim/state"))
        except requests.RequestException:
            return None

    def _connected(self) -> int:
        state = self._state() or {}
        return sum(state.get("clients", {}).values())

    def _await(self, what: str, ready: Callable[[], Any], *members: Member) -> None:
        deadline_s = time.monotonic() + _UP_S
        while not ready():
            if any(not member.running for member in members) or time.monotonic() > deadline_s:
                logs = ", ".join(str(member.log) for member in members)
                raise NotUp(f"{what} did not come up; see {logs}")
            time.sleep(0.1)

    def _exchange_command(self, seed: int, minutes: float) -> list[str]:
        ports = [f"--port={name}={port}" for name, port in self._ports.items()]
        options = ["--seed", str(seed), "--minutes", str(minutes), "--log", str(self.truth)]
        options += ["--damage-every", str(self._damage_every)]
        return python_module("chaos.exchange", *options, *ports)

    def _sidecar(self, name: str) -> Member:
        path = self._write_config(name, f"http://127.0.0.1:{self._ports[name]}")
        command = python_module("liq_provider.cli", "run", "-c", str(path))
        log = self.directory / f"sidecar-{name}.log"
        return Member(name, command, log, {}, self._clock_of(name))

    def _bot(self) -> Member:
        path = self._write_config(self.setup.sidecars[0], self.url, "bot")
        shutil.copytree(ROOT / "strategies", self.directory / "strategies", dirs_exist_ok=True)
        command = python_module("chaos.probe", "trade", "--strategy", "LiqTrend", "-c", str(path))
        env = {probe.LOG: str(self.loops)}
        return Member("bot", command, self.directory / "bot.log", env, self._clock_of("bot"))

    def _clock_of(self, name: str) -> Path | None:
        return self.directory / f"clock-{name}" if name in self._jumping else None

    def _write_config(self, name: str, url: str, file_name: str | None = None) -> Path:
        path = self.directory / f"{file_name or 'sidecar-' + name}.json"
        path.write_text(json.dumps(self._config(name, url), indent=2))
        return path

    def _config(self, name: str, url: str) -> dict[str, Any]:
        user_data = self.disks[name] / "user_data"
        user_data.mkdir(parents=True, exist_ok=True)
        pricing = {"price_side": "other", "use_order_book": True, "order_book_top": 1}
        whitelist = [spec.pair for spec in script.SYMBOLS]
        return {
            "dry_run": True,
            "dry_run_wallet": 10_000,
            "db_url": f"sqlite:///{self.trades}",
            "strategy_path": str(self.directory / "strategies"),
            "user_data_dir": str(user_data),
            "timeframe": "1m",
            "trading_mode": "futures",
            "margin_mode": "isolated",
            "stake_currency": "USDT",
            "stake_amount": 500,
            "max_open_trades": len(whitelist),
            "entry_pricing": pricing,
            "exit_pricing": pricing,
            "exchange": freqtrade_exchange_config(self.url) | {"pair_whitelist": whitelist},
            "pairlists": [{"method": "StaticPairList"}],
            "initial_state": "running",
            "internals": {"process_throttle_secs": 1, "heartbeat_interval": 30},
            "liq_provider": self._section(url),
        }

    def _section(self, url: str) -> dict[str, Any]:
        return {
            "store": self.store_url,
            "autostart": False,
            "fill_gaps": False,
            "settle_s": SETTLE_S,
            "max_entry_delay_s": MAX_ENTRY_DELAY_S,
            "segment_min": SEGMENT_MIN,
            "baseline_hours": script.HISTORY_H - 2,
            "min_baseline_segments": 30,
            "min_active_segments": 10,
            "fallback_pct": FALLBACK_PCT,
            "judge": {"by": "matrix"},
            "news": {"provider": "none"},
            "dashboard": {"enabled": False},
            "venues": venue_urls(url),
        }

    def _import_history(self) -> None:
        """The market's past hours, so that baselines are warm."""
        state = self._state()
        assert state is not None
        span = Interval(int(state["first_ms"]), int(state["now_ms"]))
        tape = requests.get(
            f"{self.url}/sim/tape", {"from_ms": span.start_ms, "to_ms": span.end_ms}, timeout=60
        )
        path = self.directory / "history.jsonl"
        path.write_bytes(tape.content)
        settings = load_settings({})
        writer = Writer(open_engine(self.store_url), BookingRules(settings.settle_ms))
        reader = Reader(self.store_url)
        import_files(writer, reader, [path], "frames", covered=span, now_ms=span.end_ms)
        writer.close()
        reader.close()
