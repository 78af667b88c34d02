"""Questions that the sidecars of one store share: who asks, and what all of them may spend."""

import json
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.config import Config

from liq_provider.config.sections import BudgetSettings
from liq_provider.store import schema
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.shared_questions import Question, SharedQuestions, Totals
from liq_provider.store.writer import Writer
from tests.store.conftest import MakeWriter

NOW = 1_795_350_000_000
LEASE = 23_000
LIMITS = BudgetSettings()
ASKED = Question("BTC", "SHORT", NOW, "strong", "yes", "none", "m@v1", NOW)


def call(number: int = 0, at_ms: int = NOW, **changes: Any) -> dict[str, Any]:
    texts = ("base_asset", "symbol", "direction", "judge", "news_key", "prompt", "answer", "detail")
    row: dict[str, Any] = dict.fromkeys(texts, "") | {
        "call_id": f"call{number}",
        "wave_start_ms": NOW,
        "close_ms": NOW,
        "asked_ms": at_ms,
        "latency_ms": 0,
        "requests": 1,
        "prompt_tokens": None,
        "answer_tokens": None,
        "charged_tokens": 1_000,
        "cost_usd": None,
        "outcome": "asking",
    }
    return row | changes


@pytest.fixture
def two(open_writer: MakeWriter) -> tuple[SharedQuestions, SharedQuestions]:
    return sharing(open_writer)


def sharing(
    open_writer: MakeWriter, limits: BudgetSettings = LIMITS
) -> tuple[SharedQuestions, SharedQuestions]:
    engines = open_writer().engine, open_writer().engine
    first, second = (
        SharedQuestions(lambda engine=engine: engine, name, limits)  # type: ignore[misc]
        for engine, name in zip(engines, "ab", strict=True)
    )
    return first, second


def take(who: SharedQuestions, number: int = 0, at_ms: int = NOW, **changes: Any) -> Any:
    question = replace(ASKED, **changes)
    return who.claim(question, call(number, at_ms), at_ms, at_ms + LEASE)


def test_a_question_is_one_sidecars_to_ask_and_its_answer_is_everybodys(
    two: tuple[SharedQuestions, SharedQuestions],
) -> None:
    first, second = two
    assert take(first).kind == "mine"
    other = take(second, 1)
    assert (other.kind, other.lease_ms) == ("asked", NOW + LEASE)
    assert second.asked([ASKED.key]) == {ASKED.key: NOW + LEASE}
    totals = first.finish(call(outcome="ok", charged_tokens=700), '{"x": 1}', tell=True, now_ms=NOW)
    assert totals == Totals(1, 1, 1, 700, 0.0)
    assert second.asked([ASKED.key]) == {}
    heard = take(second, 1)
    assert (heard.kind, heard.row["answer"], heard.row["call_id"]) == (
        "answered",
        '{"x": 1}',
        "call0",
    )
    assert take(second, 2, news_key="other").kind == "mine"
    assert take(second, 3, close_ms=NOW + 60_000).kind == "mine"  # the candles are others by then


def test_who_cannot_ask_may_look(two: tuple[SharedQuestions, SharedQuestions]) -> None:
    first, second = two
    assert first.claim(ASKED, None, NOW, NOW + LEASE).kind == "free"
    take(second)
    assert first.claim(ASKED, None, NOW, NOW + LEASE).kind == "asked"


def test_a_question_of_a_sidecar_that_died_is_taken_over_and_stays_charged(
    two: tuple[SharedQuestions, SharedQuestions], reader: Reader
) -> None:
    first, second = two
    take(first)
    assert take(second, 1, NOW + LEASE - 1).kind == "asked"
    over = take(second, 1, NOW + LEASE)
    assert over.kind == "mine" and over.totals.tokens == 2_000
    rows = {row["call_id"]: row for row in reader.model_calls(0, NOW + LEASE)}
    assert (rows["call0"]["outcome"], rows["call1"]["outcome"]) == ("abandoned", "asking")
    # Should it come back after all, its words no longer count.
    first.finish(call(outcome="ok"), '{"late": 1}', tell=True, now_ms=NOW + LEASE)
    assert second.asked([ASKED.key]) == {ASKED.key: NOW + 2 * LEASE}


