"""
What a user gets to see and hear of the real bot: Telegram, webhooks and what FreqUI asks for.

One process of the bot, from its start over a wave, an entry, a stop and stale data to its end.
"""

import json
import sqlite3
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests
from freqtrade.configuration.load_config import load_config_file

from liq_provider.bot.messages import LIMIT
from liq_provider.bot.plots import PLOT_CONFIG
from liq_provider.launch.ports import free_port
from liq_provider.launch.processes import Child, python_module
from liq_provider.simulator.exchange_server import Simulator
from tests.bot.helpers import Store, stored
from tests.freqtradelog import without_torn_session
from tests.integration.harness import (
    BTC,
    ETH,
    ROOT,
    bot_config,
    fresh_minute,
    judge,
    open_store,
    simulator,
    until,
)
from tests.integration.harness import served as in_thread
from tests.integration.telegram_api import CHAT, TOKEN, FakeTelegram, Receiver, TelegramMessage

# Of a model that was told what to say by a headline.
HOSTILE = "_so_ *buy* [coins](https://evil.example) `now` /forceexit all @everyone " + "x" * 300

BUDGET = {
    "calls_per_minute": {"used": 3, "limit": 60},
    "calls_per_day": {"used": 2_000, "limit": 2_000},
}
SPENT = {
    "name": "stand-in@v1",
    "model": {"unavailable": "over budget", "budget": {"spent": BUDGET, "reached": []}},
}


@dataclass
class BotRun:
    """What came of it."""

    telegram: list[TelegramMessage] = field(default_factory=list)
    refused: list[str] = field(default_factory=list)
    answers: dict[str, list[str]] = field(default_factory=dict)
    posts: list[dict[str, Any]] = field(default_factory=list)
    api: dict[str, Any] = field(default_factory=dict)
    tunnels: set[str] = field(default_factory=set)
    log: str = ""

    def ours(self) -> list[str]:
        """Messages of the strategy, as they were sent."""
        return [message.raw for message in self.telegram if is_ours(message.raw)]


def is_ours(text: str) -> bool:
    return text.startswith(("LiqTrend: ", f"`{BTC}`", f"`{ETH}`"))


def config_of(sim: Simulator, base: Path, hook: Receiver) -> dict[str, Any]:
    """As the example has it, but for addresses and credentials."""
    example = load_config_file(str(ROOT / "config.json.example"))
    return bot_config(sim, base, max_staleness_s=65) | {
        "timeframe": "1m",
        "order_types": example["order_types"] | {"stoploss_on_exchange_interval": 1},
        "telegram": example["telegram"] | {"enabled": True, "token": TOKEN, "chat_id": str(CHAT)},
        "webhook": example["webhook"]
        | {
            "enabled": True,
            "url": hook.url,
            "entry": {"text": "entry {pair} {enter_tag}"},
            "exit": {"text": "exit {pair} {exit_reason}"},
        },
        "api_server": example["api_server"]
        | {
            "enabled": True,
            "listen_port": free_port(),
            "password": "stand-in",
            "jwt_secret_key": "stand-in" * 4,
            "ws_token": "stand-in",
        },
    }


