"""The list of pairs that bots read: what is on it, when it is written, and a disk that hangs."""

import asyncio
import json
import logging
import threading
import time
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import pytest

from liq_provider.config.pair_list_file import MAJORS, write_pairs
from liq_provider.measure.minute_results import Anomaly, Settled
from liq_provider.measure.waves import Strength
from liq_provider.sidecar import pair_list as pair_list_module
from liq_provider.sidecar.pair_list import PairList
from liq_provider.sidecar.running_minute import Running
from liq_provider.sidecar.service import Sidecar
from liq_provider.sidecar.sidecar_config import SidecarConfig
from liq_provider.sidecar.sidecar_files import SidecarFiles
from liq_provider.store.reader import Reader
from tests.sidecars import Time, freqtrade_config, liquidate, quiet_exchange, remember, until
from tests.store.helpers import MINUTE, T0

START = 1_795_350_000_000
OURS = {
    "method": "RemotePairList",
    "mode": "whitelist",
    "pairlist_url": "file:///user_data/liq_pairs.json",
    "refresh_period": 0,
}
COINS = [f"C{n}" for n in range(40)]
NAMES = {coin: f"{coin}/USDT:USDT" for coin in COINS}


def pairs_of(*coins: str) -> list[str]:
    return [f"{coin}/USDT:USDT" for coin in coins]


def config_of(base: Path, reads: bool = True, stake: str = "USDT", **market: Any) -> SidecarConfig:
    return SidecarConfig.of(
        {
            "base_dir": str(base),
            "stake_currency": stake,
            "exchange": {"name": "binance", "pair_blacklist": ["C7/.*"]},
            "pairlists": [OURS] if reads else [{"method": "StaticPairList"}],
            "liq_provider": {"market": {"pairs": 3, **market}},
        }
    )


class Kept(PairList):
    """What is written, and how often."""

    def __init__(self, base: Path, reads: bool = True, **more: Any) -> None:
        self.names: dict[str, str] = dict(NAMES)
        self.bots: list[dict[str, Any]] = []
        self.writes = 0
        super().__init__(
            config_of(base, reads, **more), lambda: self.names, lambda: self.bots, lambda: T0
        )

    def _put(self, pairs: Sequence[str] | None, told: Mapping[str, Any]) -> Sequence[str] | None:
        self.writes += 1
        return super()._put(pairs, told)

    @property
    def content(self) -> dict[str, Any]:
        return dict(json.loads(self.path.read_text())) if self.path.exists() else {}

    def shows(self, *pairs: str) -> bool:
        return set(self.content.get("pairs", ())) == set(pairs)


@asynccontextmanager
async def kept(base: Path, reads: bool = True, **more: Any) -> AsyncIterator[Kept]:
    made = Kept(base, reads, **more)
    working = asyncio.create_task(made.run())
    try:
        yield made
        assert not working.done()
    finally:
        working.cancel()
        await asyncio.wait({working})
        made.close()


def wave(coin: str, z: float = 6.0, close_ms: int = T0) -> Anomaly:
    return Anomaly(coin, close_ms, "SHORT", Strength.STRONG, z, 0.95, 5e5, 5e5, 0.0, 20)


def settled(*coins: str) -> Settled:
    return Settled(T0, tuple(wave(coin, 50.0 - n) for n, coin in enumerate(coins)), {}, ())


def running(*growing: str, close_ms: int = T0, **changes: Any) -> Running:
    usd = {coin: 9_000.0 - n for n, coin in enumerate(growing)}
    return Running(close_ms, T0 - MINUTE, growing=usd, **changes)


