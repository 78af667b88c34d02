"""What a live bot does in every loop besides deciding: look, keep the sidecar, say changes."""

import logging
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from typing import Any

from liq_provider.bot.book import Book
from liq_provider.bot.budget_and_loss_notices import BudgetAndLossNotices
from liq_provider.bot.checks import check_served, other_sidecar_settings, stop_problems
from liq_provider.bot.engine import Engine
from liq_provider.bot.feed_and_entry_notices import FeedAndEntryNotices
from liq_provider.bot.last_look import announced
from liq_provider.bot.late_coins import LateCoins
from liq_provider.bot.messages import LIMIT, Message, code, plain_or_code
from liq_provider.bot.missed_waves import MissedWaves, messages_of
from liq_provider.bot.order_filled import filled
from liq_provider.bot.position import liquidated_first
from liq_provider.bot.rules_of_bots import REFUSALS, TOLD, Refusal, in_force_of
from liq_provider.bot.sidecar_keeper import SidecarWatch
from liq_provider.bot.snapshot import READING
from liq_provider.bot.source import LiveSource
from liq_provider.bot.stops import StopRules
from liq_provider.bot.wave_notices import WaveNotices
from liq_provider.bot.window_choices import CONFIGURED, settings_with
from liq_provider.config.measuring import windows_of
from liq_provider.config.pair_list_file import HOLDS, READS, STAKE
from liq_provider.config.settings import Settings
from liq_provider.core.coins import base_asset_of_pair
from liq_provider.errors import SettingsError
from liq_provider.exchange.candle_sum import CANDLES
from liq_provider.judge.decisions import Rules
from liq_provider.judge.gate_list import OF_WAVE, DecisionStory

logger = logging.getLogger(__name__)

# Of the last entries that it refused, so many are told.
_REFUSALS = 40


