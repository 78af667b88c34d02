"""
Questions that all sidecars of one store share: who asks, what came of it, what it costs.

A question is taken, its first request is charged with the most that it can cost, and it is put on
record, in one transaction; nobody else takes one in the meantime. So a question is asked once, and
the budget of a day is that of the store, whoever asks and whoever dies. A question to a judge that
another package adds costs nothing, and is no row of ``model_calls``.
"""

from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Literal

from sqlalchemy import Connection, Engine, case, delete, func, select, text, tuple_, update

from liq_provider.config.sections import BudgetSettings
from liq_provider.core.durations import DAY_MS, HOUR_MS, MINUTE_MS
from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.liquidation_rows import Row
from liq_provider.store.statements import replace
from liq_provider.store.vetoes import CONTRADICTORY, news_against

ASKING: Final = "asking"
ABANDONED: Final = "abandoned"

Key = tuple[Any, ...]

_KEY = tuple(schema.questions.primary_key)
# Two sidecars on one PostgreSQL take questions one after the other.
_ASKING_LOCK = 0x4C69_7151


@dataclass(frozen=True, slots=True)
class Question:
    """
    What a judge is asked once.

    :param close_ms: close of the minute that it is asked about; an answer serves this minute and
        those before
    :param early: asked before that minute was settled
    """

    base_asset: str
    direction: str
    wave_start_ms: int
    strength: str
    aligned: str
    news_key: str
    judge: str
    close_ms: int
    early: bool = False

    @property
    def key(self) -> Key:
        """What identifies it, in the order of the table's key."""
        return tuple(getattr(self, column.name) for column in _KEY)


@dataclass(frozen=True, slots=True)
class Totals:
    """
    What all sidecars asked for and spent.

    :param minute: requests of the last 60 s; so is ``hour``
    :param calls: requests of this UTC day; so are ``tokens`` and ``usd``, with the most that
        running ones can cost
    """

    minute: int
    hour: int
    calls: int
    tokens: int
    usd: float

    def reached(self, limits: BudgetSettings, tokens: int, usd: float) -> str | None:
        """
        :param tokens: that a further request may take; so is ``usd``
        :return: the limit that forbids it
        """
        if self.minute >= limits.calls_per_minute:
            return "calls_per_minute"
        if self.hour >= limits.calls_per_hour:
            return "calls_per_hour"
        if self.calls >= limits.calls_per_day:
            return "calls_per_day"
        if self.tokens + tokens > limits.tokens_per_day:
            return "tokens_per_day"
        return "usd_per_day" if self.usd + usd > limits.usd_per_day else None


@dataclass(frozen=True, slots=True)
class Claim:
    """
    :param kind: ``mine``: to be asked; ``asked``: by another one until ``lease_ms``; ``answered``
        and ``failed``: with what is in ``row``; ``judged``: with the verdict that is in ``row``;
        ``vetoed``: news was against the wave, so nobody is asked; ``limit``: of the budget;
        ``free``: nobody asks
    :param limit: of the budget that is reached
    """

    kind: Literal["mine", "asked", "answered", "failed", "judged", "vetoed", "limit", "free"]
    row: Mapping[str, Any]
    limit: str = ""
    totals: Totals | None = None
    lease_ms: int = 0


