"""Verdicts on record: none is restated, and what was said against a wave holds."""

import itertools
from collections.abc import Mapping
from typing import Any

import pytest

from liq_provider.store import schema
from liq_provider.store.reader import Reader
from liq_provider.store.restored_rows import put_missing
from liq_provider.store.verdict_minutes import Confirmed, first_span, spans_of
from liq_provider.store.verdicts import Written
from liq_provider.store.vetoes import refuses
from liq_provider.store.writer import Writer
from tests.store.conftest import MakeWriter
from tests.store.helpers import MINUTE, T0, verdict

NEW, KNOWN, DOUBTED = Written.NEW, Written.KNOWN, Written.DOUBTED


def confirmed(minute: int, **changes: Any) -> Confirmed:
    """The wave is there, in its state, in a minute after its first."""
    close_ms = T0 + minute * MINUTE
    state = {"strength": "strong", "aligned": "yes", "news_key": "some-news", "judge": "x"}
    known = {"base_asset": "BTC", "direction": "SHORT", "wave_start_ms": T0} | state
    return Confirmed(**known | changes, close_ms=close_ms, expires_at=close_ms + 32_000)


def confirm(writer: Writer, minute: int, now_ms: int | None = None, **changes: Any) -> None:
    spans = confirmed(minute, **changes)
    writer.put_verdicts([], [spans], now_ms or spans.close_ms + 2_000)


def test_a_verdict_is_never_restated(writer: Writer, reader: Reader) -> None:
    writer.put_verdicts([verdict()])
    writer.put_verdicts([verdict(action="other", available_at=T0 + 9_000)])
    (stored,) = reader.verdicts(T0, T0 + MINUTE)
    assert (stored["action"], stored["available_at"]) == ("x", T0 + 3_000)


def test_a_confirmed_wave_lets_its_verdicts_live_longer(writer: Writer, reader: Reader) -> None:
    writer.put_verdicts([verdict()])
    writer.put_verdicts([verdict(wave_start_ms=T0 - MINUTE)])
    confirm(writer, 1)
    confirm(writer, 0, now_ms=T0 + 63_000)
    confirm(writer, 2, direction="LONG")
    verdicts = {row["wave_start_ms"]: row for row in reader.verdicts(T0, T0 + MINUTE)}
    assert verdicts[T0]["expires_at"] == T0 + 92_000
    assert verdicts[T0]["available_at"] == T0 + 3_000
    assert verdicts[T0 - MINUTE]["expires_at"] == T0 + 32_000
    assert reader.states(["verdict_ms"]) == {"verdict_ms": T0 + 62_000}