def act(run: BotRun, sim: Simulator, store: Store, telegram: FakeTelegram, config: Any) -> None:
    """A wave, an entry, a stop, a budget that is spent, commands, and data that goes stale."""
    until(lambda: telegram.having("has not settled a minute yet"), 60)
    close_ms = fresh_minute(30)
    rows = [stored("BTC", close_ms, 9, 0.98), stored("ETH", close_ms, 4.5, 0.02)]
    store.settle(close_ms, rows)
    judge(store, close_ms, "BTC", "SHORT", judge="stand-in@v1", action_reason=HOSTILE)
    judge(store, close_ms, "ETH", "LONG", action_reason="a moderate wave that price follows")
    until(lambda: telegram.having("New Trade") and telegram.having("wave LONG"), 20)
    store.settle(close_ms, rows, judge=SPENT)
    until(lambda: telegram.having("budget is spent"), 20)
    run.api |= {
        "plot_config": ask(config, "plot_config"),
        "candles": ask(config, "pair_candles", pair=BTC, timeframe="1m", limit=50),
    }
    time.sleep(2.5)  # the stop is placed on the exchange
    sim.set_price("BTCUSDT", to_pct=6)
    until(lambda: telegram.having("closed: "), 20)
    run.api["custom_data"] = ask(config, "trades/1/custom-data")
    for command, part in (
        ("/entries", "Entry Tag Performance"),
        ("/exits", "Exit Reason Performance"),
        ("/list_custom_data 1", "liq_exit"),
        ("/list_custom_data 1 liq_verdict", "custom-data entry: "),
    ):
        before = len(telegram.sent)
        telegram.say(command)
        until(lambda part=part: telegram.having(part), 15)  # type: ignore[misc]
        run.answers[command] = [message.text for message in telegram.sent[before:]]

    # Nobody settles any more minutes, until somebody does.
    until(lambda: telegram.having("max_staleness_s"), 75)
    store.settle(now_minute(), [])
    until(lambda: telegram.having("possible again"), 15)
    time.sleep(2.5)  # for whatever would be said twice


def now_minute() -> int:
    now_ms = time.time_ns() // 1_000_000
    return now_ms - now_ms % 60_000


def ask(config: dict[str, Any], path: str, **parameters: Any) -> Any:
    """What FreqUI asks the bot."""
    server = config["api_server"]
    answer = requests.get(
        f"http://127.0.0.1:{server['listen_port']}/api/v1/{path}",
        params=parameters,
        auth=(server["username"], server["password"]),
        timeout=60,
    )
    answer.raise_for_status()
    return answer.json()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Iterator[BotRun]:
    base = tmp_path_factory.mktemp("messages")
    run = BotRun()
    store = open_store(base)
    with (
        simulator() as sim,
        in_thread(FakeTelegram(base)) as telegram,
        in_thread(Receiver()) as hook,
    ):
        config = config_of(sim, base, hook)
        (base / "config.json").write_text(json.dumps(config))
        command = ["trade", "-c", str(base / "config.json"), "--userdir", str(base / "user_data")]
        with pytest.MonkeyPatch.context() as patch:
            patch.delenv("PYTEST_VERSION", raising=False)  # Freqtrade would log otherwise
            bot = Child(
                "freqtrade",
                python_module("freqtrade", *command),
                base / "log",
                telegram.environment,
            )
        try:
            act(run, sim, store, telegram, config)
        except AssertionError:
            print((base / "log").read_text()[-6_000:])
            print([message.raw for message in telegram.sent], telegram.refused)
            raise
        finally:
            bot.stop()
            store.close()
        run.telegram, run.refused = list(telegram.sent), list(telegram.refused)
        run.posts, run.tunnels = list(hook.posts), set(telegram.tunnels)
        assert telegram.unknown == []
    run.log = (base / "log").read_text()
    with closing(sqlite3.connect(base / "trades.sqlite")) as database:
        assert database.execute("select count(*) from trades").fetchone() == (1,)
    yield run


def once(texts: list[str], *parts: str) -> str:
    """:return: the only text that has all parts"""
    (text,) = [text for text in texts if all(part in text for part in parts)]
    return text


def test_telegram_is_asked_and_nobody_else(run: BotRun) -> None:
    assert run.tunnels == {"api.telegram.org:443"}
    assert run.refused == []
    assert "TelegramError" not in run.log
    assert "Traceback" not in without_torn_session(run.log)


def test_each_thing_is_said_once_and_briefly(run: BotRun) -> None:
    ours = run.ours()
    assert len(ours) == len(set(ours)) == 8, ours
    assert all(len(text) <= LIMIT for text in ours)
    once(ours, "LiqTrend: no entries, `the sidecar has not settled a minute yet`. ")
    once(ours, "LiqTrend: entries are possible.")
    once(ours, "max_staleness_s", "Stops and exits go on.")
    once(ours, "possible again")
    once(ours, "llm.budget.calls_per_day", "2,000 of 2,000")


