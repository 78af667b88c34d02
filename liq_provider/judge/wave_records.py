"""
What is known of a wave, in one record, and by which rules it is judged again, or not any more.

All rules of verdicts are in ``docs/how-it-works.md``. Those that are kept elsewhere: in which
minutes one counts (``store.verdict_minutes``, ``judge.decisions``), what the store writes after a
veto or a doubt (``store.verdicts``), what a row says against its wave (``store.vetoes``), and that
no judge says more than the matrix (``judge.guard``).

- **Once.** A wave is judged once in each state that it is in: how strong it is, whether the candles
  agree, and which set of news there is. A minute that shows a state again lets what was said of
  that state live longer, and nothing that was said of another. What failed was not judged, nor what
  could not be written: the next minute that shows the state asks again.
- **An early answer is no verdict.** What is asked while a minute runs becomes one only if the
  settled minute shows the same pair and state. What failed early is asked once more then. A wave
  that should have begun with the minute, and did not, is forgotten, its questions given up. While
  candles and news of a settled minute are waited for, nothing is asked about the next one.
- **An answer whose state has gone** by the time it comes is a verdict of the minute that asked. No
  later minute confirms it, unless the wave comes back to that state; but news against the wave
  holds up to the last minute in which something else let the wave pass meanwhile.
- **A doubt** (a judge who reads news, a model or one that a package adds, said less than the matrix
  allows): the matrix, which reads none, does not stand in for him any more, and what it said before
  is not confirmed. He may be asked again, as the wave's state or the news changes, also after a
  failure; the guard keeps him within the matrix.
- **A veto by news** (news was against it, or a judge contradicted himself, which may be that):
  nobody lets the wave pass any more, in no state and whatever the news is next, for headlines come
  and go in searches and what they said does not. Nobody is asked. An answer that was on its way is
  overruled. What was said against the state itself stands, and is confirmed like any other; each
  other state is refused anew.
- **A second sidecar** asks nothing that is being asked or was answered (``shared_asking``). What it
  hears against a wave holds here, too, a veto as well as a doubt: the store refuses whoever must
  not let it pass, and says so.
- **After a restart** the verdicts of the last day say the same again: which states this judge has
  judged, and what was said against a wave, by whomever.
- A record is forgotten a day after its wave began, all of it at once.

Nothing here makes an entry: text that nobody vouches for may veto, or make a wave less sure.
"""

import asyncio
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum, IntEnum
from typing import Any

from liq_provider.core.durations import DAY_MS
from liq_provider.errors import ModelFailure
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action, Confidence, News, decide
from liq_provider.judge.matrix_judge import is_model
from liq_provider.judge.verdict import Facts, Verdict, aligned_of
from liq_provider.measure.minute_results import Anomaly
from liq_provider.measure.waves import Strength
from liq_provider.news.desk import NewsSet
from liq_provider.store.vetoes import CONTRADICTORY, MATRIX, REFUSED, news_against

Wave = tuple[str, str, int]  # coin, direction, close of its first minute
State = tuple[str, bool | None, str]  # strength, aligned, set of news

# Price moves within a minute; whether the candles will agree is looked at again this often.
_LOOK_AGAIN_MS = 15_000


class Objection(IntEnum):
    """The most that was said against a wave, see above; the more, the larger."""

    NONE = 0
    DOUBT = 1
    VETO = 2


class Ruling(Enum):
    """What becomes of a state that a settled minute shows."""

    OPEN = "to be judged"
    STANDS = "what was said of it lives longer"
    REFUSED = "because of what was said before"


@dataclass(frozen=True, slots=True)
class AskedQuestion:
    """
    What a judge is being asked, or was.

    :param close_ms: of the minute that it is about
    """

    close_ms: int
    answer: "asyncio.Task[GuardedAnswer]"

    @property
    def useless(self) -> bool:
        """Ended without an answer, and without what may be a veto."""
        if not self.answer.done():
            return False
        if self.answer.cancelled():
            return True
        failure = self.answer.exception()
        return failure is not None and not may_veto(failure)