class LiveLoop:
    """
    :param watch: keeps the sidecar
    :param stoploss: Freqtrade's own, of the strategy
    :param told: what the dashboard is told about the bot, beside its parameters
    """

    def __init__(
        self,
        engine: Engine,
        watch: SidecarWatch,
        stoploss: float,
        told: Mapping[str, Any] | None = None,
    ) -> None:
        self.engine = engine
        self.watch = watch
        self._stoploss = stoploss
        self._told: dict[str, Any] = dict(told or {})
        # Its pairs come and go by the minute, see ``pair_file``; it trades all that there are.
        self._market = self._told.get(READS) is True
        self._waves = WaveNotices(engine.settings.messages)
        self._losses = BudgetAndLossNotices(engine.settings.messages)
        self._ready = FeedAndEntryNotices(engine.settings)
        self._missed = MissedWaves(self._market)
        self._late = LateCoins()
        self._compared = False
        self._other: list[str] = []
        self._looked_up: set[str] = set()
        self._too_far: set[str] = set()
        self._hopeless = False
        self._refusals: dict[tuple[str, int], Refusal] = {}

    def begin(
        self,
        now_ms: int,
        pairs: Sequence[str],
        parameters: Mapping[str, Any],
        held: Callable[[], Collection[str]] = frozenset,
    ) -> list[Message]:
        """
        One loop, before anything is decided. A part that fails leaves the others alone.

        :param pairs: the whitelist
        :param parameters: the strategy's own values by name, perhaps from a parameter file
        :param held: gives the pairs with a position
        :return: what changed
        """
        self.engine.whitelist = frozenset(pairs)
        self._told = self._told | {
            "parameters": dict(parameters),
            REFUSALS: [[*key, *why] for key, why in self._refusals.items()],
            **({} if self.engine.candles is None else {CANDLES: self._candles()}),
            **self._rules(parameters),
            **({HOLDS: sorted(held())} if self._market else {}),
        }
        self.watch.ask(self._told)
        self.engine.refresh(now_ms)
        source = self.engine.source
        assert isinstance(source, LiveSource)
        self._compare_with_settings(parameters)
        self.engine.problem = self.engine.problem or self._parameter_problem(
            parameters, source.snapshot.sidecar
        )
        messages = (
            *self._readiness(source, pairs, now_ms),
            *self._losses.all(source.snapshot.sidecar, now_ms),
            self._other_settings(source.snapshot.sidecar),
            self._pairs_without_feed(source, pairs),
            self._candles_too_late(),
        )
        return [message for message in messages if message is not None]

    def waves(self, book: Book, pairs: Sequence[str], close_ms: int, now_ms: int) -> list[Message]:
        """:return: judged waves that were not told yet"""

        def tell(pair: str) -> DecisionStory:
            story = announced(self.engine, book, pair, close_ms, now_ms)
            self._keep(pair, close_ms, story)
            return story

        self._late.look(self.engine, pairs, close_ms)
        return self._waves.waves(
            self.engine,
            pairs,
            close_ms,
            tell,
        )

    def missed(
        self,
        pairs: Sequence[str],
        held: Callable[[], Collection[str]],
        rules: Rules,
        now_ms: int,
    ) -> list[Message]:
        """
        :param held: gives the pairs with a position
        :return: waves that no candles came of in time
        """
        waves = self._missed.missed(self.engine, pairs, held, rules, now_ms)
        for wave in waves:
            self._refused(wave.pair, wave.close_ms, wave.refusal)
        return messages_of(waves, self.engine.settings.messages.waves != "none")

    def _candles(self) -> Mapping[str, Any]:
        """How late they come, those of the list and those of coins that join it."""
        assert self.engine.candles is not None
        told, late = self.engine.candles.told(), self._late.words
        return told | {"words": f"{told['words']}; {late}"} if told and late else told

    def _keep(self, pair: str, close_ms: int, story: DecisionStory) -> None:
        """What of it the store does not tell, for the dashboard."""
        failed = story.failed
        kept = failed is not None and failed.name not in OF_WAVE
        self._refused(pair, close_ms, (failed.name, failed.words) if failed and kept else None)

    def _refused(self, pair: str, close_ms: int, refusal: Refusal | None) -> None:
        self._refusals.pop((pair, close_ms), None)
        if refusal is not None:
            self._refusals[pair, close_ms] = refusal
        for old in list(self._refusals)[:-_REFUSALS]:
            del self._refusals[old]

    def filled(self, trade: Any, order: Any, close_ms: int, rules: StopRules) -> list[Message]:
        """
        Keep with a trade what its filled order was based on.

        :param close_ms: close of the candle that the order was decided on
        :return: what Freqtrade does not say of it
        """
        message = filled(self.engine, trade, order, close_ms, rules)
        return [] if message is None else [message]

    def check_stop(self, trade: Any, rules: StopRules) -> None:
        """Freqtrade knows the liquidation price only after the fill; it is said once."""
        text = liquidated_first(trade, rules)
        if text is not None and text not in self._too_far:
            self._too_far.add(text)
            logger.warning(text)

    def start(self) -> None:
        """Nobody waits for it: the first loop finds what is there by then."""
        self.watch.ask(self._told)
        assert isinstance(self.engine.source, LiveSource)
        self.engine.source.look()

    def end(self) -> None:
        """The bot ends, or is configured anew by another object."""
        self.watch.end()
        assert isinstance(self.engine.source, LiveSource)
        self.engine.source.end()

    def _rules(self, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What this bot decides by, for page and commands; with windows of no use it is nothing."""
        engine = self.engine
        # Of a list of the moment nobody could say later who was on it.
        listed = None if self._market else engine.whitelist
        try:
            known = in_force_of(engine.settings, parameters, engine.timeframe_ms, listed, "")
        except SettingsError:
            return {}
        return {TOLD: known.as_told()}

    def _readiness(
        self, source: LiveSource, pairs: Sequence[str], now_ms: int
    ) -> Sequence[Message]:
        if self.engine.problem == READING:
            return ()  # the first answer is due any moment
        coins = None if self._market else {base_asset_of_pair(pair) for pair in pairs}
        snapshot = source.snapshot
        return self._ready.changes(
            snapshot.readiness, self.engine.problem, coins, now_ms, snapshot.computed_ms
        )

    def _compare_with_settings(self, parameters: Mapping[str, Any]) -> None:
        """Parameters are loaded after bot_start, so their first use is here."""
        if self._compared:
            return
        self._compared = True
        for name, value in parameters.items():
            configured = getattr(self.engine.settings, name, value)
            if value != configured:
                logger.info(
                    "%s = %s from the parameter file wins over liq_provider.%s = %s",
                    *(name, value, name, configured),
                )

    def _parameter_problem(
        self, parameters: Mapping[str, Any], sidecar: Mapping[str, Any]
    ) -> str | None:
        """What was checked at the start holds for the configuration, not for a parameter file."""
        settings = self.engine.settings
        other = _other_windows(settings, parameters.get("windows", CONFIGURED))
        if other is not None:
            return other
        unsafe = stop_problems(parameters["fallback_pct"], settings.leverage, self._stoploss)
        return next(unsafe, None) or check_served(
            settings,
            parameters["z_threshold"],
            parameters["purity_threshold"],
            parameters["direction_mode"],
            sidecar,
        )

    def _other_settings(self, sidecar: Mapping[str, Any]) -> Message | None:
        """A sidecar keeps what it was started with; it is said once for each difference."""
        others = [
            *other_sidecar_settings(self.engine.settings, sidecar),
            *self._other_stake(sidecar),
        ]
        before, self._other = self._other, others
        if not others or others == before:
            return None
        return self._warning(
            "LiqTrend: the running sidecar has other settings ({}). This bot's apply after "
            "`liq-provider stop`.",
            "; ".join(others),
        )

    def _other_stake(self, sidecar: Mapping[str, Any]) -> Iterator[str]:
        """Freqtrade takes no pair of a list that is in another currency."""
        theirs, ours = (sidecar.get("pair_list") or {}).get(STAKE), self._told.get(STAKE)
        if self._market and theirs and ours and theirs != ours:
            yield f"{STAKE}: {theirs}, here {ours}"

    def _pairs_without_feed(self, source: LiveSource, pairs: Sequence[str]) -> Message | None:
        """Known once the sidecar has all market lists; each pair is named once."""
        if self._market:
            return None  # the sidecar chooses from those that have one
        unknown = [pair for pair in pairs if pair not in self._looked_up]
        if not unknown:
            return None
        listed = source.coins()
        if listed is None:
            return None
        # Pairs that have a feed are remembered as well, so that nothing is asked twice.
        self._looked_up.update(unknown)
        bare = [pair for pair in unknown if base_asset_of_pair(pair) not in listed]
        if not bare:
            return None
        return self._warning(
            "LiqTrend: pair without liquidation feed, never entered: {}. No venue in "
            "`liq_provider.venues` lists it; remove it from `exchange.pair_whitelist`.",
            ", ".join(bare),
        )

    def _candles_too_late(self) -> Message | None:
        """Said once, until the list or its candles become such that waves can be entered."""
        known = None if self.engine.candles is None else self.engine.candles.sum
        before, self._hopeless = self._hopeless, known is not None and known.level == "error"
        if known is None or before or not self._hopeless:
            return None
        return self._warning(
            f"LiqTrend: candles come too late to enter: {{}}; {plain_or_code(known.remedy)}.",
            f"{known.figures}; max_entry_delay_s {known.max_entry_delay_s:g}",
        )

    def _warning(self, words: str, details: str) -> Message:
        """
        :param words: with a place for the details, which the log has in full
        """
        return Message(
            words.format(code(details, LIMIT - len(words))),
            warning=True,
            send=self.engine.settings.messages.data,
            logged=words.format(details),
        )


def _other_windows(settings: Settings, choice: str) -> str | None:
    """The sidecar computes and judges with the configured ones only."""
    try:
        if windows_of(settings_with(settings, choice)) == windows_of(settings):
            return None
    except SettingsError as error:
        return str(error)
    return (
        f"windows {choice} of the parameter file differ from liq_provider.segment_min "
        f"{settings.segment_min} and liq_provider.baseline_hours {settings.baseline_hours:g}, by "
        "which the sidecar judges; set these to the same"
    )