def test_a_wave_is_told_with_its_verdict_and_a_hostile_reason_is_only_text(run: BotRun) -> None:
    text = once(run.ours(), "wave SHORT")
    head = f"`{BTC}`: strong wave SHORT, z 9.0, purity 98%, $1,000,000: enter (medium), `"
    assert text.startswith(head)
    assert text.endswith("…`")
    assert text.count("`") == 4
    assert once(run.ours(), "wave LONG") == (
        f"`{ETH}`: medium wave LONG, z 4.5, purity 98%, $1,000,000: skip: "
        "`confidence low is below min_confidence medium`, `a moderate wave that price follows`"
    )


def test_freqtrade_tells_the_trade_and_liqtrend_which_stop_it_was(run: BotRun) -> None:
    texts = [message.text for message in run.telegram]
    once(texts, "New Trade (#1)", BTC, "Enter Tag: liq_short_strong_medium")
    once(texts, "Exited", BTC, "Exit Reason: stoploss_on_exchange")
    closed = once(run.ours(), "closed: ")
    assert closed.startswith(f"`{BTC}` #1 closed: fallback stop at ")
    assert ", 2% against the entry at " in closed


def test_commands_are_answered_with_our_tags_and_data(run: BotRun) -> None:
    entries, exits = run.answers["/entries"], run.answers["/exits"]
    assert any("liq_short_strong_medium" in text and "(1)" in text for text in entries)
    assert any("stoploss_on_exchange" in text and "(1)" in text for text in exits)
    data = "\n".join(run.answers["/list_custom_data 1"])
    for key, value in custom_data(run).items():
        assert f"Key: {key}\n" in data
        assert f"Value: {value}\n" in data
    first = run.answers["/list_custom_data 1 liq_verdict"][0]
    assert first == "Found custom-data entry: "


def custom_data(run: BotRun) -> dict[str, Any]:
    (trade,) = run.api["custom_data"]
    return {item["key"]: item["value"] for item in trade["custom_data"]}


def test_a_trade_carries_its_reasons(run: BotRun) -> None:
    kept = custom_data(run)
    expected = {
        "liq_direction": "SHORT",
        "liq_strength": "strong",
        "liq_z": 9.0,
        "liq_purity": 0.98,
        "liq_judge": "stand-in@v1",
        "liq_verdict": "enter (medium)",
    }
    assert {key: kept[key] for key in expected} == expected
    assert kept["liq_reason"].startswith("_so_ *buy* [coins]")
    assert "`" not in kept["liq_reason"]
    assert kept["liq_exit"].startswith("fallback stop at ")


def test_webhooks_get_the_same(run: BotRun) -> None:
    texts = [post["text"] for post in run.posts]
    for text in run.ours():
        assert texts.count(text) == 1, text
    assert texts.count(f"entry {BTC} liq_short_strong_medium") == 1
    once(texts, f"{BTC} Short #1 entered at ", "(liq_short_strong_medium)")
    once(texts, f"{BTC} Short #1 closed at ", "stoploss_on_exchange")


def test_frequi_is_given_the_columns_and_the_waves(run: BotRun) -> None:
    assert run.api["plot_config"] == PLOT_CONFIG
    candles = run.api["candles"]
    drawn = {name for plot in PLOT_CONFIG["subplots"].values() for name in plot}
    assert drawn <= set(candles["columns"])
    newest = dict(zip(candles["columns"], candles["data"][-1], strict=True))
    assert (newest["liq_z"], newest["liq_z_threshold"], newest["liq_z_strong"]) == (9.0, 3.0, 5.0)
    assert (newest["liq_wave_side"], newest["liq_verdict_side"]) == (-2, -2)
    (area,) = candles["annotations"]
    assert area["type"] == "area"
    assert area["label"] == "strong SHORT\nz 9.0, 98%\nenter (medium)"
