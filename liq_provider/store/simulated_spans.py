"""The store's facts of what is simulated in it; how they are said is ``simulated_marks``."""

from sqlalchemy import Engine

from liq_provider.config import simulated_marks
from liq_provider.core.coverage import Interval
from liq_provider.core.durations import FOREVER_MS
from liq_provider.store.database import store_errors
from liq_provider.store.reader import Reader
from liq_provider.store.statements import read_state, write_state


def note_simulated(engine: Engine, venue: str, span: Interval, now_ms: int) -> None:
    """From then to then, something of that venue is simulated; what was noted before stays."""
    key = simulated_marks.state_key(venue)
    with store_errors("Noting what is simulated"), engine.begin() as connection:
        known = read_state(connection, key, lock="alone")
        if known is not None:
            if known["from_ms"] <= span.start_ms and known["to_ms"] >= span.end_ms:
                return
            span = Interval(min(known["from_ms"], span.start_ms), max(known["to_ms"], span.end_ms))
        value = {"from_ms": span.start_ms, "to_ms": span.end_ms}
        write_state(connection, key, value, now_ms)


def simulated_spans(reader: Reader) -> dict[str, Interval]:
    """:return: by venue, from when to when something of it is simulated"""
    return simulated_marks.spans_of(reader.states(simulated_marks.STATE_KEYS))


def mark_of(
    reader: Reader, venues: tuple[str, ...] | list[str], from_ms: int = 0, to_ms: int = FOREVER_MS
) -> str | None:
    """
    :param venues: all of which something is shown
    :return: what is to stand beside what is shown of ``[from_ms, to_ms]``, None if it is real
    """
    return simulated_marks.mark(
        simulated_marks.within(simulated_spans(reader), from_ms, to_ms), venues
    )
