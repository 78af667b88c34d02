"""Files as they come: packed in any way and named in another, or no text that can be read."""

import bz2
import gzip
import io
import lzma
import zipfile
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from liq_provider.core.order_columns import MarketNames
from liq_provider.errors import ImportRefused
from liq_provider.history.column_reading import read_at_once
from liq_provider.history.importer import bundled_markets as bundled
from liq_provider.history.lines import CsvRows, lines_of
from liq_provider.history.recognise import recognise

LINES = b"s,S,p,ap,z,T\nBTCUSDT,SELL,50,50,2,1709251200000\n"


def zipped(*files: tuple[str, bytes]) -> bytes:
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files:
            archive.writestr(name, content)
    return packed.getvalue()


def zstd(raw: bytes) -> bytes:
    packed: bytes = pa.Codec("zstd").compress(raw, asbytes=True)
    return packed


PACKED: dict[str, Callable[[bytes], bytes]] = {
    "gz": gzip.compress,
    "zst": zstd,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zip": lambda raw: zipped(("a.csv", raw)),
    "no": bytes,
}


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz", "A.CSV.GZ", "a.zip"])
@pytest.mark.parametrize("packed", PACKED)
def test_a_file_is_unpacked_by_what_it_is_whatever_its_name(
    packed: str, name: str, tmp_path: Path
) -> None:
    path = tmp_path / name
    path.write_bytes(PACKED[packed](LINES))
    assert b"".join(raw for _, raw in lines_of(path)) == LINES
    assert recognise(path) == "binance-forceorder"


@pytest.mark.parametrize("packed", ["gz", "zst", "bz2", "xz"])
def test_what_is_cut_short_is_told_by_the_line_that_was_read_last(
    packed: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(PACKED[packed](LINES)[:-9])
    with pytest.raises(ImportRefused, match=r"a\.csv:\d: is damaged or cut short"):
        list(lines_of(path))


def test_what_a_mac_adds_to_a_zip_is_no_file_of_it(tmp_path: Path) -> None:
    path = tmp_path / "a.zip"
    path.write_bytes(zipped(("a/", b""), ("a/a.csv", LINES), ("__MACOSX/a/._a.csv", b"\0\5")))
    assert [line for line, _ in lines_of(path)] == [1, 2]


@pytest.mark.parametrize(
    ("at", "value", "said"),
    [
        (6, 1, "encrypted, password required"),
        (8, 9, "compression method is not supported"),
    ],
)
def test_a_zip_that_cannot_be_unpacked_here_is_refused_with_the_reason(
    at: int, value: int, said: str, tmp_path: Path
) -> None:
    raw = bytearray(zipped(("a.csv", LINES)))
    directory = raw.index(b"PK\x01\x02")
    raw[at] = raw[directory + at + 2] = value
    path = tmp_path / "a.zip"
    path.write_bytes(raw)
    with pytest.raises(ImportRefused, match=rf"a\.zip: cannot be unpacked here.*{said}"):
        list(lines_of(path))


def test_no_damage_to_a_zip_is_more_than_a_refusal(tmp_path: Path) -> None:
    raw = zipped(("a.csv", LINES))
    path = tmp_path / "a.zip"
    refused = 0
    for at in range(len(raw)):
        for value in (0, 0x55, 0xFF):
            path.write_bytes(raw[:at] + bytes((value,)) + raw[at + 1 :])
            try:
                list(read_at_once(path, "binance-forceorder", bundled(), MarketNames()))
            except ImportRefused:
                refused += 1
    assert refused > len(raw)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (LINES.decode().encode("utf-16"), "is UTF-16 text; save it as UTF-8"),
        (LINES.replace(b",", b";"), "separates its columns by semicolons; write it with commas"),
        (LINES.replace(b",", b"\t"), "separates its columns by tabs; write it with commas"),
    ],
)
def test_a_table_that_is_written_otherwise_is_told_so(
    content: bytes, said: str, tmp_path: Path
) -> None:
    path = tmp_path / "a.csv"
    path.write_bytes(content)
    with pytest.raises(ImportRefused, match=said):
        recognise(path)
    _, first = next(lines_of(path))
    with pytest.raises(ImportRefused, match=said):
        CsvRows(path, first, ("s", "S", "T"))
