"""``explain``: why a pair was entered, or was not."""

import argparse
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from liq_provider.bot.rules_of_bots import as_the_bot_did, refusals_of
from liq_provider.bot.snapshot import Snapshot
from liq_provider.commands.support.bots_there import bots_there
from liq_provider.commands.support.context import (
    Context,
    context_of,
    past_minute,
    show_time,
    stored_span,
    tell_mark,
)
from liq_provider.commands.support.rules_for_commands import rules_in_force, timeframe_word
from liq_provider.config.settings import Settings
from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import closes, no_candles
from liq_provider.core.clock import machine_ms
from liq_provider.core.durations import MINUTE_MS
from liq_provider.core.liquidation import minute_of
from liq_provider.judge.bot_gates import NOT_LISTED, Standing
from liq_provider.judge.gate_list import DecisionStory
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.story_from_store import HISTORY_CANDLES
from liq_provider.judge.story_from_store import explain as explain_decision
from liq_provider.store.known_coins import known_coin
from liq_provider.store.reader import Reader

_MARKS = {True: ("passed", "green"), False: ("FAILED", "red"), None: ("-", "dim")}
_NOT_LISTED = f"The pair is {NOT_LISTED}; whether it was then is not known."


def explain(arguments: argparse.Namespace) -> int:
    """Print the gates in the order in which they are asked; the first that failed decides."""
    context = context_of(arguments)
    states = context.reader().states(["computed_ms", "sidecar"])
    computed_ms = int(states.get("computed_ms") or 0)
    # Without --at the question is what the bot sees now, and it needs a recorded verdict.
    now = arguments.at is None and computed_ms > 0
    settings = context.settings
    if now:
        # A bot that trades sees minutes, whatever its backtests are made of.
        settings = settings.model_copy(update={"backtest_source": "minutes"})
    reader = context.minutes(settings.backtest_source)
    base_asset = known_coin(reader, settings, arguments.pair)
    in_force = rules_in_force(context, reader)
    step_ms = in_force.timeframe_ms
    close_ms = _moment(arguments.at, reader, settings, base_asset, computed_ms) // step_ms * step_ms
    listed = in_force.lists(arguments.pair)
    candles, note = candles_of(context, arguments.pair, close_ms, timeframe_word(step_ms))
    explained = explain_decision(
        reader,
        settings,
        in_force,
        base_asset,
        close_ms,
        closes(candles),
        "live" if now else settings.backtest_verdicts,
        Standing(
            # Today's whitelist says nothing of what a bot did before.
            listed=listed if now else None,
            troubles=_troubles(states, computed_ms, settings) if now else None,
        ),
    )
    # What its own gates came to, only the bot knows.
    refusals = refusals_of(bots_there(context, reader))
    story = as_the_bot_did(explained.story, arguments.pair, refusals)
    failed = story.failed
    call = None if explained.call_id is None else reader.model_call(explained.call_id)
    # A bot had candles; that there are none here says nothing of what it did.
    untold = note is not None and failed is not None and failed.name == "trend"
    span_ms = settings.segment_min * MINUTE_MS
    mark = None
    if settings.backtest_source == "minutes":
        # A vendor's bars come from an exchange whatever else is stored.
        mark = tell_mark(reader, settings, close_ms - span_ms, close_ms)
    if arguments.json:
        answer = {
            "pair": arguments.pair,
            "simulated": mark,
            "close": show_time(close_ms),
            "entry": None if untold else story.enters,
            "words": None if untold else story.words,
            "listed_now": listed,
            "rules": {"of": in_force.owner, **in_force.as_told()},
        }
        question = None if call is None else call | {"prompt": json.loads(call["prompt"])}
        gate_rows = [asdict(gate) for gate in story.gates]
        print(json.dumps(answer | {"gates": gate_rows, "question": question}))
    else:
        notes = [note, _NOT_LISTED if listed is False and not now else None]
        _print(arguments.pair, close_ms, in_force, story, notes, untold)
        if call is not None:
            _print_call(call)
    return 0


