"""``verdicts``: what was judged, with what the judge was asked and what it answered."""

import argparse
import csv
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from liq_provider.commands.support.context import (
    context_of,
    pair_of,
    parse_time,
    show_time,
    tell_mark,
)
from liq_provider.config.simulated_marks import is_stand_in
from liq_provider.core.clock import machine_ms
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import DAY_MS
from liq_provider.store.reader import Reader

_STAND_IN = "Judged by a STAND-IN, not an AI: its words, calls and tokens are made up."
_FORMULA = ("=", "+", "-", "@", "\t", "\r")
_CALL = ("outcome", "latency_ms", "requests", "prompt_tokens", "answer_tokens", "cost_usd")
_COLUMNS = (
    *("available_at", "symbol", "direction", "wave_start_ms", "close_ms", "expires_at"),
    *("strength", "aligned", "news", "judge", "action", "confidence", "downgrade"),
    *("liq_note", "trend_note", "news_note", "action_reason", "guard", "call_id"),
)


def verdicts(arguments: argparse.Namespace) -> int:
    """List verdicts of the last day, or of a span, newest last; ``--calls`` lists questions."""
    context = context_of(arguments)
    reader = context.reader()
    to_ms = parse_time(arguments.to_time, "--to") if arguments.to_time else machine_ms()
    from_ms = parse_time(arguments.from_time, "--from") if arguments.from_time else to_ms - DAY_MS
    coin = base_asset_of_pair(pair_of(arguments.pair)) if arguments.pair else None
    rows = list(
        _calls(reader, coin, from_ms, to_ms)
        if arguments.calls
        else _verdicts(reader, coin, from_ms, to_ms)
    )
    if rows:
        tell_mark(reader, context.settings, from_ms, to_ms)
        if any(row["stand_in"] for row in rows):
            print(_STAND_IN, file=sys.stderr)
    if arguments.format == "json":
        print(json.dumps(rows, indent=1))
    elif arguments.format == "csv":
        _write_csv(rows)
    elif rows:
        (_print_calls if arguments.calls else _print)(rows)
    else:
        print(f"None between {show_time(from_ms)} and {show_time(to_ms)} UTC.")
    return 0


def _verdicts(
    reader: Reader, coin: str | None, from_ms: int, to_ms: int
) -> Iterator[dict[str, Any]]:
    calls = {row["call_id"]: row for row in reader.model_calls(from_ms - DAY_MS, to_ms)}
    for row in reader.verdicts(from_ms, to_ms, None if coin is None else [coin]):
        if row["available_at"] < from_ms:
            continue
        inputs = json.loads(row["inputs"])
        call_id = inputs.pop("call_id", None)
        known = {name: row.get(name) for name in _COLUMNS}
        known["stand_in"] = is_stand_in(row["judge"])
        known |= {"guard": json.loads(row["guard"]), "call_id": call_id}
        call = calls.get(call_id or "", {})
        yield known | {name: call.get(name) for name in _CALL} | {"inputs": inputs}


def _calls(reader: Reader, coin: str | None, from_ms: int, to_ms: int) -> Iterator[dict[str, Any]]:
    for row in reader.model_calls(from_ms, to_ms):
        if coin in (None, row["base_asset"]):
            stand_in = is_stand_in(row["judge"])
            yield row | {"prompt": json.loads(row["prompt"]), "stand_in": stand_in}


def _write_csv(rows: Sequence[Mapping[str, Any]]) -> None:
    if rows:
        writer = csv.DictWriter(sys.stdout, list(rows[0]))
        writer.writeheader()
        for row in rows:
            writer.writerow({name: _cell(value) for name, value in row.items()})


def _cell(value: Any) -> Any:
    """A spreadsheet must not take what a model wrote for a formula."""
    if isinstance(value, list | dict):
        return json.dumps(value)
    return f"'{value}" if isinstance(value, str) and value.startswith(_FORMULA) else value


def _print(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("UTC", "pair", "side", "wave", "candles", "news", "verdict", "judge", "why"):
        table.add_column(title)
    for row in rows:
        changed = f" [guard: {'; '.join(row['guard'])}]" if row["guard"] else ""
        table.add_row(
            *map(
                Text,
                (
                    show_time(row["available_at"]),
                    row["symbol"],
                    row["direction"],
                    row["strength"],
                    "agree" if row["aligned"] == "yes" else row["aligned"],
                    row["news"],
                    f"{row['action']} ({row['confidence']})",
                    row["judge"],
                    row["action_reason"] + changed,
                ),
            )
        )
    Console().print(table)


def _print_calls(rows: Sequence[Mapping[str, Any]]) -> None:
    table = Table(box=None, pad_edge=False)
    for title in ("UTC", "pair", "side", "judge", "outcome", "ms", "tokens", "USD", "detail"):
        table.add_column(title)
    for row in rows:
        cost = row["cost_usd"]
        table.add_row(
            *map(
                Text,
                (
                    show_time(row["asked_ms"]),
                    row["symbol"],
                    row["direction"],
                    row["judge"],
                    row["outcome"],
                    str(row["latency_ms"]),
                    str(row["charged_tokens"]),
                    "?" if cost is None else f"{cost:.5f}",
                    row["detail"],
                ),
            )
        )
    Console().print(table)