async def test_waves_come_first_then_what_may_be_one_then_the_liveliest(tmp_path: Path) -> None:
    async with kept(tmp_path, pairs=5) as made:
        made.take_liveliness({"C30": 5, "C31": 200, "C32": 100, "C33": 1})
        row = {"z": 2.2, "robust_z": None, "percentile": None, "notional_usd": 30_000.0}
        made.take_running(running("C2", rows={"C1": row}))
        made.take_settled(settled("C0"))
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2", "C31", "C32")), "it is written")
        assert made.content["pairs"] == pairs_of("C0", "C1", "C2", "C31", "C32")
        report = made.report()
        assert (report["in_wave"], report["left_out_n"], report["read"]) == (1, 0, True)
        assert report["pairs"] == made.content["pairs"] and report["error"] is None


async def test_what_the_list_left_out_is_told_with_the_reason(tmp_path: Path) -> None:
    async with kept(tmp_path) as made:
        del made.names["C8"]
        made.names["C9"] = "C9/USDC:USDC"
        made.names["C10"] = "(C10/USDT:USDT"
        made.take_settled(settled("C7", "C8", "C9", "C10", "C0", "C1", "C2", "C3", "C4"))
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2")), "it is written")
        assert made.content["left_out"] == 6
        assert made.report()["left_out"] == {
            "C3/USDT:USDT": "the list is full",
            "C4/USDT:USDT": "the list is full",
            "C7/USDT:USDT": "blacklisted, or not in USDT",
            "C8": "not listed on binance",
            "C9/USDC:USDC": "blacklisted, or not in USDT",
            "(C10/USDT:USDT": "blacklisted, or not in USDT",
        }


async def test_open_positions_take_no_place(tmp_path: Path) -> None:
    async with kept(tmp_path) as made:
        told = ["C20/USDT:USDT", "(C5", 5]
        made.bots = [{"open_pairs": told}, {"open_pairs": 5}, {"open_pairs": None}, {}]
        made.take_settled(settled("C0", "C1", "C2"))
        await until(lambda: made.shows(*pairs_of("C20", "C0", "C1", "C2")), "it is written")


async def test_a_position_frees_a_place_for_another_wave_at_once(tmp_path: Path) -> None:
    """Of five waves at once with three places the other two come next, not with the next minute."""
    async with kept(tmp_path) as made:
        made.take_settled(settled("C0", "C1", "C2", "C3", "C4"))
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2")), "the list is full")
        made.bots = [{"open_pairs": pairs_of("C0", "C2")}]
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2", "C3", "C4")), "others follow")
        assert made.report()["left_out"] == {}
        made.bots = []
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2")), "they are closed")