class SharedQuestions:
    """
    :param engine: tells that of the store, opened for writing
    :param asker: which sidecar this is
    :param limits: of all of them together
    """

    def __init__(self, engine: Callable[[], Engine], asker: str, limits: BudgetSettings) -> None:
        self._engine = engine
        self._asker = asker
        self._limits = limits

    def claim(
        self,
        question: Question,
        call: Row | None,
        now_ms: int,
        lease_ms: int,
        *,
        paid: bool = True,
    ) -> Claim:
        """
        Take a question, unless it is being asked or was answered.

        :param call: the row of ``model_calls``, charged with the most that one request can cost;
            None: this sidecar cannot ask, and only looks
        :param lease_ms: when others may take it over
        :param paid: False: it costs nothing; of ``call`` only the identity counts
        """
        with store_errors("Taking a question"), self._engine().begin() as connection:
            one_at_a_time(connection)
            verdict = _verdict(connection, question)
            if verdict is not None:
                return Claim("judged", verdict)
            if _vetoed(connection, question):
                return Claim("vetoed", {})
            known = _known(connection, question.key)
            shared = None if known is None else self._shared(known, question, now_ms)
            if shared is not None:
                return shared
            if call is None:
                return Claim("free", {})
            if paid:
                totals = _totals(connection, now_ms)
                most = call["charged_tokens"], call["cost_usd"] or 0.0
                limit = totals.reached(self._limits, *most)
                if limit is not None:
                    return Claim("limit", {}, limit, totals)
                replace(connection, schema.model_calls, [call])
            if known is not None and known["outcome"] == ASKING:
                _abandon(connection, known["call_id"])
            row = asdict(question) | {
                "asker": self._asker,
                "lease_ms": lease_ms,
                "call_id": call["call_id"],
                "outcome": ASKING,
                "detail": "",
                "answer": None,
            }
            replace(connection, schema.questions, [row])
            return Claim("mine", {}, totals=_totals(connection, now_ms) if paid else None)

    def _shared(self, known: Row, question: Question, now_ms: int) -> Claim | None:
        """:return: what another one asked or heard, None if it must be asked anew"""
        if known["outcome"] == ASKING:
            others = known["asker"] != self._asker and known["lease_ms"] > now_ms
            return Claim("asked", known, lease_ms=known["lease_ms"]) if others else None
        if known["close_ms"] < question.close_ms:
            return None
        if known["answer"] is not None:
            return Claim("answered", known)
        # What contradicts itself may hold a veto, which another question could lose.
        final = known["outcome"] == CONTRADICTORY or not known["early"] or question.early
        return Claim("failed", known) if final else None

    def charge(self, call_id: str, tokens: int, usd: float | None, now_ms: int) -> str | Totals:
        """
        Charge a further request of a question with the most that it can cost.

        :return: the totals, or the limit that forbids it
        """
        with store_errors("Charging a request"), self._engine().begin() as connection:
            one_at_a_time(connection)
            limit = _totals(connection, now_ms).reached(self._limits, tokens, usd or 0.0)
            if limit is not None:
                return limit
            table = schema.model_calls.c
            cost = table.cost_usd if usd is None else func.coalesce(table.cost_usd, 0.0) + usd
            connection.execute(
                update(schema.model_calls)
                .where(table.call_id == call_id)
                .values(
                    requests=table.requests + 1,
                    charged_tokens=table.charged_tokens + tokens,
                    cost_usd=cost,
                )
            )
            return _totals(connection, now_ms)

    def finish(
        self,
        call: Row,
        answer: str | None,
        *,
        tell: bool,
        now_ms: int,
        paid: bool = True,
    ) -> Totals:
        """
        Put on record what became of a question.

        :param call: that asked it, as in ``claim``
        :param answer: for the others; None: there is none
        :param tell: False: others may ask, as if nobody had
        :param paid: see ``claim``
        """
        with store_errors("Writing a model call"), self._engine().begin() as connection:
            one_at_a_time(connection)
            if paid:
                replace(connection, schema.model_calls, [call])
            table = schema.questions.c
            own = table.call_id == call["call_id"]
            if tell:
                done = {"outcome": call["outcome"], "detail": call["detail"], "answer": answer}
                connection.execute(update(schema.questions).where(own).values(**done))
            else:
                connection.execute(delete(schema.questions).where(own))
            return _totals(connection, now_ms)

    def asked(self, keys: list[Key]) -> dict[Key, int]:
        """:return: of those that somebody is asking, until when others leave them to him"""
        table = schema.questions.c
        query = (
            select(*_KEY, table.lease_ms)
            .where(table.outcome == ASKING)
            .where(tuple_(*_KEY).in_(keys))
        )
        with store_errors("Reading questions"), self._engine().connect() as connection:
            return {tuple(row)[:-1]: row.lease_ms for row in connection.execute(query)}


def one_at_a_time(connection: Connection) -> None:
    """Nobody else takes anything before this transaction ends."""
    # SQLite's writers follow one another anyway.
    if connection.dialect.name == "postgresql":
        connection.execute(text(f"SELECT pg_advisory_xact_lock({_ASKING_LOCK})"))


def _verdict(connection: Connection, question: Question) -> Row | None:
    table = schema.verdicts
    query = select(table)
    for column in table.primary_key:
        query = query.where(column == getattr(question, column.name))
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def _vetoed(connection: Connection, question: Question) -> bool:
    """Whether a verdict says so that any judge made of any state of the wave."""
    table = schema.verdicts.c
    query = (
        select(table.news, table.judge, table.inputs)
        .where(table.base_asset == question.base_asset)
        .where(table.direction == question.direction)
        .where(table.wave_start_ms == question.wave_start_ms)
    )
    return any(news_against(dict(row)) for row in connection.execute(query).mappings())


def _known(connection: Connection, key: Key) -> Row | None:
    query = select(schema.questions)
    for column, value in zip(_KEY, key, strict=True):
        query = query.where(column == value)
    row = connection.execute(query).mappings().one_or_none()
    return None if row is None else dict(row)


def _abandon(connection: Connection, call_id: str) -> None:
    """Who asked did not come back; what it may have cost stays charged."""
    table = schema.model_calls.c
    connection.execute(
        update(schema.model_calls)
        .where(table.call_id == call_id)
        .where(table.outcome == ASKING)
        .values(outcome=ABANDONED, detail="the sidecar that asked did not come back")
    )


def _totals(connection: Connection, now_ms: int) -> Totals:
    table = schema.model_calls.c
    day_ms = now_ms // DAY_MS * DAY_MS

    def since(from_ms: int, column: Any) -> Any:
        return func.coalesce(func.sum(case((table.asked_ms > from_ms, column), else_=0)), 0)

    row = connection.execute(
        select(
            since(now_ms - MINUTE_MS, table.requests),
            since(now_ms - HOUR_MS, table.requests),
            since(day_ms - 1, table.requests),
            since(day_ms - 1, table.charged_tokens),
            since(day_ms - 1, func.coalesce(table.cost_usd, 0.0)),
        ).where(table.asked_ms > min(day_ms - 1, now_ms - HOUR_MS))
    ).one()
    minute, hour, calls, tokens = (int(value) for value in row[:4])
    return Totals(minute, hour, calls, tokens, float(row[4]))
