"""``judge``: what the model is, or would have been, asked about one minute of one pair."""

import argparse
import asyncio
import json
from collections.abc import Sequence
from typing import Any

from liq_provider.commands.explain import candles_of
from liq_provider.commands.support.context import (
    Context,
    context_of,
    pair_of,
    past_minute,
    show_time,
)
from liq_provider.commands.support.rules_for_commands import rules_in_force, timeframe_word
from liq_provider.config.measuring import feature_params_of, floor_of
from liq_provider.core.arrays import FloatArray
from liq_provider.core.candle_columns import closes
from liq_provider.core.clock import machine_ms
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.core.durations import HOUR_MS, MINUTE_MS
from liq_provider.errors import UsageError
from liq_provider.exchange.bot_exchange import last_close_ms, timeframe_ms
from liq_provider.judge import prompt
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.verdict import Facts
from liq_provider.judge.wave_facts import make_facts
from liq_provider.measure.minute_results import NewestMinutes
from liq_provider.news.desk import NOT_ASKED, NewsSet, set_key
from liq_provider.news.headline import NewsItem
from liq_provider.store.known_coins import coin_of
from liq_provider.store.minute_features import compute
from liq_provider.store.reader import Reader


def judge(arguments: argparse.Namespace) -> int:
    """
    Print the prompt (``--dry``), or also ask now. Nothing is stored: an answer of today about
    the past knows what came after, and must reach no backtest.
    """
    context = context_of(arguments)
    reader = context.minutes()
    close_ms = past_minute(arguments.at, "--at")
    asked = _asked(context, reader, arguments.pair, close_ms) if arguments.dry else None
    if asked is not None:
        print(
            f"As {asked['judge']} was asked at {show_time(asked['asked_ms'])} UTC; "
            f"outcome: {asked['outcome']}\n"
        )
        sent = json.loads(asked["prompt"])
        _print(sent)
        given = {headline["title"] for headline in prompt.news_in(sent) or ()}
        known = _on_record(context, reader, asked["base_asset"], close_ms)
        _print_sources(context, [headline for headline in known if headline.title in given])
        return 0
    timeframe = timeframe_word(rules_in_force(context, reader).timeframe_ms)
    facts, candles = _facts(context, reader, arguments.pair, close_ms, timeframe)
    news = _news(context, reader, facts.base_asset, close_ms)
    if arguments.dry:
        print("No question about this minute is on record; this is what one would be.\n")
        _print(prompt.messages(facts, candles, timeframe, news, close_ms))
        _print_sources(context, news.items)
        return 0
    call, answer = asyncio.run(_ask(context, timeframe, facts, candles, news))
    print(json.dumps({name: call[name] for name in call if name != "prompt"}, indent=1))
    said = answer.verdict(facts, call["judge"], machine_ms(), 0)
    print(f"{said.action.value} ({said.confidence.word}), news {said.news.value}")
    print("\n".join(f"guard: {change}" for change in said.guard))
    print("Not stored: an answer of today about the past knows what came after.")
    return 0


def _print(messages: prompt.Messages) -> None:
    for message in messages:
        print(f"--- {message['role']}\n{message['content']}\n")


def _asked(context: Context, reader: Reader, pair: str, close_ms: int) -> dict[str, Any] | None:
    """The last question that was asked about the minute, while it ran or after its close."""
    base = base_asset_of_pair(pair_of(pair))
    expires_at = close_ms + context.settings.verdict_life_ms
    calls = [
        call
        for call in reader.model_calls(close_ms - MINUTE_MS, expires_at)
        if (call["base_asset"], call["close_ms"]) == (base, close_ms) and call["requests"]
    ]
    return calls[-1] if calls else None


def _facts(
    context: Context, reader: Reader, pair: str, close_ms: int, timeframe: str
) -> tuple[Facts, FloatArray]:
    settings = context.settings
    base = coin_of(reader, settings.venues.enabled, pair)
    params = feature_params_of(settings)
    computed = compute(reader, [base], settings.venues.enabled, params, close_ms, close_ms)
    waves = NewestMinutes(computed).anomalies(floor_of(settings))
    if not waves:
        raise UsageError(
            f"{pair} has no wave above the judge's floor at {show_time(close_ms)} UTC; "
            "`liq-provider explain` shows why"
        )
    # As the sidecar asks for them: those that ended by then, also in the middle of a candle.
    candle_ms = last_close_ms(close_ms, timeframe_ms(timeframe))
    candles, note = candles_of(context, pair, candle_ms, timeframe)
    if note:
        print(note)
    facts = make_facts(waves[0], pair, closes(candles), settings.trend_candles, settings.trend_k)
    return facts, candles


def _news(context: Context, reader: Reader, base_asset: str, close_ms: int) -> NewsSet:
    """Headlines that were on record at that time."""
    settings = context.settings.news
    if settings.provider == "none":
        return NOT_ASKED
    items = _on_record(context, reader, base_asset, close_ms)[: settings.max_items]
    return NewsSet(tuple(items), set_key(items), min_sources=settings.min_sources)


def _on_record(context: Context, reader: Reader, base_asset: str, close_ms: int) -> list[NewsItem]:
    """What a verdict on that minute could be based on: it may be made until it would expire."""
    from_ms = close_ms - round(context.settings.news.max_age_hours * HOUR_MS)
    until_ms = close_ms + context.settings.verdict_life_ms
    return [
        NewsItem(
            *(row["item_id"], row["title"], row["source"], row["summary"], row["published_ms"]),
            row["origins"] or "",
        )
        for row in reader.news(base_asset, from_ms, until_ms)
    ]


def _print_sources(context: Context, items: Sequence[NewsItem]) -> None:
    """Whether that news may support, which no word of it decides."""
    least = context.settings.news.min_sources
    news = NewsSet(tuple(items), set_key(items), min_sources=least)
    then = "" if news.uncarried is None else "; if it supports, it counts as none"
    print(
        f"News: {len(items)} headlines of {news.sources} independent sources, "
        f"news.min_sources is {least}{then}"
    )


async def _ask(
    context: Context, timeframe: str, facts: Facts, candles: FloatArray, news: NewsSet
) -> tuple[dict[str, Any], GuardedAnswer]:
    calls: list[dict[str, Any]] = []

    async def keep(row: dict[str, Any]) -> None:
        calls.append(row)

    model = ModelJudge(context.settings.llm, timeframe, machine_ms, keep)
    model.prepare()
    try:
        answer = await model.judge(facts, candles, news)
    finally:
        await model.close()
    return calls[0], answer
