"""Files of recorded liquidations as they come: damaged, joined, unsorted, repeated, cut short."""

import gzip
import io
import zipfile
from dataclasses import dataclass
from pathlib import Path
from random import Random

import pyarrow as pa

T0 = 1_709_251_200_000  # 2024-03-01, the day in the names

_NUMBERS = [
    *("", "-", "0", "-1", "nan", "inf", "1e400", "1e-400", "0x18", "1_0", "+5", " 7", "7 ", "\t7"),
    *("abc", "1e3", "1E+3", ".5", "5.", "0.1", "3.3333333333333335", "00012", "9" * 30, "1e300"),
    *(
        "\uff11\uff12",
        "null",
        "NaN",
        "1,5",
        "1d5",
        "0.30000000000000004",
        "1.7976931348623157e308",
        "5e-324",
    ),
]
_TIMES = [
    *("", "0", "-5", "0x18D", "0x19000000000", "1_709_251_200_000", f"+{T0}", f" {T0}", f"{T0} "),
    *(f"{T0}\t", f"{T0}.0", f"{T0}.5", f"{T0 // 1000}", f"{T0 * 1000}", "9" * 30, f"000{T0}"),
    *("1.7092512e12", "then", str(T0 + 10 * 86_400_000), str(T0 - 86_400_000), "4102444800001"),
]
_SYMBOLS = [
    "",
    "BTCUSD_PERP",
    "NONE",
    "btcusdt",
    "币安人生USDT",
    " BTCUSDT",
    "BTCUSDT\u00a0",
    "0XUSDT",
    "-",
    "nan",
]


@dataclass(frozen=True, slots=True)
class HostileFile:
    """
    :param form: what it is read as
    """

    path: Path
    form: str


def hostile_file(folder: Path, seed: int) -> HostileFile:
    """:return: a file of any kind; the same for the same seed"""
    random = Random(seed)
    make = random.choice([_forced_orders, _snapshot, _okx, _tardis])
    form, name, header, rows = make(random)
    evil = random.choice([0.0, 0.02, 0.3])
    lines = [
        ",".join(_spoilt(row, random, header) if random.random() < evil else row) for row in rows
    ]
    lines = _rearranged(lines, ",".join(header), random, evil)
    end = random.choice(["\n", "\n", "\r\n"])
    if random.random() < 0.2:
        some = random.choice([1.0, 1.0, 0.9])
        lines = [_quoted(line) if random.random() < some else line for line in lines]
    text = end.join([",".join(header), *lines]) + random.choice(["", end, end * 3])
    raw = text.encode()
    if random.random() < 0.1:
        raw = b"\xef\xbb\xbf" + raw
    for _ in range(random.choice([0, 0, 0, 1, 5]) if evil else 0):
        at = random.randrange(len(raw))
        raw = (
            raw[:at]
            + random.choice([b"\xff", b"\0", b'"', b"\r", b"\n", b",", b"\r\r\n"])
            + raw[at:]
        )
    path = folder / name
    path.write_bytes(_packed(raw, name, random, evil))
    return HostileFile(path, form)


def _times(random: Random, rows: int) -> list[int]:
    step = random.choice([40, 700, 20_000, 200_000])
    times = [T0 + random.randrange(3_600_000)]
    for _ in range(rows - 1):
        further = random.choice([0, random.randrange(step), random.randrange(step)])
        times.append(
            times[-1] + (further if random.random() < 0.97 else -random.randrange(step * 9))
        )
    return times


def _made(random: Random) -> list[tuple[int, str, str]]:
    """:return: time, price and amount of each"""
    few = random.random() < 0.3
    made = []
    for at in _times(random, random.choice([1, 3, 40, 300])):
        price = random.choice(["50", "0.1", "61234.5", f"{random.uniform(1e-4, 9e4):.7g}"])
        amount = random.choice(["1", "2", "0.001", f"{random.uniform(1e-3, 9e3):.9g}"])
        made.append((at, "50" if few else price, "2" if few else amount))
    return made


Made = tuple[str, str, list[str], list[list[str]]]


def _forced_orders(random: Random) -> Made:
    header = ["s", "S", "q", "p", "ap", "X", "l", "z", "T"]
    more = [name for name in ("st", "data", "o", "e") if random.random() < 0.15]
    rows = []
    for at, price, amount in _made(random):
        ap = random.choice([price, price, price, "0"])
        row = [
            random.choice(["BTCUSDT", "ETHUSDT", "1000PEPEUSDT"]),
            random.choice(["SELL", "BUY"]),
        ]
        row += [amount, price, ap, "FILLED", amount, amount, str(at)]
        extra = {
            "st": ["1", "1", "1", "2", ""],
            "data": ["x", "", "[]"],
            "o": ["LIMIT"],
            "e": ["x"],
        }
        rows.append([*row, *(random.choice(extra[name]) for name in more)])
    return _shuffled("binance-forceorder", "x.csv", [*header, *more], rows, random)