def test_what_came_of_nothing_is_asked_by_the_other(
    two: tuple[SharedQuestions, SharedQuestions],
) -> None:
    first, second = two
    take(first)
    first.finish(call(outcome="unreachable"), None, tell=False, now_ms=NOW)
    assert take(second, 1).kind == "mine"


@pytest.mark.parametrize(
    ("outcome", "early", "again"),
    [
        ("malformed", False, "failed"),
        ("malformed", True, "mine"),
        ("contradictory", True, "failed"),
    ],
)
def test_a_failure_is_shared_and_an_early_one_asked_once_more_at_the_close(
    two: tuple[SharedQuestions, SharedQuestions], outcome: str, early: bool, again: str
) -> None:
    first, second = two
    take(first, early=early)
    row = call(outcome=outcome, detail="why")
    first.finish(row, None, tell=True, now_ms=NOW)
    assert take(second, 1, early=True).kind == "failed"
    claim = take(second, 2)
    assert claim.kind == again
    if again == "failed":
        assert (claim.row["outcome"], claim.row["detail"]) == (outcome, "why")


def judge(writer: Writer, **changes: Any) -> None:
    """Another sidecar's verdict about the wave."""
    key = {column.name: getattr(ASKED, column.name) for column in schema.verdicts.primary_key}
    texts = ("liq_note", "trend_note", "news_note", "action_reason", "inputs", "guard", "symbol")
    rest = dict.fromkeys(texts, "") | {"news": "none", "action": "skip", "confidence": "low"}
    rest |= {"inputs": "{}", "guard": "[]"}
    times = dict.fromkeys(("close_ms", "available_at", "expires_at"), NOW)
    writer.put_verdicts([key | rest | times | {"downgrade": 3, "confirmed": None} | changes])


def test_what_was_judged_before_is_not_asked(
    two: tuple[SharedQuestions, SharedQuestions], writer: Writer
) -> None:
    judge(writer)
    claim = take(two[0], close_ms=NOW + 60_000)
    assert (claim.kind, claim.row["action"]) == ("judged", "skip")
    assert take(two[0], strength="medium").kind == "mine"


@pytest.mark.parametrize(
    "changes",
    [
        {"news": "contradicts", "news_key": "others"},
        {"judge": "vetoed", "strength": "medium", "inputs": '{"failure": "contradictory"}'},
        {"judge": "vetoed", "strength": "medium", "inputs": '{"failure": "vetoed"}'},
        {"news": "contradicts", "judge": "other@v1"},
    ],
)
def test_a_wave_that_news_was_against_is_asked_about_by_no_sidecar(
    two: tuple[SharedQuestions, SharedQuestions], writer: Writer, changes: dict[str, Any]
) -> None:
    judge(writer, **changes)
    assert take(two[0]).kind == "vetoed"
    assert take(two[0], 1, direction="LONG").kind == "mine"


@pytest.mark.parametrize("failure", ["malformed", "timeout", "doubted"])
def test_a_doubt_keeps_the_matrix_away_and_no_sidecar_from_asking(
    two: tuple[SharedQuestions, SharedQuestions], writer: Writer, failure: str
) -> None:
    judge(writer, judge="vetoed", inputs=json.dumps({"failure": failure}))
    assert take(two[0], news_key="others").kind == "mine"


@pytest.mark.parametrize(
    ("limits", "name"),
    [
        ({"calls_per_minute": 3}, "calls_per_minute"),
        ({"calls_per_hour": 3}, "calls_per_hour"),
        ({"calls_per_day": 3}, "calls_per_day"),
        ({"tokens_per_day": 3_999}, "tokens_per_day"),
        ({"usd_per_day": 0.35}, "usd_per_day"),
    ],
)
def test_what_may_be_spent_is_that_of_the_store(
    open_writer: MakeWriter, limits: dict[str, float], name: str
) -> None:
    both = sharing(open_writer, BudgetSettings.model_validate(limits))
    kinds = []
    for number in range(5):
        question = replace(ASKED, base_asset=f"C{number}")
        row = call(number, cost_usd=0.1)
        kinds.append(both[number % 2].claim(question, row, NOW, NOW + LEASE))
    assert [kind.kind for kind in kinds] == ["mine"] * 3 + ["limit"] * 2
    assert {kind.limit for kind in kinds[3:]} == {name}
    assert both[0].charge("call0", 1_000, 0.1, NOW) == name
    # A minute, an hour and a day later nothing of it counts any more.
    later = NOW + 86_400_000
    assert both[1].claim(ASKED, call(9, later), later, later + LEASE).kind == "mine"


