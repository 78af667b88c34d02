"""A decision as everybody is told it: its gates, the one that decided, and the word for it."""

from dataclasses import dataclass, replace

from liq_provider.judge.bot_gates import OF_BOT
from liq_provider.judge.matrix import Action, Confidence

OF_WAVE = (
    *("candle", "coverage", "baseline", "activity", "count", "size"),
    *("z", "purity", "wave", "beginning"),
    *("trend", "verdict", "matrix", "confidence", "once per wave"),
)
OF_JUDGEMENT = OF_WAVE[:-1]
# Of a wave; whoever tells of several says "their".
BEGINNING_UNSEEN = "beginning was not seen"
NAMES = (*OF_WAVE, *(gate.name for gate in OF_BOT))


@dataclass(frozen=True, slots=True)
class DecisionGate:
    """
    :param passed: None if it was not reached, or if its answer is not known here
    :param measured: the number, in words
    :param needed: what it takes
    :param words: why there is no entry, for whoever is told; empty unless it failed
    """

    name: str
    passed: bool | None
    measured: str
    needed: str
    words: str = ""


@dataclass(frozen=True, slots=True)
class DecisionStory:
    """
    One decision, told.

    :param gates: in the order in which they are asked
    :param action: what judge and matrix come to with the rules in force
    :param level: 0 for no entry, else a ``Confidence``, see ``Decisions``
    :param owner: whose rules they are
    :param close_ms: of the candle, 0 where there is no decision
    """

    gates: tuple[DecisionGate, ...]
    action: Action
    level: int
    owner: str
    close_ms: int = 0

    @property
    def failed(self) -> DecisionGate | None:
        """The first gate that failed: it decides."""
        return next((gate for gate in self.gates if gate.passed is False), None)

    @property
    def enters(self) -> bool:
        """Whether it is an entry, as far as is known here."""
        return self.failed is None

    @property
    def refused_by(self) -> str | None:
        """The words of the gate that decided, None if none failed."""
        return None if self.failed is None else self.failed.words

    @property
    def as_judged(self) -> "DecisionStory":
        """As far as the wave itself is judged: whether it is new, and what the bot does, is not."""
        return self.only(*OF_JUDGEMENT)

    def only(self, *names: str) -> "DecisionStory":
        """:return: the same with some of its gates"""
        return replace(self, gates=tuple(gate for gate in self.gates if gate.name in names))

    def but(self, name: str, words: str) -> "DecisionStory":
        """
        :param name: a gate that only a bot can answer, and that it says failed
        :param words: in which it told that
        :raises ValueError: there is no such gate
        """
        if not any(gate.name == name for gate in self.gates):
            raise ValueError(f"no gate is called {name!r}")
        gates = tuple(
            replace(gate, passed=False, measured=words, words=words) if gate.name == name else gate
            for gate in self.gates
        )
        return replace(self, gates=gates)

    @property
    def words(self) -> str:
        """Such as ``enter (medium)``, ``skip: price does not follow``, ``not entered: ...``."""
        failed = self.failed
        if failed is None:
            return enter_words(self.level)
        return f"{self.verb}: {failed.words}"

    @property
    def verb(self) -> str:
        """``enter``, ``hold``, ``skip``; ``not entered`` where only the bot stands in the way."""
        failed = self.failed
        if failed is None:
            return Action.ENTER.value
        if failed.name not in OF_WAVE:
            return "not entered"
        held = self.action is Action.HOLD and failed.name in ("trend", "matrix")
        return (Action.HOLD if held else Action.SKIP).value


def enter_words(level: int) -> str:
    """
    :param level: 0 or a ``Confidence``
    :return: such as ``enter (medium)``
    """
    return f"enter ({Confidence(level).word})" if level else "enter"
