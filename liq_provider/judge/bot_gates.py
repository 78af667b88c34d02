"""What only a bot knows of a pair: the gates behind those of the wave."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import NamedTuple


class BotGate(NamedTuple):
    """
    :param needed: what it takes
    :param words: why there is no entry if it fails; a trouble comes with words of its own
    """

    name: str
    needed: str
    words: str = ""


NOT_LISTED = "not in the bot's whitelist now"

# In the order in which they are asked: while there is trouble nobody is chosen.
OF_BOT = (
    BotGate("whitelist", "in the bot's whitelist", NOT_LISTED),
    BotGate("position", "no open position", "a position of this pair is open"),
    BotGate(
        "reopening",
        "no position closed in this candle",
        "a position of this pair was closed in this candle",
    ),
    BotGate("traded", "no trade of this wave", "this wave was already traded"),
    BotGate("lock", "no lock of Freqtrade", "Freqtrade has locked the pair"),
    BotGate("store", "a store that answers"),
    BotGate("clock", "a clock that is the exchange's"),
    BotGate("data", "fresh data"),
    BotGate("feeds", "a live feed"),
    BotGate("bot", "nothing of the bot's own in the way"),
    BotGate("settled", "the candle's last minute", "the candle's last minute is not settled"),
    BotGate("lateness", "max_entry_delay_s", "the signal is older than max_entry_delay_s"),
    # What a bot has no data for it does not decide; whom to prefer it asks of decisions.
    BotGate("decision", "a decision for this candle", "there is no decision for this candle"),
    BotGate("expiry", "a verdict that is alive", "the verdict has expired"),
    BotGate("order", "an order of its signal", "no order came of its signal"),
    BotGate(
        "slot",
        "a free slot, and no surer pair",
        "other pairs are surer, or no slot is free (max_open_trades)",
    ),
    BotGate("direction", "the order's direction", "the wave no longer supports this direction"),
)
TROUBLES = ("store", "clock", "data", "feeds", "bot")


def words_of_gate(name: str) -> str:
    """:return: why there is no entry if this one failed"""
    return next(gate.words for gate in OF_BOT if gate.name == name)


@dataclass(frozen=True, slots=True)
class Standing:
    """
    True for what lets an entry pass, None for what is not known here.

    :param listed: the gate ``whitelist``; the others follow in the order of ``OF_BOT``
    :param troubles: by name (see ``TROUBLES``), what keeps every entry back, None where nothing
        does; as a whole None where nobody asked
    :param why: by name, what is known of why a gate fails, in place of its usual words
    """

    listed: bool | None = None
    flat: bool | None = None
    rested: bool | None = None
    untraded: bool | None = None
    unlocked: bool | None = None
    troubles: Mapping[str, str | None] | None = None
    settled: bool | None = None
    timely: bool | None = None
    decided: bool | None = None
    alive: bool | None = None
    ordered: bool | None = None
    chosen: bool | None = None
    supported: bool | None = None
    why: Mapping[str, str] = field(default_factory=dict)

    def answer(self, gate: str) -> bool | None:
        """:return: whether a gate passes, None if that is not known here"""
        if gate in TROUBLES:
            known = self.troubles is not None and gate in self.troubles
            return self.trouble(gate) is None if known else None
        passed: bool | None = getattr(self, _FIELDS[gate])
        return passed

    def trouble(self, gate: str) -> str | None:
        """:return: the words of a trouble"""
        return (self.troubles or {}).get(gate)

    def words(self, gate: BotGate) -> str:
        """:return: why there is no entry if it fails"""
        return self.trouble(gate.name) or self.why.get(gate.name) or gate.words


_FIELDS = {
    "whitelist": "listed",
    "position": "flat",
    "reopening": "rested",
    "traded": "untraded",
    "lock": "unlocked",
    "settled": "settled",
    "lateness": "timely",
    "decision": "decided",
    "expiry": "alive",
    "order": "ordered",
    "slot": "chosen",
    "direction": "supported",
}