def test_a_repeated_request_is_charged_before_it_is_sent(
    two: tuple[SharedQuestions, SharedQuestions], reader: Reader
) -> None:
    first, _ = two
    first.claim(ASKED, call(cost_usd=0.1), NOW, NOW + LEASE)
    assert first.charge("call0", 1_000, 0.1, NOW) == Totals(2, 2, 2, 2_000, 0.2)
    assert reader.model_calls(0, NOW)[0]["requests"] == 2
    done = call(outcome="ok", requests=2, charged_tokens=900, cost_usd=0.05)
    assert first.finish(done, "{}", tell=True, now_ms=NOW).tokens == 900


def test_two_at_once_ask_each_question_once_and_overspend_nothing(store_url: str) -> None:
    Writer(open_engine(store_url)).close()
    limits = BudgetSettings(calls_per_minute=40)
    kinds: list[tuple[str, int]] = []
    ready = threading.Barrier(2)

    def ask_all(name: str) -> None:
        writer = Writer(open_engine(store_url, busy_timeout_s=30))
        shared = SharedQuestions(lambda: writer.engine, name, limits)
        ready.wait()
        for number in range(60):
            question = replace(ASKED, base_asset=f"C{number}")
            row = call(0, call_id=f"{name}{number}")
            kinds.append((shared.claim(question, row, NOW, NOW + LEASE).kind, number))
        writer.close()

    threads = [threading.Thread(target=ask_all, args=(name,)) for name in "ab"]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    mine = [number for kind, number in kinds if kind == "mine"]
    assert sorted(mine) == list(range(40))
    assert sum(kind == "limit" for kind, _ in kinds) == 40


def test_a_question_that_costs_nothing_is_shared_and_charged_to_nobody(
    open_writer: MakeWriter, reader: Reader
) -> None:
    """What a judge is asked that another package adds; the model's budget may be spent."""
    limits = BudgetSettings(calls_per_minute=1)
    first, second = sharing(open_writer, limits)
    assert take(first, base_asset="ETH").kind == "mine"
    free = {"call_id": "free", "outcome": "ok", "detail": ""}

    def claim(who: SharedQuestions, number: int, at_ms: int = NOW) -> Any:
        row = free | {"call_id": f"free{number}"}
        return who.claim(ASKED, row, at_ms, at_ms + LEASE, paid=False)

    assert claim(first, 0).kind == "mine"
    assert claim(second, 1).kind == "asked"
    assert claim(second, 1, NOW + LEASE).kind == "mine", "the first one did not come back"
    said = free | {"call_id": "free1"}
    second.finish(said, '{"x": 1}', tell=True, now_ms=NOW + LEASE, paid=False)
    heard = claim(first, 2, NOW + LEASE)
    assert (heard.kind, heard.row["answer"]) == ("answered", '{"x": 1}')
    assert [row["call_id"] for row in reader.model_calls(0, NOW + LEASE)] == ["call0"]
    assert take(first, 3, base_asset="SOL").kind == "limit"


@pytest.fixture
def older(store_url: str) -> Iterator[str]:
    """A store as it was before questions were shared, with a call on record."""
    engine = open_engine(store_url)
    config = Config()
    config.set_main_option("script_location", str(Path(schema.__file__).parent / "migrations"))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0005")
        connection.execute(schema.model_calls.insert(), [call(outcome="ok")])
    engine.dispose()
    yield store_url


def test_an_older_store_learns_to_share_and_keeps_what_it_holds(older: str) -> None:
    writer, reader = Writer(open_engine(older)), Reader(older)
    assert [row["call_id"] for row in reader.model_calls(0, NOW)] == ["call0"]
    shared = SharedQuestions(lambda: writer.engine, "a", LIMITS)
    claim = take(shared, 1)
    assert claim.kind == "mine" and claim.totals.calls == 2
    reader.close()
    writer.close()
