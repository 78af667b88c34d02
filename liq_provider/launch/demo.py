"""
``make demo``: a simulated exchange, the sidecar and the real Freqtrade in dry-run, in words.

Nothing needs to be configured, and nothing leaves the machine unless ``DEMO_MODEL=1`` asks a real
model.
"""

import logging
import math
import os
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Mapping
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread
from typing import Any

import requests
from filelock import FileLock, Timeout
from rich.console import Console

from liq_provider.config.pair_list_file import entry_for, pair_list_path, seed
from liq_provider.config.settings import SECTION, load_settings, resolve_store
from liq_provider.core.clock import machine_ms
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.errors import LiqError, UsageError
from liq_provider.history.importer import import_files
from liq_provider.judge.sidecar_judge import wants_model
from liq_provider.launch.narrator import Narrator, clock_text, summary_table, write_json
from liq_provider.launch.ports import free_port
from liq_provider.launch.processes import Child, Ending, ended_politely, python_module, stop_all
from liq_provider.simulator import DEFAULT_PORT
from liq_provider.simulator.stand_in_model import FEED_PATH, MODEL
from liq_provider.simulator.urls import freqtrade_exchange_config, venue_urls
from liq_provider.store.booked_minute import BookingRules
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from liq_provider.venues.registry import refuse_unusable

_API_PORT = 18_980
_PAGE_PORT = 18_990
_WAIT_S = 180.0
_POLL_S = 1.0
_LATE_MS = 5_000
_SETTLE_S = 4.0
_ANSWER_S = 5.0

console = Console(highlight=False)


class DemoError(LiqError):
    """The demo cannot go on; the message names the log to read."""


