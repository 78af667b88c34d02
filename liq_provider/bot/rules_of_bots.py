"""Whose rules are in force: those that a bot tells, else what the configuration would have."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Any

from liq_provider.bot.window_choices import CONFIGURED, settings_with
from liq_provider.config.measuring import feature_params_of
from liq_provider.config.parameter_file import OF_RULES, OF_STOPS, ParameterFile
from liq_provider.config.settings import Settings
from liq_provider.errors import SettingsError
from liq_provider.judge.decisions import Rules
from liq_provider.judge.gate_list import NAMES, DecisionStory
from liq_provider.judge.rules_in_force import RulesInForce

# In what a bot tells of itself, see ``SidecarFiles.beat``: its rules, and which of its own gates
# kept it from an entry.
TOLD = "rules"
REFUSALS = "refusals"

Refusal = tuple[str, str]
"""Name of a gate, and its words."""


def rules_from(values: Mapping[str, Any], settings: Settings) -> Rules:
    """
    :param values: by name, perhaps from a parameter file or hyperopt; what is not there is
        configured
    :return: the decision rules in force; hyperopt may put strong below medium
    """
    settings = settings_with(settings, values.get("windows", CONFIGURED))
    chosen = settings.model_copy(update={name: values[name] for name in OF_RULES if name in values})
    strong = {
        "z_strong": max(chosen.z_strong, chosen.z_threshold),
        "purity_strong": max(chosen.purity_strong, chosen.purity_threshold),
    }
    return Rules.of(chosen.model_copy(update=strong))


def in_force_of(
    settings: Settings,
    values: Mapping[str, Any],
    timeframe_ms: int,
    whitelist: Collection[str] | None,
    owner: str,
) -> RulesInForce:
    """
    :param values: see ``rules_from``
    :raises SettingsError: its windows cannot be used
    """
    windows = feature_params_of(settings_with(settings, values.get("windows", CONFIGURED)))
    listed = None if whitelist is None else frozenset(whitelist)
    return RulesInForce(rules_from(values, settings), windows, timeframe_ms, listed, owner)


def in_force_now(
    bots: Sequence[Mapping[str, Any]],
    settings: Settings,
    timeframe_ms: int,
    parameters: Callable[[], ParameterFile | None] = lambda: None,
    whitelist: Collection[str] | None = None,
) -> RulesInForce:
    """
    :param bots: what those that are there told of themselves
    :param settings: the configuration's; they stand in where no bot is there, or several differ
    :param parameters: reads those that Freqtrade would load, likewise
    :param whitelist: likewise
    """
    told = [known for _, known in _telling(bots, settings, timeframe_ms)]
    if told and all(one.alike(told[0]) for one in told):
        return _joined(told)
    why = f"{len(told)} bots with different rules are there" if told else "no bot is there"
    file = parameters()
    values: Mapping[str, Any] = {} if file is None else file.values
    source = "the configuration" if file is None else file.source
    return in_force_of(settings, values, timeframe_ms, whitelist, f"{source} ({why})")


def stops_in_force(
    bots: Sequence[Mapping[str, Any]],
    settings: Settings,
    timeframe_ms: int,
    parameters: Callable[[], ParameterFile | None] = lambda: None,
) -> dict[str, float]:
    """
    :return: distances of the stops by name, by the same order of precedence as ``in_force_now``: of
        bots that tell no rules, as they trade without LiqTrend's, nothing is taken
    """
    told = [
        _stops(bot.get("parameters") or {}, settings)
        for bot, _ in _telling(bots, settings, timeframe_ms)
    ]
    if told and all(one == told[0] for one in told):
        return told[0]
    file = parameters()
    return _stops({} if file is None else file.values, settings)


def _stops(values: Mapping[str, Any], settings: Settings) -> dict[str, float]:
    return {name: values.get(name, getattr(settings, name)) for name in OF_STOPS}


def as_the_bot_did(
    story: DecisionStory, pair: str, refusals: Mapping[tuple[str, int], Refusal]
) -> DecisionStory:
    """
    :param refusals: what a bot says of its own gates, see ``refusals_of``
    :return: the story of a candle; what the store lets in, its bot may have kept out
    """
    refusal = refusals.get((pair, story.close_ms))
    return story if refusal is None or not story.enters else story.but(*refusal)


def refusals_of(bots: Sequence[Mapping[str, Any]]) -> dict[tuple[str, int], Refusal]:
    """
    :return: by pair and close of a candle; nothing where several bots may have done otherwise, and
        nothing of a gate that is not known here
    """
    if len(bots) != 1:
        return {}
    try:
        return {
            (str(pair), int(close_ms)): (str(gate), str(words))
            for pair, close_ms, gate, words in bots[0].get(REFUSALS, ())
            if gate in NAMES
        }
    except (TypeError, ValueError):
        return {}  # of another version


def _telling(
    bots: Sequence[Mapping[str, Any]], settings: Settings, timeframe_ms: int
) -> list[tuple[Mapping[str, Any], RulesInForce]]:
    """Those that tell their rules, with them."""
    told = ((bot, _told(bot, settings, timeframe_ms)) for bot in bots)
    return [(bot, known) for bot, known in told if known is not None]


def _told(bot: Mapping[str, Any], settings: Settings, timeframe_ms: int) -> RulesInForce | None:
    owner = f"the bot {bot['name']}" if bot.get("name") else "the bot"
    if TOLD in bot:
        return RulesInForce.of_told(bot[TOLD], owner)
    if not bot.get("parameters"):
        return None
    try:
        # Older ones tell their parameters alone.
        return in_force_of(settings, bot["parameters"], timeframe_ms, None, owner)
    except (SettingsError, TypeError, KeyError):
        return None


def _joined(told: Sequence[RulesInForce]) -> RulesInForce:
    """A pair that one of the bots trades is traded."""
    owners = " and ".join(dict.fromkeys(one.owner for one in told))
    lists = [one.whitelist for one in told if one.whitelist is not None]
    whitelist = frozenset().union(*lists) if len(lists) == len(told) else None
    first = told[0]
    return RulesInForce(first.rules, first.windows, first.timeframe_ms, whitelist, owners)
