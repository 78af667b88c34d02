"""Columns beside any candles, and what a notebook sees: what was there, when it could be known."""

import atexit
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pandas as pd
import pytest
from freqtrade.enums import RunMode
from freqtrade.exceptions import StrategyError
from freqtrade.strategy.strategy_wrapper import strategy_safe_wrapper

from liq_provider.bot.engine import Engine
from liq_provider.bot.liquidations import Liquidations
from liq_provider.core.durations import MINUTE_MS
from liq_provider.errors import LiqError, SettingsError, StoreError, UsageError
from liq_provider.store.booked_minute import Incoming
from liq_provider.venues import registry
from tests.bot.helpers import Store, at, live_source, settings, stored, verdict
from tests.bot.test_as_of import MINUTES, SETTINGS, past, store_of
from tests.integration.harness import BTC
from tests.integration.history import START_MS, CoinScript, liquidations, write_history
from tests.plugins import documented


def candles(first: int, last: int) -> pd.DataFrame:
    """Falling, by minutes that they close with."""
    close = 100 * 0.998 ** np.arange(last - first + 1)
    return pd.DataFrame(
        {
            "date": pd.to_datetime(
                [at(minute) - MINUTE_MS for minute in range(first, last + 1)], unit="ms", utc=True
            ),
            "open": close,
            "high": close,
            "low": close,
            "close": close,
            "volume": 1.0,
        }
    )


def columns(frame: pd.DataFrame) -> pd.DataFrame:
    return frame[[name for name in frame.columns if name.startswith("liq_")]]


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(2))
def test_no_row_knows_what_came_later_than_a_bot_could_have_it(tmp_path: Path, seed: int) -> None:
    everything = past(seed)

    def of_past(name: str, known: Any, end_ms: int) -> Liquidations:
        source = store_of(tmp_path / name, known, end_ms)
        return Liquidations(SETTINGS, Engine(SETTINGS, MINUTE_MS, source, "both"))

    frame = candles(0, MINUTES - 1)
    whole = columns(of_past("whole", everything, at(MINUTES)).add_to(frame, BTC))
    waves = np.flatnonzero(whole["liq_strength"].to_numpy())
    assert len(waves) and whole["liq_judged"].any()
    for row in {*(int(w) for w in waves[::3]), *range(150, MINUTES, 60)}:
        cut = of_past(f"cut-{row}", everything.until(at(row)), at(row))
        seen = columns(cut.add_to(frame.iloc[: row + 1], BTC)).iloc[-1]
        pd.testing.assert_series_equal(seen, whole.iloc[row], check_names=False)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    return Store(tmp_path / "store.sqlite")