async def test_a_bot_with_another_stake_currency_has_pairs_in_that_and_is_told_how_few(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    async with kept(tmp_path, stake="USDC", pairs=5) as made:
        made.names = NAMES | {coin: f"{coin}/USDC:USDC" for coin in ("C0", "C1", "C7")}
        made.take_settled(settled("C7", "C2", "C1"))
        await until(lambda: made.content.get("pairs") == ["C1/USDC:USDC"], "it is written")
        few = "binance has 2 pairs in USDC that may be listed"
        report = made.report()
        assert (report["few"], report["error"], report["stake_currency"]) == (few, None, "USDC")
        assert caplog.messages.count(few) == 1
    async with kept(tmp_path / "none", stake="EUR") as made:
        assert made.report()["error"] is None
        made.take_settled(settled("C2"))
        await until(lambda: made.report()["error"], "it is trouble")
        assert made.report()["error"] == "binance has no pair in EUR that may be listed"
        assert set(made.content["pairs"]) >= {"BTC/EUR:EUR"}, "a bot may start"


async def test_that_pairs_are_few_is_not_said_of_a_list_that_can_be_full(tmp_path: Path) -> None:
    async with kept(tmp_path) as made:
        made.take_settled(settled("C0"))
        await until(lambda: made.writes, "it is written")
        assert made.report()["few"] is None


async def test_a_settled_minute_is_written_at_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whatever was written just before it, and without waiting for the next turn."""
    for name in ("_EVERY_S", "_CHANGED_S", "_ANYWAY_S"):
        monkeypatch.setattr(pair_list_module, name, 3_600.0)
    async with kept(tmp_path) as made:
        for coin in ("C0", "C1"):
            made.take_settled(settled(coin))
            await until(lambda coin=coin: pairs_of(coin)[0] in made.content.get("pairs", ()), coin)


async def test_it_is_written_once_a_second_at_most_and_only_if_it_changed(tmp_path: Path) -> None:
    async with kept(tmp_path) as made:
        made.take_running(running("C0"))
        await until(lambda: "C0/USDT:USDT" in made.content.get("pairs", ()), "it is written")
        made.take_liveliness({"C1": 1, "C2": 1})
        await until(lambda: made.shows(*pairs_of("C0", "C1", "C2")), "it is filled")
        begun_s, before = time.monotonic(), made.writes
        while time.monotonic() - begun_s < 2.5:
            made.take_running(running("C0"))
            await asyncio.sleep(0.02)
        assert made.writes == before
        begun_s = time.monotonic()
        for number in range(150):
            made.take_running(running(f"C{number % 40}", close_ms=T0 + number * MINUTE))
            await asyncio.sleep(0.02)
        assert 1 <= made.writes - before <= time.monotonic() - begun_s + 1


async def test_that_it_is_kept_is_written_anyway(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_list_module, "_ANYWAY_S", 0.1)
    async with kept(tmp_path) as made:
        made.take_settled(settled("C0"))
        await until(lambda: made.writes >= 3, "it is written again")
        assert made.content["written_ms"] == T0


async def test_a_list_that_nobody_reads_is_not_written(tmp_path: Path) -> None:
    async with kept(tmp_path, reads=False) as made:
        made.take_settled(settled("C0"))
        await asyncio.sleep(0.6)
        assert not made.path.exists() and made.report()["pairs"][0] == "C0/USDT:USDT"
        # Another bot of the same sidecar does.
        made.bots = [{"name": "static"}, {"reads_pairs": True}]
        await until(lambda: "C0/USDT:USDT" in made.content.get("pairs", ()), "it is written")


async def test_the_list_of_before_stays_until_the_exchange_has_told_its_pairs(
    tmp_path: Path,
) -> None:
    async with kept(tmp_path) as made:
        made.names = {}
        made.take_settled(settled("C0"))
        await until(lambda: made.shows(*MAJORS), "a bot may start")
    write_pairs(tmp_path / "user_data" / "liq_pairs.json", pairs_of("C30", "C31"))
    async with kept(tmp_path) as made:
        made.names = {}
        made.take_settled(settled("C0"))
        await until(lambda: made.report()["pairs"] == pairs_of("C30", "C31"), "it is read")
        assert made.shows(*pairs_of("C30", "C31"))
        made.names = dict(NAMES)
        made.take_running(running())
        await until(lambda: made.shows(*pairs_of("C0", "C30", "C31")), "it is written")


async def test_a_damaged_list_is_mended(tmp_path: Path) -> None:
    async with kept(tmp_path) as made:
        made.path.parent.mkdir()
        for damage in ("", '{"pairs": ["C', '{"pairs": ["(C5"]}'):
            made.path.write_text(damage)
            made.take_settled(settled("C0"))
            await until(
                lambda: damage != made.path.read_text() and made.content["pairs"],  # noqa: B023
                "it is whole again",
            )


async def test_a_disk_that_hangs_holds_up_nobody_and_the_newest_list_follows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pair_list_module, "_HANGS_S", 0.3)
    go = threading.Event()
    async with kept(tmp_path) as made:
        made.take_settled(settled("C0"))
        await until(lambda: "C0/USDT:USDT" in made.content.get("pairs", ()), "it is written")

        def hang(*arguments: Any, **told: Any) -> None:
            assert go.wait(60)
            write_pairs(*arguments, **told)

        monkeypatch.setattr(pair_list_module, "write_pairs", hang)
        made.take_settled(settled("C1"))
        await until(lambda: made.report()["error"], "it is shown as trouble")
        assert "has not answered" in made.report()["error"]
        # Whoever tells it something goes on, and what it would write is known.
        made.take_settled(settled("C2"))
        await until(lambda: "C2/USDT:USDT" in made.report()["pairs"], "it is chosen")
        assert pairs_of("C1")[0] not in made.content["pairs"]
        go.set()
        await until(lambda: "C2/USDT:USDT" in made.content["pairs"], "the newest is written")
        await until(lambda: made.report()["error"] is None, "and all is well")


async def test_somebody_elses_file_is_left_alone_and_that_is_said_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    path = tmp_path / "user_data" / "liq_pairs.json"
    path.parent.mkdir()
    path.write_text('{"exchange": {}}')
    async with kept(tmp_path) as made:
        for number in range(3):
            made.take_settled(settled(f"C{number}"))
            await until(lambda n=number: made.writes > n, "it is tried")
        await until(lambda: made.report()["error"], "it is told")
        assert "no list of pairs" in made.report()["error"]
        assert path.read_text() == '{"exchange": {}}'
    said = [r for r in caplog.records if "list of pairs" in r.getMessage()]
    assert [r.levelno for r in said] == [logging.ERROR]


async def test_a_coin_that_begins_to_fall_is_listed_before_its_minute_closes(
    tmp_path: Path,
) -> None:
    """The real sidecar, with no page and no model: because a bot reads the list it looks ahead."""
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        config = freqtrade_config(sim, tmp_path, market={"pairs": 2})
        made = SidecarConfig.of(config | {"pairlists": [OURS], "stake_currency": "USDT"})
        remember(made.store_url, ["BTC", "ETH", "SOL"], START, known_min=1)
        reader = Reader(made.store_url)
        path = tmp_path / "user_data" / "liq_pairs.json"

        def listed() -> dict[str, Any]:
            return dict(json.loads(path.read_text())) if path.exists() else {"pairs": []}

        sidecar = Sidecar(made, moment.clock())
        working = asyncio.create_task(sidecar.run())

        def live() -> bool:
            return {f["state"] for f in sidecar.status()["feeds"].values()} == {"live"}

        await until(live, "the feeds are live")
        moment.jump_to(START + MINUTE - 200)
        await until(lambda: reader.states(["computed_ms"]).get("computed_ms"), "a minute settled")
        close_ms = START + 2 * MINUTE
        moment.jump_to(close_ms - 40_000)
        liquidate(sim, "bybit", 20, 50_000.0, symbol="SOLUSDT")
        await until(lambda: listed()["pairs"][:1] == ["SOL/USDT:USDT"], "it is listed")
        assert moment.now_ms() < close_ms
        assert len(listed()["pairs"]) == 2 and listed()["simulated"] is True
        told = sidecar.status()["pair_list"]
        assert told["in_wave"] == 1 and told["path"] == str(path)
        sidecar.stop()
        await asyncio.wait_for(working, 60)


async def test_a_bot_that_comes_later_and_reads_the_list_is_enough(tmp_path: Path) -> None:
    """The sidecar was started by a bot with a static list."""
    moment = Time(START + 20_000)
    async with quiet_exchange(moment) as sim:
        made = SidecarConfig.of(freqtrade_config(sim, tmp_path))
        sidecar = Sidecar(made, moment.clock())
        working = asyncio.create_task(sidecar.run())
        path = tmp_path / "user_data" / "liq_pairs.json"
        await until(lambda: sidecar._names(), "the exchange's pairs are known")
        await asyncio.sleep(0.5)
        assert not path.exists()
        SidecarFiles.of(made.store_url, tmp_path).beat({"reads_pairs": True})
        await until(path.exists, "it is written")
        sidecar.stop()
        await asyncio.wait_for(working, 60)
