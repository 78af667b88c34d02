"""Two judges of one store, in one process: what the second one hears without asking."""

import asyncio
import json
import sqlite3
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from aiohttp import web

from liq_provider.config.sections import LlmSettings
from liq_provider.errors import ModelFailure
from liq_provider.judge.budget import Spent
from liq_provider.judge.guarded_answer import GuardedAnswer
from liq_provider.judge.matrix import Action
from liq_provider.judge.model import ModelJudge
from liq_provider.judge.shared_asking import SharedAsking
from liq_provider.news.desk import NOT_ASKED
from liq_provider.simulator.stand_in_model import StandIn, well_behaved
from liq_provider.store.database import open_engine
from liq_provider.store.reader import Reader
from liq_provider.store.writer import Writer
from tests.judge.facts import CANDLES, NOW, facts
from tests.judge.test_model import answer, says, status
from tests.sidecars import until


class TwoJudges:
    """Two judges, each with a writer of its own on one store."""

    def __init__(self, directory: Path) -> None:
        self.path = directory / "store.sqlite"
        self.url = f"sqlite:///{self.path}"
        self.now_ms = NOW
        self.threads: list[ThreadPoolExecutor] = []
        self.writers: list[Writer] = []
        self.kept: list[dict[str, Any]] = []
        self.judges: list[ModelJudge] = []

    def judge(self, server: StandIn, past: tuple[Spent, ...] | None = (), **llm: Any) -> ModelJudge:
        writer = Writer(open_engine(self.url, busy_timeout_s=0.2))
        thread = ThreadPoolExecutor(1)
        self.threads.append(thread)
        self.writers.append(writer)
        values = {"base_url": server.url, "model": "m", "timeout_s": 2} | llm
        settings = LlmSettings.model_validate(values)
        shared = SharedAsking(writer, thread, settings, lambda: self.now_ms)

        async def keep(row: dict[str, Any]) -> None:
            self.kept.append(row)

        judge = ModelJudge(settings, "1m", lambda: self.now_ms, keep, past, shared)
        judge.prepare()
        self.judges.append(judge)
        return judge

    def calls(self) -> list[dict[str, Any]]:
        reader = Reader(self.url)
        try:
            return reader.model_calls(0, self.now_ms)
        finally:
            reader.close()

    async def close(self) -> None:
        for judge in self.judges:
            await judge.close()


@pytest.fixture
def two(tmp_path: Path) -> Iterator[TwoJudges]:
    two = TwoJudges(tmp_path)
    yield two
    for thread in two.threads:
        thread.shutdown()
    for writer in two.writers:
        writer.close()


async def said(judge: ModelJudge, **changes: Any) -> GuardedAnswer | str:
    try:
        return await judge.judge(facts(**changes), CANDLES, NOT_ASKED)
    except ModelFailure as failure:
        return failure.kind


