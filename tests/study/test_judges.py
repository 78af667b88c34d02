"""Did the AI help? Planted models that are right, wrong, or toss a coin, in a real store."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest

from liq_provider.cli import main
from liq_provider.config.settings import load_settings
from liq_provider.core.durations import DAY_MS
from liq_provider.judge.matrix import Action, News
from liq_provider.measure.waves import Strength
from liq_provider.study.event_study import Options, run_study
from liq_provider.study.judge_findings import judge_sentences
from liq_provider.study.judges import Judges
from liq_provider.study.pair_past import PairPast
from liq_provider.study.report import Part, StudyReport
from tests.bot.helpers import settings
from tests.study.planted import START_MS, market, pair_data
from tests.study.recorded_waves import MODEL, RecordedMarket, Wave
from tests.study.test_hyperopt_planted import BTC, DAYS, write

SETTINGS = load_settings({}, {})
EAGER = settings(min_confidence="low")
FADE = settings(direction_mode="fade")
ASKED = {"venues": ["binance"]}
CUT_MS = START_MS + 8 * DAY_MS  # of 12 days, where the hold-out begins


@pytest.fixture(scope="module")
def data() -> PairPast:
    return pair_data(market(1, 60, 0.0))


@pytest.fixture
def record(tmp_path: Path, data: PairPast) -> Iterator[RecordedMarket]:
    made = RecordedMarket(tmp_path / "store.sqlite", [data], SETTINGS)
    yield made
    made.store.close()


def plant(made: RecordedMarket, right: float, seed: int = 0) -> None:
    """
    A model that enters what will gain and skips what will lose.

    :param right: how often; else it does the opposite
    """
    rng = np.random.default_rng(seed)
    for wave in made.waves:
        enter = (wave.gross > 0) == (rng.random() < right)
        made.model(wave, Action.ENTER if enter else Action.SKIP)


def said(judges: Judges) -> str:
    return "\n".join(judge_sentences(judges))


def test_refusals_that_are_right_help(record: RecordedMarket) -> None:
    plant(record, 0.85)
    judges = record.judges()
    (comparison,) = judges.comparisons
    assert comparison.answer == "helped"
    entries = [gross for gross in (wave.entry() for wave in record.waves) if gross is not None]
    assert (
        comparison.kept.gross.n + comparison.refused.gross.n
        == comparison.by_matrix.gross.n
        == len(entries)
    )
    assert comparison.by_matrix.gross.mean == pytest.approx(np.mean(entries))
    expected = comparison.kept.gross.mean - comparison.refused.gross.mean
    assert comparison.difference.mean == pytest.approx(expected)
    assert 0 < comparison.difference.low < comparison.difference.mean < comparison.difference.high
    assert comparison.own.gross.n == comparison.kept.gross.n, "it enters nothing else"
    assert comparison.gain.mean == pytest.approx(
        comparison.kept.gross.mean - comparison.by_matrix.gross.mean
    )
    assert comparison.kept.net == pytest.approx(comparison.kept.gross.mean - record.options.cost)
    assert comparison.kept.net_2x == pytest.approx(
        comparison.kept.gross.mean - 2 * record.options.cost
    )
    assert f"{MODEL}: HELPED, what it refused did worse." in said(judges)
    assert "the same waves at the same candle, and only those that were judged live" in said(judges)


def test_help_that_gave_money_away_is_said(tmp_path: Path) -> None:
    """In a market where every wave pays, what was refused would have paid, too."""
    made = RecordedMarket(tmp_path / "store.sqlite", [pair_data(market(1, 60, 0.01))], SETTINGS)
    middle = np.median([wave.gross for wave in made.waves])
    for wave in made.waves:
        made.model(wave, Action.ENTER if wave.gross > middle else Action.SKIP)
    judges = made.judges()
    assert judges.comparisons[0].answer == "helped"
    assert judges.comparisons[0].refused.net > 0
    assert "in sum refusing gave money away" in said(judges)


def test_refusals_that_are_wrong_hurt(record: RecordedMarket) -> None:
    plant(record, 0.15)
    judges = record.judges()
    (comparison,) = judges.comparisons
    assert comparison.answer == "hurt"
    assert comparison.difference.high < 0
    assert f"{MODEL}: HURT, what it refused did better." in said(judges)


@pytest.mark.parametrize("seed", range(3))
def test_a_coin_toss_makes_no_difference(record: RecordedMarket, seed: int) -> None:
    plant(record, 0.5, seed)
    judges = record.judges()
    (comparison,) = judges.comparisons
    assert comparison.answer == "no difference"
    assert f"{MODEL}: NO DIFFERENCE that can be told from chance." in said(judges)


def test_too_few_are_not_enough_data(record: RecordedMarket) -> None:
    traded = [wave for wave in record.waves if wave.traded]
    for number, wave in enumerate(traded[:40]):
        record.model(wave, Action.ENTER if number % 4 else Action.SKIP)
    judges = record.judges()
    (comparison,) = judges.comparisons
    assert (comparison.kept.gross.n, comparison.refused.gross.n) == (30, 10)
    assert comparison.answer == "not enough data"
    assert "NOT ENOUGH DATA. It kept 30 event(s) on" in said(judges)
    assert "it refused 10 event(s) on" in said(judges)
    days = (traded[39].facts.close_ms - traded[0].facts.close_ms) / DAY_MS
    wanted = re.search(r"at this rate (\d+) days of recording with the model", said(judges))
    assert wanted is not None
    assert int(wanted[1]) == pytest.approx(3 * days, rel=0.1)


def test_many_events_on_few_days_are_not_enough_either(tmp_path: Path) -> None:
    made = RecordedMarket(
        tmp_path / "store.sqlite",
        [pair_data(market(seed, 12, 0.0), f"C{seed}/USDT:USDT") for seed in range(8)],
        SETTINGS,
    )
    plant(made, 0.9)
    (comparison,) = made.judges().comparisons
    assert min(comparison.kept.gross.n, comparison.refused.gross.n) >= 30
    assert comparison.kept.gross.days < 20
    assert comparison.answer == "not enough data"


def test_without_a_model_one_sentence_says_so(record: RecordedMarket) -> None:
    assert record.judges().tables == []
    for wave in record.waves[:50]:
        record.matrix(wave)
    judges = record.judges()
    assert judges.comparisons == []
    assert [table.judge for table in judges.tables] == ["matrix"]
    assert judges.tables[0].waves == 50
    (line,) = judge_sentences(judges)
    assert "No model's verdict of these waves is recorded" in line


def test_a_table_shows_what_was_said_and_how_surely(record: RecordedMarket) -> None:
    opposed = [w for w in record.waves if w.facts.strength is Strength.STRONG and not w.traded]
    medium = [w for w in record.waves if w.facts.strength is Strength.MEDIUM and w.facts.aligned]
    traded = [wave for wave in record.waves if wave.traded]
    for wave in traded[:7]:
        record.model(wave, news=News.SUPPORTS)
    for wave in traded[7:12]:
        record.model(wave)
    for wave in medium[:4]:
        record.model(wave)
    for wave in opposed[:6]:
        record.model(wave, news=News.SUPPORTS)
    for wave in opposed[6:9]:
        record.model(wave, Action.SKIP)
    (table,) = record.judges().tables
    assert (table.judge, table.waves) == (MODEL, 25)
    counts = {cell.name: cell.gross.n for cell in table.cells if "skipped" not in cell.name}
    assert counts == {
        "entered, high": 7,
        "entered, medium": 5,
        "enter, low: below min_confidence": 4,
        "held, low": 6,
    }
    gross = np.mean([wave.gross for wave in traded[:7]])
    assert table.cells[0].gross.mean == pytest.approx(gross)
    assert sum(c.gross.n for c in table.cells if "skipped" in c.name) >= 3


def test_min_confidence_says_what_is_entered(record: RecordedMarket) -> None:
    medium = [w for w in record.waves if w.facts.strength is Strength.MEDIUM and w.facts.aligned]
    for number, wave in enumerate(medium):
        record.model(wave, Action.ENTER if number % 2 else Action.SKIP)
    usual = {wave.facts.close_ms for wave in medium}
    assert len(usual) > 20
    (comparison,) = record.judges().comparisons
    low = record.judges(EAGER).comparisons[0]
    assert low.by_matrix.gross.n >= len(usual) > comparison.by_matrix.gross.n


def test_waves_that_only_the_model_enters_are_shown_apart(record: RecordedMarket) -> None:
    medium = [
        wave
        for wave in record.waves
        if wave.facts.strength is Strength.MEDIUM
        and wave.facts.aligned
        and len(wave.closes_ms) == 1
    ]
    for wave in medium:
        record.model(wave, news=News.SUPPORTS)
    judges = record.judges()
    (comparison,) = judges.comparisons
    assert len(medium) >= 3
    assert comparison.alone.gross.n == comparison.own.gross.n == len(medium)
    assert comparison.alone.gross.mean == pytest.approx(np.mean([wave.gross for wave in medium]))
    assert comparison.by_matrix.gross.n == 0
    assert "entered where the matrix alone would not have" in said(judges)
    assert "nan" not in said(judges)


def test_unavailable_is_a_judge_of_its_own(record: RecordedMarket) -> None:
    traded = [wave for wave in record.waves if wave.traded]
    for wave in traded[:20]:
        record.unavailable(wave)
    for wave in traded[20:50]:
        record.model(wave)
    judges = record.judges()
    assert [table.judge for table in judges.tables] == [MODEL, "unavailable"]
    (cell,) = judges.tables[1].cells
    assert (cell.name, cell.gross.n) == ("skipped, low", 20)
    (comparison,) = judges.comparisons
    assert (comparison.waves, comparison.kept.gross.n, comparison.refused.gross.n) == (30, 30, 0)


def test_with_fade_returns_are_those_of_the_trade(tmp_path: Path) -> None:
    made = RecordedMarket(tmp_path / "store.sqlite", [pair_data(market(1, 60, 0.0))], FADE)
    plant(made, 0.85)
    judges = made.judges()
    (comparison,) = judges.comparisons
    entries = [gross for gross in (wave.entry() for wave in made.waves) if gross is not None]
    assert comparison.by_matrix.gross.mean == pytest.approx(np.mean(entries))
    assert comparison.answer == "helped"
    assert (judges.late, judges.unseen) == (0, 0)
    # With the other mode the bot trades the other way; nobody asked the model about that.
    other = made.judges(SETTINGS)
    assert other.comparisons == []
    assert other.unseen == other.said == len(made.waves)
    assert "are about no wave of these settings, or another direction" in said(other)


def long_waves(made: RecordedMarket) -> list[Wave]:
    """Moderate and aligned for two candles: with ``min_confidence`` low the matrix enters."""
    state = (Strength.MEDIUM, True)
    return [wave for wave in made.waves if wave.states == [state, state]]


def test_what_came_too_late_is_not_used(record: RecordedMarket) -> None:
    one, two, *_ = long_waves(record)
    delay_ms = SETTINGS.max_entry_delay_ms
    record.model(one, available_ms=one.closes_ms[-1] + delay_ms + 1)
    record.model(two, available_ms=two.closes_ms[-1] + delay_ms)
    judges = record.judges(EAGER)
    assert (judges.said, judges.late) == (2, 1)
    (table,) = judges.tables
    assert table.waves == 1, "the second was in time for the wave's last candle"
    (cell,) = table.cells
    assert cell.name == "entered, low"
    assert cell.gross.mean == pytest.approx(two.returns[1])
    assert "1 came too late for any entry" in said(judges)


def test_a_later_word_does_not_undo_a_refusal(record: RecordedMarket) -> None:
    """That it entered later was not known when it refused: the wave counts as refused."""
    wave = long_waves(record)[0]
    record.model(wave, Action.SKIP)
    record.model(wave, available_ms=wave.closes_ms[1], news_key="other news")
    (comparison,) = record.judges(EAGER).comparisons
    assert (comparison.kept.gross.n, comparison.refused.gross.n, comparison.own.gross.n) == (
        0,
        1,
        1,
    )
    assert comparison.refused.gross.mean == pytest.approx(wave.gross)
    assert comparison.own.gross.mean == pytest.approx(wave.returns[1]), "from its own candle on"
    assert comparison.alone.gross.n == 0, "the matrix was in already"


def test_waves_at_one_time_are_one_event(tmp_path: Path) -> None:
    made = market(1, 60, 0.0)
    pairs = [pair_data(made, f"{coin}/USDT:USDT") for coin in ("BTC", "ETH", "SOL")]
    one = RecordedMarket(tmp_path / "one.sqlite", pairs[:1], SETTINGS)
    three = RecordedMarket(tmp_path / "three.sqlite", pairs, SETTINGS)
    for record in (one, three):
        for wave in record.waves:
            if wave.traded:
                record.model(wave, Action.ENTER if wave.gross > 0 else Action.SKIP)
    (alone,), (together,) = one.judges().comparisons, three.judges().comparisons
    assert together.waves == 3 * alone.waves
    assert together.kept.gross.n == alone.kept.gross.n
    assert together.difference.low == pytest.approx(alone.difference.low, rel=0.15)


def test_a_pair_that_nobody_judged_changes_nothing(tmp_path: Path, data: PairPast) -> None:
    pairs = [data, pair_data(market(9, 60, 0.0), "ETH/USDT:USDT")]
    both = RecordedMarket(tmp_path / "store.sqlite", pairs, SETTINGS)
    for wave in both.waves:
        if wave.facts.base_asset == "BTC":
            both.model(wave, Action.ENTER if wave.gross > 0 else Action.SKIP)
    judges = both.judges()
    both.data = [data]
    assert judges.comparisons[0].difference == both.judges().comparisons[0].difference


def test_trials_and_models_make_it_harder(record: RecordedMarket) -> None:
    plant(record, 0.85)
    once = record.judges()
    often = record.judges(options=Options(trials=1_000))
    assert (once.level, once.alpha) == pytest.approx((0.99, 0.005))
    assert often.level == pytest.approx(0.99999)
    assert often.comparisons[0].answer == "no difference", "4,000 draws cannot show p below 2e-4"
    first = record.waves[0]
    record.model(first, judge="another@v1", available_ms=first.facts.close_ms + 6_000)
    two = record.judges()
    assert len(two.comparisons) == 2
    assert (two.level, two.alpha) == pytest.approx((0.995, 0.0025))


def test_what_the_model_cost_is_told(record: RecordedMarket) -> None:
    traded = [wave for wave in record.waves if wave.traded]
    for wave in traded[:10]:
        record.model(wave)
    assert "was asked" not in said(record.judges())
    for wave in traded[:10]:
        record.call(wave, 0.005)
    record.call(traded[10], None)
    record.call(traded[11], None, requests=0, outcome="over budget")
    record.call(traded[12], 0.4, base_asset="OTHER")
    record.call(traded[13], 0.4, asked_ms=START_MS - 1)
    assert (
        f"{MODEL} was asked 11 time(s) about these pairs, which cost $0.05 for the 10 with a "
        "known price: $0.0050 for each wave it judged"
    ) in said(record.judges())


def test_unknown_prices_are_said(record: RecordedMarket) -> None:
    wave = record.waves[0]
    record.model(wave)
    record.call(wave, None)
    assert "what that cost is not recorded" in said(record.judges())


def test_missing_candles_are_said(record: RecordedMarket, data: PairPast) -> None:
    plant(record, 0.85)
    nothing = data.close * np.nan
    record.data = [
        PairPast(
            data.pair, data.timeframe_ms, data.open_ms, nothing, nothing, data.rows, data.venues
        )
    ]
    judges = record.judges()
    assert judges.bare == judges.said == len(record.waves)
    assert judges.tables == [], "what was said of them cannot be read without candles"
    assert "are at candles that are missing here" in said(judges)


def test_the_page_escapes_the_names_of_judges(record: RecordedMarket) -> None:
    name = 'x" onload="1" & <script>alert(1)</script>\x1b[2J@v1'
    for number, wave in enumerate(record.waves):
        if number % 2:
            record.model(wave, judge=name)
        else:
            record.unavailable(wave)
    judges = record.judges()
    assert "\x1b" not in said(judges)
    study = run_study(record.data, SETTINGS, Options())
    report = StudyReport(Part(study, judges), None, "No hold-out.", Options(), ASKED, START_MS)
    page = report.as_html()
    assert "<script>alert" not in page
    assert "<h2>Did the AI help? x&quot; onload=&quot;1&quot; &amp; alert(1)" in page
    assert "kept minus refused (the question)" in page
    assert "What the judge unavailable said of" in page
    told = json.loads(report.as_json())
    assert told["judges"]["comparisons"][0]["judge"] == name
    assert told["judges"]["comparisons"][0]["difference"]["mean"] is None, "it refused nothing"
    assert any(line.startswith("Did the AI help?") for line in told["sentences"])


def test_the_hold_out_is_not_looked_at(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """Verdicts of both parts; the report on the first says nothing of the second."""
    write(tmp_path, 3, 0.008)
    config = {
        "timeframe": "5m",
        "exchange": {"name": "binance", "pair_whitelist": [BTC]},
        "liq_provider": {
            "store": "sqlite:///store.sqlite",
            "venues": {"bybit": {"enabled": False}, "okx": {"enabled": False}},
        },
    }
    (tmp_path / "config.json").write_text(json.dumps(config))
    made = RecordedMarket(tmp_path / "store.sqlite", [pair_data(market(3, DAYS, 0.008))], SETTINGS)
    later = [wave for wave in made.waves if wave.facts.close_ms > CUT_MS + 2 * 3_600_000]
    for wave in later:
        made.model(wave)
        made.call(wave, 0.01)
    made.store.close()
    monkeypatch.chdir(tmp_path)
    assert main(["study"]) == 0
    told = capsys.readouterr().out
    assert "No model's verdict of these waves is recorded" in told
    assert MODEL not in told
    (report,) = (tmp_path / "user_data" / "study").glob("*.json")
    assert MODEL not in report.read_text()
    assert main(["study", "--open-holdout", "--out", "opened"]) == 0
    told = capsys.readouterr().out
    assert f"Hold-out: {MODEL}: NOT ENOUGH DATA. It kept" in told
    assert f"Hold-out: {MODEL} was asked {len(later)} time(s)" in told
    assert "No model's verdict of these waves is recorded" in told.partition("Hold-out")[0]


def test_what_is_recorded_later_changes_no_judgement(
    record: RecordedMarket, tmp_path: Path
) -> None:
    plant(record, 0.7)
    (data,) = record.data
    part = data.between(START_MS, START_MS + 40 * DAY_MS)
    alone = RecordedMarket(tmp_path / "alone.sqlite", [part], SETTINGS)
    sure = {wave.facts.close_ms: wave.gross > 0 for wave in alone.waves}
    rng = np.random.default_rng(0)
    for wave in alone.waves:
        enter = sure[wave.facts.close_ms] == (rng.random() < 0.7)
        alone.model(wave, Action.ENTER if enter else Action.SKIP)
    record.data = [part]
    before, expected = record.judges(), alone.judges()
    assert before.said == expected.said == len(alone.waves) < len(record.waves)
    for one, other in zip(before.comparisons, expected.comparisons, strict=True):
        assert (one.kept, one.refused) == (other.kept, other.refused)
        assert (one.difference, one.gain) == (other.difference, other.gain)