def _moment(
    at: str | None, reader: Reader, settings: Settings, base_asset: str, computed_ms: int
) -> int:
    if at is not None:
        return past_minute(at, "--at")
    if settings.backtest_source != "minutes":
        return (reader.bar_span(settings.backtest_source, base_asset) or (0, 0))[1]
    return computed_ms or minute_of(stored_span(reader)[1]) + MINUTE_MS


def _troubles(
    states: Mapping[str, Any], computed_ms: int, settings: Settings
) -> dict[str, str | None]:
    snapshot = Snapshot(computed_ms, 0, states.get("sidecar") or {})
    return snapshot.troubles(machine_ms(), settings)


def candles_of(
    context: Context, pair: str, close_ms: int, timeframe: str
) -> tuple[FloatArray, str | None]:
    """:return: closed candles up to a time, and why there are none"""
    from ccxt.base.errors import BaseError

    from liq_provider.exchange.bot_exchange import BotExchange

    exchange = context.config.get("exchange") or {}
    if not exchange.get("name"):
        return no_candles(), "No candles: no configuration names an exchange (--config)."
    try:
        asked = BotExchange(exchange["name"], exchange.get("ccxt_config"))
        count = HISTORY_CANDLES + context.settings.trend_candles
        newest_ms, candles = asked.closed(pair, timeframe, count, close_ms)
    except BaseError as error:
        return no_candles(), f"No candles: {error}"
    if newest_ms != close_ms:
        return no_candles(), "No candles: the exchange has none that close at that time."
    return candles, None


def _print(
    pair: str,
    close_ms: int,
    in_force: RulesInForce,
    story: DecisionStory,
    notes: Sequence[str | None],
    untold: bool,
) -> None:
    console = Console()
    console.print(f"{pair} at the close of {show_time(close_ms)} UTC", markup=False)
    said = f"Rules of {in_force.owner}; candles of {timeframe_word(in_force.timeframe_ms)}"
    console.print(said, markup=False, soft_wrap=True)
    table = Table(box=None, pad_edge=False)
    for title in ("gate", "", "measured", "needed"):
        table.add_column(title)
    for gate in story.gates:
        word, style = _MARKS[gate.passed]
        table.add_row(gate.name, Text(word, style), Text(gate.measured), Text(gate.needed))
    console.print(table)
    for note in filter(None, notes):
        console.print(note, markup=False)
    if untold:
        console.print("Whether it was an entry cannot be told without candles.", style="yellow")
    elif story.enters:
        console.print(f"{story.words}: no gate failed that is known here.", style="green")
    else:
        console.print(f"No entry, {story.words}", style="yellow", markup=False)


def _print_call(call: Mapping[str, Any]) -> None:
    """The question to the model that the verdict came from; its instructions are in --json."""
    console = Console(soft_wrap=True, markup=False, highlight=False)
    tokens = "not told"
    if call["prompt_tokens"] is not None:
        tokens = f"{call['prompt_tokens']} + {call['answer_tokens']}"
    if is_stand_in(call["judge"]):
        tokens += " (made up: a STAND-IN, not an AI)"
    cost = (
        "not known (llm.price_in_usd is not set)"
        if call["cost_usd"] is None
        else f"${call['cost_usd']:.6f}"
    )
    console.print(
        f"\nQuestion to {call['judge']} at {show_time(call['asked_ms'])} UTC: "
        f"{' '.join((call['outcome'], call['detail'])).strip()}, {call['latency_ms']:,} ms, "
        f"{call['requests']} request(s), tokens {tokens}, cost {cost}"
    )
    console.print(json.loads(call["prompt"])[-1]["content"])
    console.print("Its answer, as it came:")
    # A terminal obeys some characters.
    answer = "".join(c if c.isprintable() or c in "\n\t" else "\ufffd" for c in call["answer"])
    console.print(answer or "(none)")