async def thinking(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
    await asyncio.sleep(0.4)
    return await well_behaved(request, body)


async def test_the_second_hears_what_the_first_was_answered(two: TwoJudges) -> None:
    async with StandIn(handler=thinking) as server:
        first, second = two.judge(server), two.judge(server)
        both = await asyncio.gather(said(first), said(second))
        later = await said(second)
        await two.close()
    assert len(server.requests) == 1
    one, other = both
    assert isinstance(one, GuardedAnswer) and one == other == later
    assert one.guarded.action is Action.ENTER
    assert {judge.report()["shared"] for judge in two.judges} == {0, 2} or {
        judge.report()["shared"] for judge in two.judges
    } == {1}
    (call,) = two.calls()
    assert (call["outcome"], call["call_id"]) == ("ok", one.call_id)


async def test_a_made_up_figure_is_counted_by_who_asked_and_by_nobody_else(two: TwoJudges) -> None:
    async with StandIn(handler=says(answer(liq_note="z 31.5 over 14 venues"))) as server:
        first, second = two.judge(server), two.judge(server)
        one, other = await said(first), await said(second)
        await two.close()
    assert isinstance(one, GuardedAnswer) and one == other
    counted = [judge.report()["notes_replaced"] for judge in two.judges]
    assert (counted, second.report()["shared"]) == ([1, 0], 1)


async def test_words_about_other_numbers_than_the_own_are_not_repeated(two: TwoJudges) -> None:
    async with StandIn() as server:
        first, second = two.judge(server), two.judge(server)
        await said(first)
        mine = facts(details=facts().details | {"z": 9.5})
        heard = await second.judge(mine, CANDLES, NOT_ASKED)
        await two.close()
    assert "z 9.5" in heard.verdict(mine, "m@v1", NOW, NOW).liq_note


@pytest.mark.parametrize(
    ("text", "kind"), [("nonsense", "malformed"), ('{"a": 1, "a": 2}', "contradictory")]
)
async def test_a_useless_answer_is_useless_for_both(two: TwoJudges, text: str, kind: str) -> None:
    async with StandIn(handler=says(text)) as server:
        first, second = two.judge(server), two.judge(server)
        assert await said(first) == await said(second) == kind
        await two.close()
    assert len(server.requests) == 1


async def test_who_cannot_ask_still_hears(two: TwoJudges, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    async with StandIn() as server:
        first, second = two.judge(server), two.judge(server, base_url=None)
        assert await said(second) == "no key"
        await said(first)
        assert isinstance(await said(second), GuardedAnswer)
        await two.close()
    assert len(server.requests) == 1


async def test_a_refusal_of_one_key_leaves_the_question_to_the_other(two: TwoJudges) -> None:
    async with StandIn(handler=status(401)) as refusing, StandIn() as server:
        first, second = two.judge(refusing), two.judge(server)
        assert await said(first) == "key refused"
        assert isinstance(await said(second), GuardedAnswer)
        await two.close()


async def test_the_budget_is_that_of_both(two: TwoJudges) -> None:
    async with StandIn() as server:
        judges = [two.judge(server, budget={"calls_per_minute": 3}) for _ in range(2)]
        answers = await asyncio.gather(*(said(judges[n % 2], base_asset=f"C{n}") for n in range(8)))
        reports = [judge.report()["budget"] for judge in judges]
        await two.close()
    assert len(server.requests) == 3
    assert sorted(item for item in answers if isinstance(item, str)) == ["over budget"] * 5
    assert all(report["spent"]["calls_per_minute"]["used"] == 3 for report in reports)
    assert all(report["reached"] == ["calls_per_minute"] for report in reports)
    assert sum(row["charged_tokens"] for row in two.calls()) == 3 * 1_020


async def test_every_request_of_a_question_counts_for_both(two: TwoJudges) -> None:
    async with StandIn(handler=status(500)) as server:
        first = two.judge(server, budget={"calls_per_minute": 2})
        assert await said(first) == "over budget"
        await two.close()
    assert len(server.requests) == 2
    assert (two.calls()[0]["requests"], two.calls()[0]["charged_tokens"]) == (2, 0)


async def test_a_question_that_was_given_up_is_the_others_to_ask(two: TwoJudges) -> None:
    async with StandIn(handler=thinking) as server:
        first, second = two.judge(server), two.judge(server)
        asking = asyncio.create_task(said(first))
        await until(lambda: server.requests, "it is asked")
        asking.cancel()
        assert isinstance(await said(second), GuardedAnswer)
        await two.close()
    assert {row["outcome"] for row in two.calls()} == {"cancelled", "ok"}


async def test_the_other_one_is_waited_for_until_nobody_can_use_the_answer(two: TwoJudges) -> None:
    async def never(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        await asyncio.sleep(30)
        raise AssertionError

    async with StandIn(handler=never) as server:
        first, second = two.judge(server), two.judge(server)
        asking = asyncio.create_task(said(first))
        await until(lambda: server.requests, "it is asked")
        waiting = asyncio.create_task(second.judge(facts(), CANDLES, NOT_ASKED, NOW + 500))
        await asyncio.sleep(0.3)
        two.now_ms = NOW + 500
        with pytest.raises(ModelFailure, match="too late"):
            await waiting
        assert await asking == "timeout"
        await two.close()
    assert len(server.requests) == 1


async def test_a_store_that_cannot_be_reached_leaves_each_to_itself(two: TwoJudges) -> None:
    async with StandIn() as server:
        judge = two.judge(server, budget={"calls_per_day": 2})
        with closing(sqlite3.connect(two.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            answers = [await said(judge, base_asset=f"C{n}") for n in range(3)]
            other.execute("ROLLBACK")
        assert [isinstance(item, GuardedAnswer) for item in answers] == [True, True, False]
        assert answers[2] == "over budget"
        assert [row["outcome"] for row in two.kept] == ["ok", "ok", "over budget"]
        # What the store was not told stays counted when it is back.
        assert await said(judge, base_asset="C9") == "over budget" or len(server.requests) == 3
        assert judge.report()["budget"]["spent"]["calls_per_day"]["used"] >= 2
        await two.close()


async def test_nothing_is_spent_while_nobody_knows_what_was_spent(two: TwoJudges) -> None:
    async with StandIn() as server:
        judge = two.judge(server, past=None)
        with closing(sqlite3.connect(two.path, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await said(judge) == "over budget"
            other.execute("ROLLBACK")
        assert not server.requests
        assert isinstance(await said(judge), GuardedAnswer)
        await two.close()


async def test_a_question_on_record_before_it_is_sent_holds_the_prompt(two: TwoJudges) -> None:
    seen: list[dict[str, Any]] = []

    async def look(request: web.Request, body: dict[str, Any]) -> web.StreamResponse:
        seen.extend(await asyncio.to_thread(two.calls))
        return await well_behaved(request, body)

    async with StandIn(handler=look) as server:
        await said(two.judge(server))
        await two.close()
    assert [row["outcome"] for row in seen] == ["asking"]
    assert json.loads(seen[0]["prompt"]) == server.requests[0]["messages"]