def test_the_minutes_between_two_confirmations_are_not_confirmed(
    writer: Writer, reader: Reader
) -> None:
    writer.put_verdicts([verdict()])
    for minute in (1, 3, 4):
        confirm(writer, minute)
    (stored,) = reader.verdicts(T0, T0 + MINUTE)
    minutes = [[(at - T0) // MINUTE for at in span] for span in spans_of(stored, 32_000)]
    assert minutes == [[0, 1], [3, 4]]
    assert stored["expires_at"] == T0 + 4 * MINUTE + 32_000


def test_a_minute_that_nobody_can_act_upon_any_more_confirms_nothing(
    writer: Writer, reader: Reader
) -> None:
    writer.put_verdicts([verdict()], now_ms=T0 + 3_000)
    confirm(writer, 1, now_ms=T0 + MINUTE + 32_001)
    (stored,) = reader.verdicts(T0, T0 + MINUTE)
    assert stored["expires_at"] == T0 + 32_000
    assert reader.states(["verdict_ms"]) == {"verdict_ms": T0 + 3_000}


def test_hundreds_of_waves_are_confirmed_at_once(writer: Writer, reader: Reader) -> None:
    coins = [f"C{number}" for number in range(250)]
    rows = [verdict(base_asset=coin) for coin in coins]
    assert writer.put_verdicts([*rows, verdict()], now_ms=1) == [NEW] * 251
    assert writer.put_verdicts([verdict(), verdict(base_asset="NEW")]) == [KNOWN, NEW]
    writer.put_verdicts([], [confirmed(1, base_asset=coin) for coin in coins], T0 + 62_000)
    expiries = {row["base_asset"]: row["expires_at"] for row in reader.verdicts(T0, T0 + MINUTE)}
    assert {expiries[coin] for coin in coins} == {T0 + 92_000}
    assert expiries["BTC"] == expiries["NEW"] == T0 + 32_000


@pytest.mark.parametrize(
    "other", [{"strength": "medium"}, {"aligned": "no"}, {"news_key": ""}, {"judge": "y"}]
)
def test_what_was_judged_of_another_state_does_not_live_longer(
    writer: Writer, reader: Reader, other: dict[str, str]
) -> None:
    writer.put_verdicts([verdict(**other)])
    confirm(writer, 1)
    (stored,) = reader.verdicts(T0, T0 + MINUTE)
    assert stored["expires_at"] == T0 + 32_000


# -- news that is against a wave

AGAINST = {"news": "contradicts", "news_key": "other-news", "action": "skip"}
TORN = {"judge": "vetoed", "inputs": '{"failure": "contradictory"}', "news_key": "other-news"}


@pytest.mark.parametrize("veto", [AGAINST, TORN])
@pytest.mark.parametrize("together", [False, True])
def test_who_lets_a_wave_pass_that_news_is_against_comes_too_late(
    writer: Writer, reader: Reader, veto: dict[str, str], together: bool
) -> None:
    passes, other = verdict(available_at=T0 + 9_000), verdict(base_asset="ETH")
    if together:
        assert writer.put_verdicts([passes, verdict(**veto), other]) == [Written.AGAINST, NEW, NEW]
    else:
        assert writer.put_verdicts([verdict(**veto)]) == [NEW]
        assert writer.put_verdicts([passes, other]) == [Written.AGAINST, NEW]
    rows = reader.verdicts(T0, T0 + MINUTE)
    assert {(row["base_asset"], row["news_key"]) for row in rows} == {
        ("BTC", "other-news"),
        ("ETH", "some-news"),
    }
    # What refuses the wave as well may be said.
    assert writer.put_verdicts([verdict(judge="vetoed")]) == [NEW]


@pytest.mark.parametrize("veto", [AGAINST, TORN])
def test_a_veto_is_newer_than_what_it_stands_against(
    writer: Writer, reader: Reader, veto: dict[str, str]
) -> None:
    writer.put_verdicts([verdict(available_at=T0 + 7_000)])
    writer.put_verdicts([verdict(**veto, available_at=T0 + 6_900)])
    newest = reader.verdicts(T0, T0 + MINUTE)[-1]
    assert (newest["news_key"], newest["available_at"]) == ("other-news", T0 + 7_001)


@pytest.mark.parametrize("veto", [AGAINST, TORN])
def test_what_let_a_wave_pass_lives_no_longer_once_news_was_against_it(
    writer: Writer, reader: Reader, veto: dict[str, str]
) -> None:
    writer.put_verdicts([verdict()])
    writer.put_verdicts([verdict(**veto)])
    confirm(writer, 1)
    state = {name: veto[name] for name in ("judge", "news_key") if name in veto}
    confirm(writer, 1, **state)
    expiries = {row["news_key"]: row["expires_at"] for row in reader.verdicts(T0, T0 + MINUTE)}
    assert expiries == {"some-news": T0 + 32_000, "other-news": T0 + 92_000}


def test_a_wave_that_only_the_matrix_may_not_judge_may_be_judged_by_a_model(
    writer: Writer,
) -> None:
    writer.put_verdicts([verdict(judge="vetoed", inputs='{"failure": "malformed"}')])
    assert writer.put_verdicts([verdict(news_key="newer")]) == [NEW]


def said(judge: str, **changes: Any) -> dict[str, Any]:
    """What one says of the same state, a moment later than the last."""
    key = {"judge": judge, "news_key": "other-news"}
    times = {"available_at": next(_TIMES), "confirmed": first_span(T0)}
    return verdict(**key | times | changes)


_TIMES = itertools.count(T0 + 3_000)
YES = {"news": "none", "action": "enter"}
DOUBT = {"inputs": '{"failure": "timeout"}', "action": "skip"}
CONTRADICTS = {"news": "contradicts", "action": "skip"}
TWICE = {"inputs": '{"failure": "contradictory"}', "action": "skip"}


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    ("judge", "before", "veto"), [("m@v1", YES, CONTRADICTS), ("vetoed", DOUBT, TWICE)]
)
def test_news_against_a_wave_takes_the_place_of_what_was_said_of_the_same_state(
    open_writer: MakeWriter,
    reader: Reader,
    together: bool,
    judge: str,
    before: dict[str, str],
    veto: dict[str, str],
) -> None:
    """One sidecar heard yes, or nothing, and the other one that news is against it."""
    first, second = open_writer(), open_writer()
    other = said("x", base_asset="ETH")
    if together:
        told = first.put_verdicts([other, said(judge, **before), said(judge, **veto)])
        assert told[0] is NEW and told[2] is NEW
    else:
        assert first.put_verdicts([said(judge, **before)]) == [NEW]
        assert second.put_verdicts([said(judge, **veto), other]) == [NEW, NEW]
    rows = {row["base_asset"]: row for row in reader.verdicts(T0, T0 + MINUTE)}
    assert {name: rows["BTC"][name] for name in veto} == veto
    # Nobody lets it pass now, the first one least of all; nor is it said twice.
    assert first.put_verdicts([said("m@v1", news_key="newer", **YES)]) == [Written.AGAINST]
    confirm(first, 1, judge=judge, news_key="other-news")
    assert second.put_verdicts([said(judge, **veto)]) == [KNOWN]
    (row,) = (row for row in reader.verdicts(T0, T0 + 2 * MINUTE) if row["base_asset"] == "BTC")
    assert {name: row[name] for name in veto} == veto
    assert row["expires_at"] == T0 + MINUTE + 32_000


def test_a_veto_that_takes_the_place_of_a_yes_is_newer_and_holds_for_its_own_minutes(
    writer: Writer, reader: Reader
) -> None:
    writer.put_verdicts([said("m@v1", available_at=T0 + 9_000, **YES)])
    confirm(writer, 1, judge="m@v1", news_key="other-news")
    later = {"close_ms": T0 + 2 * MINUTE, "confirmed": first_span(T0 + 2 * MINUTE)}
    writer.put_verdicts([said("m@v1", available_at=T0 + 8_000, **later, **CONTRADICTS)])
    (row,) = reader.verdicts(T0, T0 + 3 * MINUTE)
    assert row["available_at"] == T0 + 9_001
    assert spans_of(row, 32_000) == [(T0 + 2 * MINUTE, T0 + 2 * MINUTE)]


@pytest.mark.parametrize(("minutes", "spans"), [([1], [[0, 1]]), ([1, 3], [[0, 0], [3, 3]])])
def test_a_late_veto_holds_in_the_last_minute_in_which_another_state_let_the_wave_pass(
    writer: Writer, reader: Reader, minutes: list[int], spans: list[list[int]]
) -> None:
    writer.put_verdicts([said("m@v1", news_key="newer", **YES)])
    for minute in minutes:
        confirm(writer, minute, judge="m@v1", news_key="newer")
    writer.put_verdicts([said("m@v1", **CONTRADICTS)])
    (veto,) = (row for row in reader.verdicts(T0, T0 + MINUTE) if row["news"] == "contradicts")
    holds = [[(at - T0) // MINUTE for at in span] for span in spans_of(veto, 32_000)]
    assert holds == spans
    assert veto["expires_at"] == T0 + minutes[-1] * MINUTE + 32_000


def test_what_lets_a_wave_pass_takes_no_vetos_place(writer: Writer, reader: Reader) -> None:
    writer.put_verdicts([said("m@v1", **CONTRADICTS), said("vetoed", **TWICE)])
    assert writer.put_verdicts([said("m@v1", **YES)]) == [Written.AGAINST]
    assert writer.put_verdicts([said("vetoed", **DOUBT)]) == [KNOWN]
    rows = {row["judge"]: row for row in reader.verdicts(T0, T0 + MINUTE)}
    assert rows["m@v1"]["news"] == "contradicts"
    assert rows["vetoed"]["inputs"] == TWICE["inputs"]


def test_a_veto_that_is_imported_takes_the_place_of_a_yes_and_a_yes_that_of_none(
    writer: Writer, reader: Reader
) -> None:
    writer.put_verdicts([said("m@v1", **YES), said("other@v1", **CONTRADICTS)])
    imported = [
        said("m@v1", **CONTRADICTS),
        said("other@v1", **YES),
        said("old@v1", **YES),
    ]
    assert put_missing(writer.engine, schema.verdicts, imported) == 2
    rows = {row["judge"]: row["news"] for row in reader.verdicts(T0, T0 + MINUTE)}
    assert rows == {"m@v1": "contradicts", "other@v1": "contradicts", "old@v1": "none"}


# -- a doubt about a wave


def says_less(row: Mapping[str, Any]) -> bool:
    """Whoever says less than high, in the words of these tests."""
    return refuses(row) or row["confidence"] == "less"


@pytest.mark.parametrize("together", [True, False])
@pytest.mark.parametrize(
    "doubt", [{"judge": "m@v1", "confidence": "less"}, {"judge": "vetoed", **DOUBT}]
)
def test_the_matrix_may_not_judge_a_wave_that_another_sidecar_heard_a_doubt_about(
    open_writer: MakeWriter, reader: Reader, doubt: dict[str, str], together: bool
) -> None:
    first, second = open_writer(), open_writer()
    said_of = [said(**doubt), said("matrix", **YES), said("matrix", aligned="unknown", **DOUBT)]
    if together:
        assert first.put_verdicts(said_of, says_less=says_less) == [NEW, DOUBTED, NEW]
    else:
        assert first.put_verdicts(said_of[:1], says_less=says_less) == [NEW]
        assert second.put_verdicts(said_of[1:], says_less=says_less) == [DOUBTED, NEW]
    assert second.put_verdicts([said("m@v1", news_key="newer", **YES)], says_less=says_less) == [
        NEW
    ]
    assert second.put_verdicts([said("matrix", base_asset="ETH", **YES)], says_less=says_less) == [
        NEW
    ]
    judges = {
        (row["base_asset"], row["judge"], row["aligned"])
        for row in reader.verdicts(T0, T0 + MINUTE)
    }
    assert ("BTC", "matrix", "yes") not in judges
    assert {("BTC", "matrix", "unknown"), ("ETH", "matrix", "yes")} < judges


def test_what_the_matrix_said_before_a_doubt_is_not_confirmed_after_it(
    writer: Writer, reader: Reader
) -> None:
    writer.put_verdicts([said("matrix", **YES), said("m@v1", news_key="newer", **YES)])
    writer.put_verdicts([said("m@v1", confidence="less", news_key="newest")])
    minutes = [confirmed(1, judge="matrix", news_key="other-news")]
    minutes.append(confirmed(1, judge="m@v1", news_key="newer"))
    writer.put_verdicts([], minutes, T0 + MINUTE, says_less)
    ends = {row["news_key"]: row["expires_at"] for row in reader.verdicts(T0, T0 + MINUTE)}
    assert ends["other-news"] == T0 + 32_000
    assert ends["newer"] == T0 + MINUTE + 32_000, "a model may judge it in spite of a doubt"
