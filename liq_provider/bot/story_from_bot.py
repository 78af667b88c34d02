"""The story of a pair's candle, as the bot decides it."""

from liq_provider.bot.engine import Engine
from liq_provider.bot.window_choices import settings_with
from liq_provider.config.measuring import feature_params_of
from liq_provider.judge.bot_gates import Standing
from liq_provider.judge.decisions import Rules
from liq_provider.judge.gate_list import DecisionStory
from liq_provider.judge.gates import tell, undecided
from liq_provider.judge.rules_in_force import RulesInForce
from liq_provider.judge.verdict_of_candle import verdict_of_candle


def story_of(
    engine: Engine, pair: str, close_ms: int, standing: Standing | None = None
) -> DecisionStory:
    """
    :param close_ms: of the candle
    :param standing: what is known beside the decision; nothing, if it is not asked for
    """
    standing = standing or Standing()
    decided = engine.decision(pair, close_ms)
    if decided is None:
        return undecided(in_force_of_pair(engine, pair), standing)
    decisions, row = decided
    in_force = in_force_of_pair(engine, pair)
    said = verdict_of_candle(decisions, row, engine.pairs[pair].verdicts, in_force.rules)
    return tell(decisions, row, in_force, engine.mode, said, standing=standing)


def in_force_of_pair(engine: Engine, pair: str) -> RulesInForce:
    """:return: the rules that a pair's decisions were made by"""
    state, settings = engine.pairs.get(pair), engine.settings
    rules = None if state is None else state.rules
    if state is not None:
        settings = settings_with(settings, state.windows)
    return RulesInForce(
        rules or Rules.of(settings),
        feature_params_of(settings),
        engine.timeframe_ms,
        engine.whitelist,
        "this bot",
    )