@dataclass(slots=True)
class WaveRecord:
    """
    :param judges: who judged each state, or is judging it; it is the latter while ``questions``
        has one that is not answered
    :param objection: the most that was said against it
    :param against: the states that news was against; none if another sidecar heard that
    :param questions: by pair and state
    :param looked: at which close, strength and time it was looked at early, the last time
    :param sought: settled minutes of which it is not known yet which state they show
    """

    judges: dict[State, str] = field(default_factory=dict)
    objection: Objection = Objection.NONE
    against: set[State] = field(default_factory=set)
    questions: dict[tuple[str, State], AskedQuestion] = field(default_factory=dict)
    looked: tuple[int, Strength, int] = (0, Strength.NONE, 0)
    sought: int = 0

    @contextmanager
    def state_sought(self) -> Iterator[None]:
        """A minute was settled, and which state it shows is not known before candles and news."""
        self.sought += 1
        try:
            yield
        finally:
            self.sought -= 1

    def ruling(self, state: State, *, reads_news: bool) -> Ruling:
        """
        :param reads_news: whether who judges reads news: he may be asked in spite of a doubt
        :return: a state without candles is never refused, as no entry is possible in it
        """
        refusing = Objection.VETO if reads_news else Objection.DOUBT
        refused = state[1] is not None and self.objection >= refusing
        if state in self.judges and (not refused or state in self.against):
            return Ruling.STANDS
        return Ruling.REFUSED if refused else Ruling.OPEN

    def begin(self, state: State, judge: str) -> None:
        """It is being judged; nobody else begins."""
        self.judges[state] = judge

    def give_up(self, state: State) -> None:
        """It was not judged after all."""
        self.judges.pop(state, None)

    def overrules(self, verdict: Verdict) -> bool:
        """:return: whether a veto came while the verdict was on its way"""
        return self.objection is Objection.VETO and verdict.news is not News.CONTRADICTS

    def heard(self, verdict: Mapping[str, Any]) -> None:
        """
        Remember what was said against the wave.

        :param verdict: a row of the table ``verdicts``
        """
        if news_against(verdict):
            self.objection = Objection.VETO
            if verdict["news"] == News.CONTRADICTS:
                self.against.add(_state_of_row(verdict))
        elif says_less(verdict):
            self.objection = max(self.objection, Objection.DOUBT)

    def heard_elsewhere(self, objection: Objection) -> None:
        """
        :param objection: what another sidecar heard against it
        """
        self.objection = max(self.objection, objection)

    def look(self, anomaly: Anomaly, now_ms: int) -> bool:
        """
        :param anomaly: what a running minute shows of it
        :return: whether it is to be looked at now, as it changed, or price may have; not while a
            settled minute may be about to ask the same
        """
        if self.sought:
            return False
        close_ms, strength, at_ms = self.looked
        same = (close_ms, strength) == (anomaly.close_ms, anomaly.strength)
        if same and now_ms - at_ms < _LOOK_AGAIN_MS:
            return False
        self.looked = anomaly.close_ms, anomaly.strength, now_ms
        return True

    def give_up_questions(self) -> int:
        """:return: how many there were"""
        given_up = len(self.questions)
        for question in self.questions.values():
            question.answer.cancel()
        self.questions.clear()
        return given_up


class WaveRecords:
    """
    The records of all waves of the last day.

    :param judge: who judges; what other judges said counts as judged only where every judge
        says the same
    :param verdicts: rows of the table ``verdicts``, so that a restart forgets nothing
    """

    def __init__(self, judge: str, verdicts: Iterable[Mapping[str, Any]] = ()) -> None:
        self._records: dict[Wave, WaveRecord] = {}
        for row in verdicts:
            record = self.of((row["base_asset"], row["direction"], row["wave_start_ms"]))
            state = _state_of_row(row)
            if row["judge"] == judge or (state[1] is None and row["judge"] == MATRIX):
                record.begin(state, row["judge"])
            record.heard(row)

    def of(self, wave: Wave) -> WaveRecord:
        """:return: its record, which begins empty"""
        return self._records.setdefault(wave, WaveRecord())

    def settled(self, close_ms: int, shown: set[Wave]) -> int:
        """
        A minute was settled.

        :param shown: the waves that it shows
        :return: how many questions were given up, as it did not begin the waves that they are about
        """
        given_up, kept = 0, {}
        for wave, record in self._records.items():
            if wave[2] == close_ms and wave not in shown:
                given_up += record.give_up_questions()
                if not record.judges and not record.objection:
                    continue
            if wave[2] >= close_ms - DAY_MS:
                kept[wave] = record
        self._records = kept
        return given_up


def wave_of(seen: Facts | Anomaly) -> Wave:
    """:return: what identifies the wave"""
    return seen.base_asset, seen.direction, seen.wave_start_ms


def state_of(facts: Facts, news: NewsSet | None = None) -> State:
    """
    :param news: that is looked at, if any
    :return: what a wave is judged once for
    """
    return facts.strength.word, facts.aligned, "" if news is None else news.key


def may_veto(failure: BaseException) -> bool:
    """What contradicts itself may hold a veto, which another question could lose."""
    return isinstance(failure, ModelFailure) and failure.kind == CONTRADICTORY


def says_less(row: Mapping[str, Any]) -> bool:
    """
    :param row: of the table ``verdicts``
    :return: whether it keeps the matrix from letting the wave pass
    """
    return row["judge"] == REFUSED or _less_than_matrix(row)


def _state_of_row(row: Mapping[str, Any]) -> State:
    return row["strength"], aligned_of(row["aligned"]), row["news_key"]


def _less_than_matrix(row: Mapping[str, Any]) -> bool:
    """Whether who reads news is less sure of an entry than the matrix would be."""
    if not is_model(row["judge"]):
        return False
    said = Confidence.of(row["confidence"]) if row["action"] == Action.ENTER else 0
    strength = Strength[row["strength"].upper()]
    action, confidence = decide(strength, aligned_of(row["aligned"]), News(row["news"]))
    return said < (confidence if action is Action.ENTER else 0)