def _snapshot(random: Random) -> Made:
    header = ["time", "side", "order_type", "price", "average_price", "accumulated_fill_quantity"]
    rows = [
        [str(at), random.choice(["SELL", "BUY"]), "LIMIT", price, price, amount]
        for at, price, amount in _made(random)
    ]
    name = f"BTCUSDT-liquidationSnapshot-2024-03-01.{random.choice(['csv', 'zip'])}"
    return _shuffled("liquidation-snapshot", name, header, rows, random)


def _okx(random: Random) -> Made:
    header = ["ts", "instId", "side", "sz", "bkPx"]
    stated = random.random() < 0.5
    rows = []
    for at, price, amount in _made(random):
        coin = random.choice(["BTC", "ETH", "SOL", "DOGE", "DOGE", "NONE"])
        row = [str(at), f"{coin}-USDT-SWAP", random.choice(["sell", "buy"]), amount, price]
        rows.append([*row, random.choice(["net", "", "long", "short"])] if stated else row)
    name = random.choice(["x.csv", "x.csv.gz", "x.csv.zst"])
    return _shuffled("okx-rest", name, [*header, *(["posSide"] if stated else [])], rows, random)


def _tardis(random: Random) -> Made:
    header = ["exchange", "symbol", "timestamp", "local_timestamp", "id", "side", "price", "amount"]
    exchange = random.choice(["bybit", "binance-futures", "okex-swap"])
    rows = []
    for at, price, amount in _made(random):
        name = exchange if random.random() < 0.98 else random.choice(["bybit", "okex-swap", "ftx"])
        symbol = "BTC-USDT-SWAP" if name == "okex-swap" else random.choice(["BTCUSDT", "btcusdt"])
        came = at + random.choice([90, 90, 90, 90, 3_000, 61_500, 30_000, 200_000, -10_000])
        row = [name, symbol, f"{at}{random.randrange(1000):03}", f"{came}000", ""]
        rows.append([*row, random.choice(["sell", "buy"]), price, amount])
    of_day = f"{exchange}_liquidations_2024-03-01_{random.choice(['PERPETUALS', 'BTCUSDT'])}.csv.gz"
    if exchange == "okex-swap":
        of_day = "okex-swap_liquidations_2024-03-01_BTC-USDT-SWAP.csv.gz"
    return _shuffled("tardis", random.choice(["x.csv", of_day]), header, rows, random)


def _shuffled(
    form: str, name: str, header: list[str], rows: list[list[str]], random: Random
) -> Made:
    if random.random() < 0.2:
        order = random.sample(range(len(header)), len(header))
        header, rows = [header[at] for at in order], [[row[at] for at in order] for row in rows]
    if random.random() < 0.1:
        header, rows = [*header, "more"], [[*row, "x"] for row in rows]
    return form, name, header, rows


def _spoilt(row: list[str], random: Random, header: list[str]) -> list[str]:
    row = list(row)
    kind = random.randrange(8)
    if kind == 0:
        return row[: random.randrange(len(row) + 1)]
    if kind == 1:
        return [*row, "surplus"]
    if kind == 2:
        return header
    at = random.randrange(len(row))
    if kind == 3:
        row[at] = random.choice(['"', '"x"', f'"{row[at]}"', f'{row[at]}"', "a\rb", "\0"])
    elif "time" in header[at] or header[at] in ("ts", "T"):
        row[at] = random.choice(_TIMES)
    elif header[at] in ("s", "symbol", "instId", "side", "S", "exchange"):
        row[at] = random.choice([*_SYMBOLS, "SIDEWAYS"])
    else:
        row[at] = random.choice(_NUMBERS)
    return row


def _quoted(line: str) -> str:
    return ",".join(f'"{value}"' for value in line.split(","))


def _rearranged(lines: list[str], header: str, random: Random, evil: float) -> list[str]:
    if random.random() < 0.3:
        lines = [line for line in lines for _ in range(random.choice([1, 1, 2]))]
    if random.random() < 0.1:
        lines = lines + lines
    if random.random() < 0.15:
        random.shuffle(lines)
    if evil and random.random() < 0.3:
        at = random.randrange(len(lines) + 1)
        lines = [*lines[:at], random.choice([header, "", "  ", "\r", "x" * 5_000]), *lines[at:]]
    return lines


def _packed(raw: bytes, name: str, random: Random, evil: float) -> bytes:
    if name.endswith(".gz"):
        raw = gzip.compress(raw, 1, mtime=0)
    elif name.endswith(".zst"):
        raw = pa.Codec("zstd").compress(raw, asbytes=True)
    elif name.endswith(".zip"):
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(zipfile.ZipInfo("x.csv"), raw)
        raw = packed.getvalue()
    else:
        return raw
    if evil and random.random() < 0.3:
        at = random.randrange(len(raw))
        return raw[:at] if random.random() < 0.5 else raw[:at] + b"\x55" + raw[at + 1 :]
    return raw