class Demo:
    """
    :param root: the project's directory; everything is written under ``user_data/demo``
    :param seconds: how long to run, None until Ctrl-C
    :param ending: tells when it is asked to end before
    :param real_model: judges, instead of the stand-in
    """

    def __init__(
        self, root: Path, seconds: float | None, ending: Ending, *, real_model: bool = False
    ) -> None:
        self._root = root
        self._seconds = seconds
        self._ending = ending
        self._real_model = real_model
        self._dir = root / "user_data" / "demo"
        self._user_data = self._dir / "user_data"
        self._children: list[Child] = []
        self._rest: Thread | None = None
        self._began = False
        self._password = secrets.token_urlsafe(12)
        # Held as long as we are: another demo that starts now must not choose the same ports.
        self._usual = FileLock(Path(tempfile.gettempdir()) / "liqtrend-demo.lock")
        try:
            self._usual.acquire(timeout=0)
            wanted = (DEFAULT_PORT, _API_PORT, _PAGE_PORT)
        except (Timeout, OSError):
            wanted = (0, 0, 0)
        self.ports: list[int] = []
        for port in wanted:
            self.ports.append(free_port(port, self.ports))
        self._url, self._api, self._page = (f"http://127.0.0.1:{port}" for port in self.ports)

    def run(self) -> int:
        """:return: 0 if everything ran to the end"""
        shutil.rmtree(self._dir, ignore_errors=True)
        self._user_data.mkdir(parents=True)
        narrator = None
        try:
            narrator = self._start()
            self._watch(narrator)
        except KeyboardInterrupt:
            console.print("\nStopping ...")
        finally:
            # The bot first: it must not see its exchange vanish.
            stop_all(self._children[::-1])
        if narrator is not None:
            self._summary(narrator)
        return 0

    def _start(self) -> Narrator:
        # A slow machine may settle the script's minute before everything here has started.
        since_ms = int(time.time() * 1000)
        port = str(self.ports[0])
        self._spawn(
            "simulator",
            python_module("liq_provider.cli", "simulate", "--demo", "--hold", "--port", port),
        )
        self._await("the simulator", self._simulator_state)
        console.print(
            "[bold]SYNTHETIC market[/bold]: the exchange is simulated on this machine;\n"
            "the bot is the real Freqtrade, in dry-run."
        )
        config = self._config()
        path = self._dir / "config.json"
        write_json(path, config)
        settings = load_settings(config)
        seed(pair_list_path(settings, self._dir), config)
        store_url = resolve_store(settings, self._dir)
        self._spawn("sidecar", python_module("liq_provider.cli", "run", "-c", str(path)))
        bot = ["trade", "--strategy", "LiqTrend", "-c", str(path), "--userdir"]
        self._spawn("freqtrade", python_module("freqtrade", *bot, str(self._user_data)))
        reader = Reader(store_url)
        self._await("the feeds", lambda: _feeds_live(reader))
        self._import_history(reader, store_url)
        self._addresses()
        trades_db = self._dir / "tradesv3.sqlite"
        return Narrator(reader, settings, trades_db, since_ms, config, self._dir)

    def _spawn(self, name: str, command: list[str]) -> None:
        self._children.append(Child(name, command, self._dir / f"{name}.log"))

    def _await(self, what: str, ready: Any) -> None:
        deadline_s = time.monotonic() + _WAIT_S
        while not ready():
            self._check_children()
            if time.monotonic() > deadline_s:
                raise DemoError(f"{what} did not come up within {_WAIT_S:.0f} s; see {self._dir}")
            self._ending.pause(0.1)

    def _check_children(self) -> None:
        for child in self._children:
            if not child.running:
                tail = child.log.read_text(errors="replace").splitlines()[-5:]
                raise DemoError(f"{child.name} ended; see {child.log}\n  " + "\n  ".join(tail))

    def _simulator_state(self) -> Mapping[str, Any] | None:
        try:
            return dict(requests.get(f"{self._url}/sim/state", timeout=2).json())
        except requests.RequestException:
            return None

    def _config(self) -> dict[str, Any]:
        from freqtrade.configuration.load_config import load_config_file

        config = load_config_file(str(self._root / "config.json.example"))
        whitelist = config["exchange"]["pair_whitelist"]
        state = self._simulator_state() or {}
        listed = {f"{name.removesuffix('USDT')}/USDT:USDT" for name in state["symbols"]}
        config["exchange"] = freqtrade_exchange_config(self._url) | {
            "pair_whitelist": [pair for pair in whitelist if pair in listed],
            "pair_blacklist": [],
        }
        config["bot_name"] = "LiqTrend demo (SYNTHETIC market)"
        config["db_url"] = f"sqlite:///{self._dir / 'tradesv3.sqlite'}"
        config["strategy_path"] = str(self._root / "strategies")
        # Synthetic candles must never be mistaken for real ones, which are below user_data.
        config["user_data_dir"] = str(self._user_data)
        config["pairlists"] = [entry_for(pair_list_path(load_settings({}), self._dir))]
        config["api_server"] = {
            "enabled": True,
            "listen_ip_address": "127.0.0.1",
            "listen_port": self.ports[1],
            "username": "demo",
            "password": self._password,
            "jwt_secret_key": secrets.token_urlsafe(32),
            "ws_token": secrets.token_urlsafe(16),
            "verbosity": "error",
        }
        config["liq_provider"] = {
            "store": "sqlite:///liq_provider.sqlite",
            "autostart": False,
            # Time enough to import what was before the feeds were live, see _import_history.
            "settle_s": _SETTLE_S,
            "venues": venue_urls(self._url),
            "news": {"provider": "rss", "feeds": [self._url + FEED_PATH]},
            "dashboard": {"port": self.ports[2]},
            **self._judge(),
        }
        return dict(config)

    def _judge(self) -> dict[str, Any]:
        """The stand-in, whatever keys there are, unless a real model was asked for."""
        if self._real_model:
            return {}
        return {"llm": {"base_url": f"{self._url}/v1", "model": MODEL}}

    def _judge_words(self) -> str:
        # Variables of the environment overrule what the demo asks for.
        settings = load_settings({SECTION: self._judge()})
        if settings.judge.by == "matrix":
            return "the matrix"
        if settings.llm.base_url == f"{self._url}/v1":
            return "a STAND-IN, not an AI (DEMO_MODEL=1 asks a real one)"
        return f"a real model, {settings.llm.model}"

    def _import_history(self, reader: Reader, store_url: str) -> None:
        """
        The simulated past day, so that baselines are warm. It is taken after the feeds are
        live, and again when the minute is over in which they became live: that minute nobody
        heard as a whole, and without it the first waves would be of an unknown segment.
        """
        state = self._simulator_state()
        if state is None:
            raise DemoError(f"the simulator does not answer; see {self._dir / 'simulator.log'}")
        first_ms, live_ms = int(state["first_ms"]), int(state["now_ms"])
        begin_s = time.monotonic()
        kept = self._import(reader, store_url, Interval(first_ms, minute_of(live_ms)))
        took_s = time.monotonic() - begin_s
        hours = (live_ms - first_ms) / HOUR_MS
        console.print(f"Imported {kept:,} synthetic liquidations of {hours:.0f} hours.")
        rest = Interval(minute_of(live_ms), minute_of(live_ms) + MINUTE_MS)
        arguments = (reader, store_url, rest)
        thread = Thread(target=self._import_rest, args=arguments, daemon=True, name="history")
        thread.start()
        # Where a day took long, a minute may take longer than it waits to be settled. Then the
        # waves must not come in it.
        self._rest = thread if took_s > _SETTLE_S / 2 else None

    def _import_rest(self, reader: Reader, store_url: str, span: Interval) -> None:
        try:
            self._ending.pause(max(span.end_ms / 1000 - time.time(), 0.0))
            self._import(reader, store_url, span)
        except KeyboardInterrupt:
            return
        except (LiqError, requests.RequestException) as error:
            # The demo goes on; what is unknown is shown as that.
            console.print(f"The minute of the start stays unknown: {error}", markup=False)

    def _import(self, reader: Reader, store_url: str, span: Interval) -> int:
        """:return: how many liquidations were new"""
        answer = requests.get(
            f"{self._url}/sim/tape",
            # What was published of the span comes a little later.
            params={"from_ms": span.start_ms, "to_ms": span.end_ms + _LATE_MS},
            timeout=30,
        )
        path = self._dir / f"history-{span.start_ms}.jsonl"
        path.write_bytes(answer.content)
        settings, now_ms = load_settings({}), machine_ms()
        with closing(Writer(open_engine(store_url), BookingRules(settings.settle_ms))) as writer:
            report = import_files(writer, reader, [path], "frames", covered=span, now_ms=now_ms)
            # A file speaks for the venues in it; the tape is of all, also of one that was quiet.
            # Without this a wave would be measured on a venue or two, and no longer be mixed.
            for venue in settings.venues.enabled:
                writer.cover(venue, [span], "import", now_ms)
        return report.kept

    def _addresses(self) -> None:
        console.print(f"Dashboard           [bold]{self._page}[/bold]")
        console.print(f"Simulated exchange  {self._url}/sim/state")
        console.print(f"Freqtrade's API     {self._api}/docs (user demo,")
        console.print(f"                    password {self._password})", markup=False)
        console.print(f"Judge               {self._judge_words()};")
        console.print("                    its headlines are SYNTHETIC, too")
        console.print(f"Logs and databases  {self._dir}")
        until = f"for {self._seconds:.0f} s" if self._seconds else "until Ctrl-C"
        console.print(f"Running {until}. Times are UTC.\n")

    def _watch(self, narrator: Narrator) -> None:
        begin_s = time.monotonic()
        while self._seconds is None or time.monotonic() - begin_s < self._seconds:
            for line in narrator.news():
                console.print(f"{clock_text()}  {line}", markup=False, soft_wrap=True)
            self._check_children()
            self._begin_when_ready()
            self._ending.pause(_POLL_S)
        for line in narrator.news():
            console.print(f"{clock_text()}  {line}", markup=False, soft_wrap=True)

    def _begin_when_ready(self) -> None:
        """The script's waves wait for the bot, however long this machine takes to start it."""
        if self._began or (self._rest is not None and self._rest.is_alive()):
            return
        if not self._bot_runs():
            return
        try:
            answer = requests.post(f"{self._url}/sim/begin", timeout=_ANSWER_S).json()
        except requests.RequestException:
            return  # asked again in a moment; what began already begins no second time
        self._began = True
        close = datetime.fromtimestamp(answer["close_ms"] / 1000, UTC)
        console.print(f"{clock_text()}  script     the first waves end at {clock_text(close)}")

    def _bot_runs(self) -> bool:
        try:
            answer = requests.get(
                f"{self._api}/api/v1/show_config", auth=("demo", self._password), timeout=_ANSWER_S
            )
            return bool(answer.ok and answer.json()["state"] == "running")
        except requests.RequestException:
            return False

    def _summary(self, narrator: Narrator) -> None:
        console.print()
        console.print(summary_table(narrator, "Summary (SYNTHETIC market, dry-run)"))
        tally = narrator.tally
        total = sum(trade["close_profit_abs"] or 0.0 for trade in narrator.trades())
        console.print(
            f"{tally.verdicts} verdicts, {len(tally.entered)} entries, "
            f"{len(tally.refused)} refused, closed profit {total:+.2f} USDT"
        )
        for (name, direction, _), why in tally.refused.items():
            console.print(f"  refused {name} {direction}: {why}", markup=False, soft_wrap=True)
        console.print("A scripted market proves that the plumbing works, not that the idea pays.")


