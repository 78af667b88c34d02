"""``verdicts`` and ``judge`` from the command line."""

import json
from pathlib import Path
from typing import Any

import pytest

from liq_provider.cli import main
from liq_provider.store.database import open_engine
from liq_provider.store.writer import Writer
from tests.bot.helpers import at, verdict
from tests.store.helpers import headline, model_call

SPAN = ["--from", str(at(-10)), "--to", str(at(60))]


def call(**changes: Any) -> dict[str, Any]:
    values = {
        "call_id": "c1",
        "base_asset": "BTC",
        "symbol": "BTC/USDT:USDT",
        "direction": "SHORT",
        "wave_start_ms": at(0),
        "close_ms": at(0),
        "judge": "m@v1",
        "news_key": "none",
        "asked_ms": at(0) + 2_100,
        "latency_ms": 900,
        "requests": 1,
        "prompt": json.dumps([{"role": "user", "content": "data"}]),
        "answer": "{}",
        "prompt_tokens": 900,
        "answer_tokens": 120,
        "charged_tokens": 1_020,
        "cost_usd": 0.0012,
        "outcome": "ok",
        "detail": "",
    }
    return values | changes


@pytest.fixture
def store(tmp_path: Path) -> list[str]:
    url = f"sqlite:///{tmp_path / 'store.sqlite'}"
    writer = Writer(open_engine(url))
    inputs = json.dumps({"z": 9.0, "call_id": "c1"})
    changes = json.dumps(["confidence high -> medium"])
    writer.put_verdicts([verdict(0, judge="m@v1", inputs=inputs, guard=changes)])
    writer.put_verdicts([verdict(5, base="ETH")])
    writer.put_model_call(call())
    writer.put_model_call(call(call_id="c2", base_asset="ETH", outcome="timeout"))
    writer.close()
    return ["--store", url]


def test_verdicts_come_with_what_they_cost(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["verdicts", *store, *SPAN, "--format", "json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert (first["judge"], first["outcome"], first["cost_usd"]) == ("m@v1", "ok", 0.0012)
    assert first["guard"] == ["confidence high -> medium"]
    assert second["symbol"] == "ETH/USDT:USDT" and second["cost_usd"] is None


def test_verdicts_of_one_pair_as_csv(store: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdicts", *store, *SPAN, "--pair", "ETH/USDT:USDT", "--format", "csv"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 2 and "ETH/USDT:USDT" in lines[1]


def test_calls_hold_prompt_and_answer(store: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdicts", *store, *SPAN, "--calls", "--format", "json"]) == 0
    rows = json.loads(capsys.readouterr().out)
    assert [row["outcome"] for row in rows] == ["ok", "timeout"]
    assert rows[0]["prompt"] == [{"role": "user", "content": "data"}]


@pytest.mark.parametrize("more", [[], ["--calls"]])
def test_tables_are_readable(
    store: list[str], capsys: pytest.CaptureFixture[str], more: list[str]
) -> None:
    assert main(["verdicts", *store, *SPAN, *more]) == 0
    assert "m@v1" in capsys.readouterr().out


def test_an_empty_span_says_so(store: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["verdicts", *store, "--from", "2020-01-01", "--to", "2020-01-02"]) == 0
    assert "None between 2020-01-01" in capsys.readouterr().out


def test_without_a_wave_there_is_nothing_to_ask(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    at_time = ["--pair", "BTC/USDT:USDT", "--at", str(at(30)), "--dry"]
    assert main(["judge", *store, *at_time]) == 2
    assert "BTC/USDT:USDT" in capsys.readouterr().err


def test_a_question_on_record_is_shown_as_it_was_asked(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    at_time = ["--pair", "BTC/USDT:USDT", "--at", str(at(0)), "--dry"]
    assert main(["judge", *store, *at_time]) == 0
    said = capsys.readouterr().out
    assert said.startswith("As m@v1 was asked at ") and "--- user\ndata\n" in said


def test_no_cell_of_a_table_is_a_formula(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    writer = Writer(open_engine(store[1]))
    writer.put_verdicts([verdict(9, action_reason='=HYPERLINK("https://evil.example")')])
    writer.close()
    assert main(["verdicts", *store, *SPAN, "--format", "csv"]) == 0
    said = capsys.readouterr().out
    assert "'=HYPERLINK" in said and ',"=' not in said


def test_a_question_on_record_tells_how_many_sources_its_news_had(
    store: list[str], capsys: pytest.CaptureFixture[str]
) -> None:
    titles = ("BTC exchange sued by regulator", "Withdrawals of BTC are in trouble", "Not given")
    writer = Writer(open_engine(store[1]))
    writer.put_news(
        [
            headline(at(0), f"n{n}", title=title, origins=f"site{n}.example")
            for n, title in enumerate(titles)
        ]
    )
    given = {"news": [{"title": title} for title in titles[:2]]}
    chat = [{"role": "user", "content": f"---\n{json.dumps(given)}\n---"}]
    late = {"asked_ms": at(0) + 25_000, "wave_start_ms": at(0), "close_ms": at(0)}
    writer.put_model_call(model_call(**late, call_id="later", prompt=json.dumps(chat)))
    writer.close()
    at_time = ["--pair", "BTC/USDT:USDT", "--at", str(at(0)), "--dry"]
    assert main(["judge", *store, *at_time]) == 0
    said = capsys.readouterr().out
    assert "News: 2 headlines of 2 independent sources, news.min_sources is 2\n" in said
