"""What is looked at while a run goes on: the sidecars' counts, open positions, the machine."""

import random
import threading
import time
from collections.abc import Mapping, Set
from pathlib import Path
from typing import Any

import orjson
import requests
from sqlalchemy import select

from chaos.records import Span, symbol_of
from chaos.world import World
from liq_provider.errors import LiqError
from liq_provider.store import schema
from liq_provider.store.database import open_engine, store_errors

_LOOK_S = 0.5
_SHOCK_S = (8.0, 20.0)
# Beyond any stop, with room for what the position had gained.
_SHOCK_PCT = 4.5
_BEAT_S = 0.05
_STALL_S = 0.2


class Counts:
    """
    Keeps the newest status of every life of a sidecar, as only the sidecar's own count tells
    what it had to give up.
    """

    def __init__(self, store_url: str) -> None:
        self.lives: dict[tuple[int, int], dict[str, Any]] = {}
        self.watermark_ms = 0
        self.computed_ms = 0
        self._url = store_url
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def look(self) -> None:
        """
        Read once.

        :raises LiqError: the store does not answer
        """
        engine = open_engine(self._url, read_only=True, busy_timeout_s=1)
        table = schema.state.c
        try:
            with store_errors("Watching"), engine.connect() as connection:
                rows = connection.execute(select(table.key, table.value)).all()
        finally:
            engine.dispose()
        for key, text in rows:
            value = orjson.loads(text)
            if key.startswith("sidecar") and isinstance(value, dict) and "pid" in value:
                self.lives[value["pid"], value["started_ms"]] = value
            elif key == "watermark_ms":
                self.watermark_ms = int(value or 0)
            elif key == "computed_ms":
                self.computed_ms = int(value or 0)

    def lost(self) -> int:
        """:return: what all lives together counted as lost"""
        return sum(int(life.get("lost") or 0) for life in self.lives.values())

    def waiting(self, pids: set[int]) -> int:
        """:return: what waits on disk for the store, as far as these processes said"""
        mine = [life for (pid, _), life in self.lives.items() if pid in pids]
        return sum(int(life.get("spooled") or 0) for life in mine)

    def close(self) -> None:
        """Look no more."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        while not self._stop.wait(_LOOK_S):
            try:
                self.look()
            except LiqError:
                continue  # it is broken on purpose


class Shocks:
    """
    Moves the price of an open position beyond its stop now and then, whatever else is broken,
    and back once the position is closed, so that the next wave finds its candles as they were.

    :param rng: decides when, and which
    """

    def __init__(self, world: World, rng: random.Random) -> None:
        self.done: list[Span] = []
        self._world = world
        self._rng = rng
        self._due_s = time.monotonic() + rng.uniform(*_SHOCK_S)
        self._look_s = 0.0
        self._shocked: dict[int, tuple[str, float]] = {}

    def tick(self) -> None:
        """Call this often."""
        now_s = time.monotonic()
        if now_s >= self._look_s:
            self._look_s = now_s + _LOOK_S
            positions = {trade["id"]: trade for trade in newest_positions(self._world.loops)}
            self._bring_back(positions.keys())
            if now_s >= self._due_s:
                self._due_s = now_s + self._rng.uniform(*_SHOCK_S)
                self._shock(positions)

    def _bring_back(self, still_open: Set[int]) -> None:
        # Soon, or the spike is in the candles and no wave agrees with them.
        for closed in self._shocked.keys() - still_open:
            symbol, pct = self._shocked.pop(closed)
            self._move(symbol, 100 / (1 + pct / 100) - 100)

    def _shock(self, positions: Mapping[int, dict[str, Any]]) -> None:
        choice = sorted(positions.keys() - self._shocked.keys())
        if choice:
            trade = positions[self._rng.choice(choice)]
            symbol = symbol_of(trade["pair"])
            pct = _SHOCK_PCT if trade["short"] else -_SHOCK_PCT
            self._shocked[trade["id"]] = symbol, pct
            self._move(symbol, pct)

    def _move(self, symbol: str, pct: float) -> None:
        now_ms = time.time_ns() // 1_000_000
        try:
            self._world.ask("POST", "/sim/price", {"symbol": symbol, "to_pct": pct})
        except requests.RequestException:
            return
        self.done.append(Span("shock", symbol, now_ms, now_ms, pct))


def newest_positions(loops: Path) -> list[dict[str, Any]]:
    """:return: positions that were open after the bot's newest loop"""
    if not loops.exists():
        return []
    with loops.open("rb") as file:
        file.seek(max(0, loops.stat().st_size - 65_536))
        lines = file.read().splitlines()
    for line in reversed(lines):
        try:
            return [trade for trade in orjson.loads(line)["trades"] if trade["filled"]]
        except (orjson.JSONDecodeError, KeyError):
            continue
    return []


class Canary:
    """Notes when this machine, not one process of the run, stood still."""

    def __init__(self) -> None:
        self.stalls: list[Span] = []
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Watch no more."""
        self._stop.set()
        self._thread.join(5)

    def _run(self) -> None:
        before_s = time.monotonic()
        while not self._stop.is_set():
            time.sleep(_BEAT_S)
            now_s = time.monotonic()
            if now_s - before_s > _STALL_S:
                now_ms = time.time_ns() // 1_000_000
                from_ms = now_ms - round((now_s - before_s) * 1000)
                self.stalls.append(Span("stall", "machine", from_ms, now_ms))
            before_s = now_s