def _feeds_live(reader: Reader) -> bool:
    try:
        sidecar = reader.states(["sidecar"]).get("sidecar") or {}
    except LiqError:
        return False
    feeds = sidecar.get("feeds", {})
    return bool(feeds) and all(
        feed["state"] == "live" and feed["markets"] for feed in feeds.values()
    )


def main() -> int:
    """``DEMO_SECONDS`` in the environment limits the run, ``DEMO_MODEL=1`` asks a real model."""
    refuse_unusable()
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("alembic").setLevel(logging.ERROR)
    root = Path.cwd()
    if not (root / "config.json.example").is_file():
        raise UsageError("run this in the project's directory (make demo)")
    seconds = _seconds(os.environ.get("DEMO_SECONDS", ""))
    real_model = _real_model(os.environ.get("DEMO_MODEL", ""))
    # Two demos would delete each other's files.
    (root / "user_data").mkdir(exist_ok=True)
    lock = FileLock(root / "user_data" / "demo.lock")
    try:
        lock.acquire(blocking=False)
    except Timeout:
        raise UsageError("a demo runs in this directory already") from None
    with lock, ended_politely() as ending:
        return Demo(root, seconds, ending, real_model=real_model).run()


def _seconds(text: str) -> float | None:
    if not text:
        return None
    try:
        seconds = float(text)
    except ValueError:
        seconds = 0.0
    if not 0 < seconds < math.inf:
        raise UsageError(f"DEMO_SECONDS: {text!r} is no number of seconds")
    return seconds


def _real_model(text: str) -> bool:
    if text in ("", "0"):
        return False
    if text != "1":
        raise UsageError(f"DEMO_MODEL: {text!r} is neither 1 nor 0")
    if not wants_model(load_settings({})):
        raise UsageError("DEMO_MODEL=1 asks a real model; set OPENAI_API_KEY")
    return True


if __name__ == "__main__":
    try:
        sys.exit(main())
    except LiqError as problem:
        sys.exit(f"demo: {problem}")
