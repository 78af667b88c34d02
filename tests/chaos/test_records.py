"""What a run leaves behind is read as it was written."""

from pathlib import Path

import orjson

from chaos.logs import tracebacks
from chaos.records import Delivery, key_of, read_loops, read_truth

MADE = [1_000, "BTCUSDT", "BTC", "long", 97_000.1, 0.25]
KEY = key_of("binance", "BTCUSDT", "long", 1_000, 97_000.1, 0.25)


def write(path: Path, *lines: dict[str, object]) -> Path:
    path.write_bytes(b"".join(orjson.dumps(line) + b"\n" for line in lines))
    return path


def test_an_order_knows_on_which_ways_it_went_to_whom(tmp_path: Path) -> None:
    sent = {"kind": "sent", "venue": "binance", "orders": [MADE]}
    truth = read_truth(
        write(
            tmp_path / "truth.jsonl",
            {"kind": "start", "at": 500, "first": 0},
            {"kind": "open", "client": 1, "venue": "binance", "who": "a", "at": 600},
            {"kind": "open", "client": 2, "venue": "binance", "who": "b", "at": 600},
            {"kind": "prices", "at": 900, "of": {"BTCUSDT": 97_000.0}},
            {"kind": "made", "venue": "binance", "emit": 1_150, "orders": [MADE]},
            sent | {"at": 1_200, "whole": True, "to": [1]},
            sent | {"at": 1_300, "whole": False, "to": [2]},
            {"kind": "close", "client": 2, "at": 2_000},
        )
    )
    order = truth.orders[KEY]
    assert order.deliveries == [Delivery(1_200, "a", None), Delivery(1_300, "b", 2_000, False)]
    assert (order.first_sent_ms, order.count, order.coin) == (1_200, 1, "BTC")
    assert truth.prices == {"BTCUSDT": [(900, 97_000.0)]}


def test_equal_orders_of_one_frame_are_counted(tmp_path: Path) -> None:
    made = {"kind": "made", "venue": "binance", "emit": 1_150, "orders": [MADE, MADE]}
    assert read_truth(write(tmp_path / "truth.jsonl", made)).orders[KEY].count == 2


def test_a_line_that_a_killed_process_left_half_written_is_passed_over(tmp_path: Path) -> None:
    trade = {
        **{"id": 7, "pair": "BTC/USDT:USDT", "short": True, "tag": None},
        **{"open_rate": 100.0, "stop": 102.0, "filled": True},
    }
    line = {
        "pid": 1,
        "begin_s": 5.0,
        "end_s": 5.25,
        "exchange_s": 0.1,
        "starved_s": 0,
        "trades": [trade],
    }
    path = write(tmp_path / "loops.jsonl", line)
    with path.open("ab") as file:
        file.write(b'{"pid":1,"beg')
    (loop,) = read_loops(path, 1_000.0)
    assert (loop.begin_ms, loop.end_ms, loop.exchange_ms) == (1_005_000, 1_005_250, 100)
    assert [position.trade_id for position in loop.positions] == [7]


def test_tracebacks_are_counted_by_what_was_raised(tmp_path: Path) -> None:
    log = tmp_path / "bot.log"
    log.write_text("all well\n")
    assert tracebacks([log, tmp_path / "absent.log"])[0].ok
    trace = 'Traceback (most recent call last):\n  File "x.py", line 1, in f\n    g()\n'
    log.write_text(f"one\n{trace}ValueError: bad\ntwo\n{trace}ValueError: bad\n")
    (line,) = tracebacks([log])
    assert (line.value, line.ok) == ("2", False)
    assert line.examples == ("2 x bot: ValueError: bad",)