def test_the_page_of_the_docs_runs_in_a_notebook(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A day of March with one wave, judged."""
    (tmp_path / "user_data").mkdir()
    write_history(tmp_path, {"BTC": CoinScript(-0.0002, {200: 1e6})})
    (tmp_path / "store.sqlite").rename(tmp_path / "user_data" / "liq_provider.sqlite")
    store = Store(tmp_path / "user_data" / "liq_provider.sqlite")
    first_ms = START_MS + 201 * MINUTE_MS
    store.judge(
        verdict(0)
        | {
            "wave_start_ms": first_ms,
            "close_ms": first_ms,
            "available_at": first_ms + 2_500,
            "expires_at": first_ms + 32_000,
        }
    )
    store.close()
    monkeypatch.chdir(tmp_path)
    told: dict[str, Any] = {}
    exec(documented("Liquidations.stored", "api"), told)
    features, verdicts = told["features"], told["verdicts"]
    peak = features.loc[features["long_usd"].idxmax()]
    assert peak["long_usd"] > 1e6 and peak["state"] in ("warming_up", "ready")
    assert str(peak["close"].tz) == "UTC" and peak["purity"] > 0.9
    (said,) = verdicts.to_dict("records")
    assert said["available_at"] == pd.Timestamp(first_ms + 2_500, unit="ms", tz="UTC")
    assert (said["direction"], said["judge"], said["confidence"]) == ("SHORT", "matrix", "medium")
    assert told["liq"].verdicts(BTC, "2026-02-01", "2026-02-02").empty
    unheard = told["liq"].features(BTC, "2026-02-01 10:00", "2026-02-01 10:05")
    assert len(unheard) and set(unheard["state"]) == {"uncovered"}
    assert unheard.drop(columns=["close", "state"]).isna().all(axis=None), "zero would be quiet"
    for pair in ("NOPE/USDT:USDT", "BTCUSDT"):
        for asked in (told["liq"].features, told["liq"].verdicts):
            with pytest.raises(UsageError, match=f"{pair}: the store has no liquidations of it"):
                asked(pair, "2026-03-01", "2026-03-02")
    some = told["liq"].features(BTC, "2026-03-01", "2026-03-02", quiet=False)
    busy = features[features["long_usd"] + features["short_usd"] > 0].reset_index(drop=True)
    assert 0 < len(busy) < len(features)
    pd.testing.assert_frame_equal(some, busy, check_exact=True)


def test_waves_are_told_apart(store: Store) -> None:
    liq = Liquidations(SETTINGS, Engine(SETTINGS, MINUTE_MS, live_source(store.url), "live"))
    store.settle(at(30), [stored("BTC", at(minute), 9.0, 0.98) for minute in (10, 11, 12, 30)])
    liq.engine.refresh(at(30) + 3_000)
    waves = liq.waves(liq.add_to(candles(0, 30), BTC))
    ends = [pd.Timestamp(at(minute), unit="ms", tz="UTC") for minute in (10, 30)]
    assert list(waves["start"]) == ends
    assert list(waves["end"]) == [pd.Timestamp(at(12), unit="ms", tz="UTC"), ends[1]]
    assert list(waves["direction"]) == ["SHORT"] * 2 and list(waves["level"]) == [0, 0]
    assert liq.waves(liq.add_to(candles(13, 20), BTC)).empty


def test_while_there_is_a_problem_the_newest_candle_is_no_candidate(store: Store) -> None:
    own = settings()
    liq = Liquidations(own, Engine(own, MINUTE_MS, live_source(store.url), "live"))
    assert liq.problem == "not started"
    store.settle(at(20), [stored("BTC", at(20), 9.0, 0.98)])
    store.judge(verdict(20))
    for now_ms, problem, level in (
        (at(20) + 3_000, None, 2),
        (at(20) + 95_000, "liquidation data is 95 s old (max_staleness_s)", 0),
    ):
        liq.engine.refresh(now_ms)
        newest = liq.add_to(candles(0, 20), BTC).iloc[-1]
        assert liq.problem == problem
        assert (newest["liq_level"], newest["liq_candidate"]) == (level, int(level > 0))
        assert newest["liq_strength"] == 2, "what was measured stays"


def test_a_candle_that_it_is_too_late_to_enter_by_is_no_candidate(store: Store) -> None:
    own = settings()
    liq = Liquidations(own, Engine(own, MINUTE_MS, live_source(store.url), "live"))
    store.settle(at(20), [stored("BTC", at(20), 9.0, 0.98)])
    store.judge(verdict(20))
    for after_ms, level in ((30_000, 2), (30_001, 0), (54_000, 0)):
        liq.engine.refresh(at(20) + after_ms)
        newest = liq.add_to(candles(0, 20), BTC).iloc[-1]
        assert liq.problem is None
        assert (newest["liq_level"], newest["liq_candidate"]) == (level, int(level > 0)), after_ms


def test_a_candle_whose_minute_is_not_settled_yet_is_no_candidate(store: Store) -> None:
    own = settings()
    liq = Liquidations(own, Engine(own, MINUTE_MS, live_source(store.url), "live"))
    store.settle(at(19), [stored("BTC", at(minute), 9.0, 0.98) for minute in (19, 20)])
    store.judge(verdict(19, 20))
    liq.engine.refresh(at(20) + 1_000)
    assert liq.add_to(candles(0, 20), BTC)["liq_level"].iloc[-1] == 0


def test_a_live_bot_has_no_past(store: Store) -> None:
    own = settings()
    liq = Liquidations(own, Engine(own, MINUTE_MS, live_source(store.url), "live"))
    with pytest.raises(UsageError, match="no past"):
        liq.features(BTC, "2026-03-01", "2026-03-02")


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        ({"process_only_new_candles": True}, "process_only_new_candles: must be false"),
        ({"startup_candle_count": 15}, "startup_candle_count: 15 must be more than"),
        ({"timeframe": "3m"}, "timeframe: 3m does not divide liq_provider.segment_min"),
        ({"section": {"zscore": "mean"}}, "liq_provider.zscore"),
    ],
)
def test_what_would_make_columns_wrong_is_refused(
    tmp_path: Path, changes: dict[str, Any], key: str
) -> None:
    values = {"process_only_new_candles": False, "startup_candle_count": 30, "timeframe": "1m"}
    values |= changes
    section = values.pop("section", {})
    config = {"timeframe": values["timeframe"], "liq_provider": section}
    with pytest.raises(SettingsError, match=key):
        Liquidations.of(SimpleNamespace(config=config, **values))


@pytest.mark.parametrize("broken", [False, True])
def test_a_refusal_is_one_line_of_freqtrades_log(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, broken: bool
) -> None:
    said = "liq_provider.zscore: "
    if broken:
        monkeypatch.setitem(registry.UNUSABLE, "moon", "cannot be loaded (ImportError: x)")
        said = "venue moon: cannot be loaded"
    strategy = SimpleNamespace(config={"liq_provider": {"zscore": "mean"}}, timeframe="1m")
    with pytest.raises(StrategyError, match=said):
        strategy_safe_wrapper(Liquidations.of)(strategy)
    assert [record.exc_info for record in caplog.records] == [None], "no traceback"


def test_a_length_of_candles_that_is_none_is_named(tmp_path: Path) -> None:
    given: Any
    for given in ("1x", None, 5):
        with pytest.raises(SettingsError, match=f"timeframe: {given!r} is none; write 1m, 5m"):
            Liquidations.stored(str(tmp_path / "none.sqlite"), given)


@pytest.mark.parametrize("timeframe", ["7m", "1h", "1d", "1M"])
def test_candles_that_do_not_fill_a_segment_are_refused_in_a_notebook(
    store: Store, tmp_path: Path, timeframe: str
) -> None:
    path = tmp_path / "store.sqlite"
    with pytest.raises(SettingsError, match=f"timeframe: {timeframe} does not divide"):
        Liquidations.stored(path, timeframe)
    assert Liquidations.stored(path, "5m").engine.timeframe_ms == 5 * MINUTE_MS


def of_strategy(tmp_path: Path, timeframe: str) -> Liquidations:
    """As a backtest makes it."""
    config = {
        "timeframe": timeframe,
        "runmode": RunMode.BACKTEST,
        "user_data_dir": tmp_path / "user_data",
        "liq_provider": {"store": f"sqlite:///{tmp_path / 'store.sqlite'}"},
    }
    values = {"process_only_new_candles": False, "startup_candle_count": 30}
    return Liquidations.of(SimpleNamespace(config=config, timeframe=timeframe, **values))


@pytest.mark.parametrize("kind", ["of", "stored"])
def test_candles_of_another_length_are_refused(store: Store, tmp_path: Path, kind: str) -> None:
    """A candle that is taken for a longer one would know what came after it."""
    made: dict[str, Liquidations] = {
        timeframe: Liquidations.stored(tmp_path / "store.sqlite", timeframe)
        if kind == "stored"
        else of_strategy(tmp_path, timeframe)
        for timeframe in ("1m", "5m")
    }
    # From a minute that five divide.
    minutes = candles(10 - at(9) // MINUTE_MS % 5, 30)
    fives = minutes.iloc[::5]
    for timeframe, frame, others in (("1m", minutes, fives), ("5m", fives, minutes)):
        liq = made[timeframe]
        columns_added = liq.add_to(frame, BTC)
        gap = frame.drop(frame.index[2])
        assert len(liq.add_to(gap, BTC)) == len(frame) - 1, "a gap is no other length"
        assert len(liq.add_to(frame.iloc[:1], BTC)) == 1, "one row does not tell"
        assert liq.add_to(frame.iloc[:0], BTC).empty and liq.waves(columns_added).empty
        with pytest.raises(UsageError, match=f"but the timeframe is {timeframe[0]} min"):
            liq.add_to(others, BTC)
        with pytest.raises(UsageError, match=f"but the timeframe is {timeframe[0]} min"):
            liq.waves(
                columns_added.assign(
                    date=frame["date"].iloc[0] + 7 * (frame["date"] - frame["date"].iloc[0])
                )
            )


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda frame: frame.drop(columns=["date", "low"]), "has no column date, low"),
        (lambda frame: frame.assign(date=range(len(frame))), "date must be the time"),
        (lambda frame: frame.assign(date=pd.NaT), "date must be the time"),
        (lambda frame: frame.iloc[::-1], "later than the one before"),
        (lambda frame: frame.iloc[[0, 0, 1]], "later than the one before"),
        (lambda frame: pd.concat([frame, frame[["date"]]], axis=1), "more than one column date"),
        (lambda frame: frame.assign(high="dear", low="cheap"), "high, low must be numbers"),
        (lambda frame: None, "NoneType is no pandas.DataFrame"),
        (lambda frame: frame["close"], "Series is no pandas.DataFrame"),
    ],
)
def test_a_frame_that_is_none_of_candles_is_named(
    store: Store, tmp_path: Path, change: Any, words: str
) -> None:
    liq = Liquidations.stored(tmp_path / "store.sqlite")
    with pytest.raises(UsageError, match=f"frame: .*{words}"):
        liq.add_to(change(candles(0, 5)), BTC)
    with pytest.raises(UsageError, match="frame: has no column liq_strength"):
        liq.waves(candles(0, 5))
    with pytest.raises(UsageError, match="frame: dict is no"):
        liq.waves({})  # type: ignore[arg-type]


@pytest.fixture
def liq(store: Store, tmp_path: Path) -> Liquidations:
    """Of a store in which BTC is known."""
    store.writer.append([Incoming(order) for order in liquidations("BTC", CoinScript(0.0))])
    store.cover(START_MS, START_MS + 30 * MINUTE_MS)
    return Liquidations.stored(tmp_path / "store.sqlite")


@pytest.mark.parametrize("asked", ["features", "verdicts"])
@pytest.mark.parametrize(
    ("start", "end", "words"),
    [
        ("yesterday", "2026-03-02", "start: 'yesterday' is no time; write '2026-03-10T05:09'"),
        ("now", "2026-03-02", "start: 'now' is no time"),
        ("2026-03-01", pd.NaT, "end: NaT is no time"),
        ("2026-03-01", None, "end: None is no time"),
        (np.datetime64("NaT", "ms"), "2026-03-02", "start: .*NaT.* is no time"),
        (1_772_323_200_000, "2026-03-02", "start: 1772323200000 is no time"),
        ("2026-03-01", 1_772_323_200.0, "end: 1772323200.0 is no time"),
        (pd.Series([1, 2]), "2026-03-02", "start: 0 1 1 2 dtype: int64 is no time"),
        ("2026-03-02", "2026-03-01", "start: 2026-03-02 00:00 UTC is later than end, 2026-03-01"),
        ("1726-03-01", "2026-03-01", "start: '1726-03-01' is not between the years 2017 and 2100"),
        (datetime.min, "2026-03-01", "start: 0001-01-01 00:00:00 is not between"),
        ("2026-03-01", datetime.max.replace(tzinfo=UTC), "end: 9999-12-31 .* is not between"),
    ],
)
def test_a_span_that_is_none_is_one_error_that_names_the_argument(
    liq: Liquidations, asked: str, start: Any, end: Any, words: str
) -> None:
    with pytest.raises(UsageError, match=f"^{words}") as refused:
        getattr(liq, asked)(BTC, start, end)
    assert "\n" not in str(refused.value)


def test_so_long_a_span_that_memory_might_not_last_is_refused(liq: Liquidations) -> None:
    words = "start: 3,346.0 days before end are too much at once; ask for at most 1,100"
    with pytest.raises(UsageError, match=words):
        liq.features(BTC, "2017-01-01", "2026-03-01")
    assert liq.verdicts(BTC, "2017-01-01", "2026-03-01").empty


@pytest.mark.parametrize("pair", [None, 5, "", BTC.encode(), [BTC]])
def test_a_pair_that_is_none_is_named(liq: Liquidations, pair: Any) -> None:
    span = ("2026-03-01", "2026-03-02")
    for ask in (
        lambda: liq.features(pair, *span),
        lambda: liq.verdicts(pair, *span),
        lambda: liq.add_to(candles(0, 5), pair),
    ):
        with pytest.raises(UsageError, match=r"^pair: .* is none; write it as Freqtrade does"):
            ask()


def test_a_span_has_the_minutes_that_close_in_it(liq: Liquidations) -> None:
    def closes(first: Any, last: Any) -> list[str]:
        return [f"{close:%H:%M:%S}" for close in liq.features(BTC, first, last)["close"]]

    whole = ["00:10:00", "00:11:00", "00:12:00"]
    last = "2026-03-01T00:12"
    assert closes("2026-03-01 00:10", last) == whole
    assert closes("2026-03-01T05:40+05:30", last) == whole
    assert closes(datetime(2026, 3, 1, 0, 10), np.datetime64(last)) == whole, "naive is UTC"
    assert closes(last, last) == whole[2:]
    assert closes("2026-03-01T00:09:59", "2026-03-01T00:12:59") == whole
    assert closes("2026-03-01T00:10:01", last) == whole[1:], "no minute closes at a second"
    assert closes("2026-03-01T00:10:01", "2026-03-01T00:10:02") == []


@pytest.mark.parametrize("given", [None, 5, "", b"store.sqlite", "a\0b"])
def test_a_store_that_is_neither_path_nor_address_is_named(given: Any) -> None:
    with pytest.raises(UsageError, match=r"^store: .* is none; give the path of its file"):
        Liquidations.stored(given)


class Told:
    """In place of what keeps the sidecar."""

    def ask(self, told: dict[str, Any]) -> None:
        """Nothing is kept."""


def test_a_loop_without_a_time_is_a_problem_and_no_exception(store: Store) -> None:
    own = settings()
    engine = Engine(own, MINUTE_MS, live_source(store.url), "live")
    liq = Liquidations(own, engine, Told())  # type: ignore[arg-type]
    store.settle(at(20))
    now: Any
    for now, problem in (
        (datetime.fromtimestamp(at(20) / 1000 + 3, UTC), None),
        (None, "now: None is no time; write '2026-03-10T05:09' (UTC), or give a datetime"),
        (datetime.fromtimestamp(at(20) / 1000 + 4, UTC).replace(tzinfo=None), None),
    ):
        liq.refresh(now)
        assert liq.problem == problem


def test_a_store_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError):
        Liquidations.stored(str(tmp_path / "none.sqlite"))
    with pytest.raises(LiqError, match="z_treshold"):
        Liquidations.stored(str(tmp_path / "none.sqlite"), z_treshold=3)


def test_a_backtest_says_how_much_is_known_of_each_pair_as_liqtrends_own_does(
    store: Store, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    store.cover(at(0), at(60))
    own = of_strategy(tmp_path, "1m")
    with caplog.at_level("INFO"):
        for _ in range(2):
            own.add_to(candles(1, 130), BTC)
            own.refresh(datetime.fromtimestamp(at(130) / 1000, UTC))
    said = f"{BTC}: liquidations known for 30 of 100 candles (30.0%), a baseline for 0 (0.0%)"
    assert caplog.text.count(said) == 1
    assert caplog.text.count("ONLY 30.0% OF THE CANDLES HAVE KNOWN LIQUIDATIONS") == 1
    atexit.unregister(own.engine.coverage._last_word)  # type: ignore[union-attr]
