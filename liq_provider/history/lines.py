"""Lines and rows of text files, compressed or not; what cannot be one is told by its line."""

import codecs
import csv
import gzip
import io
import lzma
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

import orjson
import pyarrow as pa

from liq_provider.errors import ImportRefused

# What reading a damaged or truncated archive raises.
DAMAGED = (EOFError, zlib.error, lzma.LZMAError, zipfile.BadZipFile, gzip.BadGzipFile)

# What packed files begin with. Names do not tell: many a download unpacks a file and leaves its
# name.
_PACKED = {
    b"\x1f\x8b": "gzip",
    b"PK\x03\x04": "zip",
    b"PK\x05\x06": "zip",
    b"\x28\xb5\x2f\xfd": "zstd",
    b"\xfd7zXZ\x00": "xz",
    **{b"BZh%d1AY&SY" % level: "bz2" for level in range(1, 10)},
}
_LONGEST_MARK = max(map(len, _PACKED))


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    A file as it is, unpacked, or the only one in a zip; by what it begins with.

    :raises ImportRefused: a zip holds several files, or none, or cannot be unpacked
    """
    with path.open("rb") as file:
        begin = file.read(_LONGEST_MARK)
        file.seek(0)
        packed = next((kind for mark, kind in _PACKED.items() if begin.startswith(mark)), None)
        if packed is None:
            yield file
        elif packed == "zip":
            with _only_file(path, file) as inside:
                yield inside
        elif packed == "gzip":
            with gzip.open(file) as unpacked:
                yield io.BufferedReader(unpacked)
        elif packed == "xz":
            with lzma.open(file) as unpacked:
                yield unpacked
        else:
            with pa.CompressedInputStream(pa.PythonFile(file), packed) as stream:
                yield io.BufferedReader(_Unpacked(stream))


def _only_file(path: Path, file: IO[bytes]) -> IO[bytes]:
    try:
        archive = zipfile.ZipFile(file)
        # A Mac's own notes on a file are none.
        names = [
            name
            for name in archive.namelist()
            if not (name.endswith("/") or name.startswith("__MACOSX/"))
        ]
        if len(names) != 1:
            raise ImportRefused(f"{path}: holds {len(names)} files instead of one")
        return archive.open(names[0])
    except RuntimeError as error:  # a password, or a way of packing that Python does not know
        raise ImportRefused(f"{path}: cannot be unpacked here ({error})") from None


class _Unpacked(io.RawIOBase):
    """What Arrow unpacks, for whoever reads lines."""

    def __init__(self, stream: pa.NativeFile) -> None:
        super().__init__()
        self._stream = stream

    def readable(self) -> bool:
        """:return: that it is"""
        return True

    def readinto(self, buffer: Any) -> int:
        """
        Read some bytes.

        :raises EOFError: the file is damaged
        """
        try:
            read: int = self._stream.readinto(buffer)
        except OSError as error:
            raise EOFError(str(error)) from None
        return read


def endings(path: Path) -> set[str]:
    """:return: of a file's name, such as ``.csv`` and ``.gz``"""
    return {ending.lower() for ending in path.suffixes}


BYTE_ORDER_MARK = b"\xef\xbb\xbf"

# Nothing that is a row is nearly that long; a file without line breaks is none of ours.
LONGEST_LINE = 1 << 20
_LONGEST_ANSWER = 1 << 26


def lines_of(path: Path) -> Iterator[tuple[int, bytes]]:
    """
    The lines of a file with their numbers, without a byte order mark.

    :raises ImportRefused: the file is damaged, or holds no text
    """
    line = 0
    try:
        with opened(path) as file:
            while raw := file.readline(LONGEST_LINE):
                line += 1
                if len(raw) == LONGEST_LINE:
                    raise ImportRefused(f"{path}:{line}: is longer than any row; is this text?")
                yield line, raw.removeprefix(BYTE_ORDER_MARK) if line == 1 else raw
    except DAMAGED as error:
        raise ImportRefused(f"{path}:{line}: is damaged or cut short ({error})") from error


class CsvRows:
    """
    What the lines of a CSV say. Each by itself, because a stray quote in a broken row must not
    swallow the rows after it. No value of these formats contains a line break.

    :param first: its first line
    :param needed: columns without which a row is of no use
    :raises ImportRefused: a needed column is missing, or is there twice
    """

    def __init__(self, path: Path, first: bytes, needed: tuple[str, ...]) -> None:
        names = _csv_line(first.decode("utf-8", "replace"))
        missing = [name for name in needed if name not in names]
        if missing:
            other = other_text(first) or next(
                (why for why, others in otherwise_split(first) if others.issuperset(needed)), None
            )
            if other:
                raise ImportRefused(f"{path}: {other}")
            raise ImportRefused(f"{path}: no column {', '.join(missing)}; is this the format?")
        twice = [name for name in needed if names.count(name) > 1]
        if twice:
            raise ImportRefused(f"{path}: has two columns {', '.join(twice)}; which one is meant?")
        self.names = names
        self._shortest = 1 + max((names.index(name) for name in needed), default=0)

    def row(self, raw: bytes) -> dict[str, str] | str | None:
        """:return: the row of a line, or what is wrong with it; None if there is none"""
        values = _csv_line(raw.decode("utf-8", "replace"))
        if len(values) < self._shortest:
            return "too few columns" if values else None
        if values == self.names:
            return "the header once more; were two files joined?"
        return dict(zip(self.names, values, strict=False))


def csv_rows(path: Path, needed: tuple[str, ...]) -> Iterator[tuple[int, dict[str, str] | str]]:
    """
    :param needed: columns without which a row is of no use
    :return: line, and the row or what is wrong with it
    :raises ImportRefused: as ``CsvRows``, or the file cannot be read
    """
    lines = lines_of(path)
    _, first = next(lines, (0, b""))
    rows = CsvRows(path, first, needed)
    for line, raw in lines:
        row = rows.row(raw)
        if row is not None:
            yield line, row


def other_text(begin: bytes) -> str | None:
    """
    :param begin: of a file
    :return: what is to be done so that it can be read; None if it may be plain text
    """
    if begin.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
        return "is UTF-16 text; save it as UTF-8"
    return None


def otherwise_split(line: bytes) -> Iterator[tuple[str, set[str]]]:
    """
    :param line: the first of a file
    :return: for each separator that is not ours what to say of it, and the columns with it
    """
    text = line.decode("utf-8-sig", "replace")
    for separator, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        with suppress(csv.Error):
            names = next(csv.reader([text], delimiter=separator), [])
            yield f"separates its columns by {name}; write it with commas", set(names)


def _csv_line(text: str) -> list[str]:
    try:
        return next(csv.reader([text]), [])
    except csv.Error:
        return [""]


def json_lines(path: Path) -> Iterator[tuple[int, object]]:
    """What each line says; None where it is no JSON."""
    for line, raw in lines_of(path):
        if not raw.strip():
            continue
        try:
            yield line, orjson.loads(raw)
        except orjson.JSONDecodeError:
            yield line, None


def json_answers(path: Path) -> Iterator[tuple[int, object]]:
    """Answers of a REST interface: one for each line, or one in the whole file."""
    _, first = next(lines_of(path), (0, b""))
    if ".jsonl" in endings(path) or _is_json(first):
        yield from json_lines(path)
        return
    yield 1, json_of(path)


def json_of(path: Path) -> Any:
    """
    What a file says as a whole.

    :raises ImportRefused: it is no JSON, or is damaged
    """
    try:
        with opened(path) as file:
            text = file.read(_LONGEST_ANSWER + 1)
    except DAMAGED as error:
        raise ImportRefused(f"{path}: is damaged or cut short ({error})") from error
    except OSError as error:
        raise ImportRefused(f"{path}: {error.strerror or error}") from error
    if len(text) > _LONGEST_ANSWER:
        raise ImportRefused(f"{path}: is longer than any answer; is this JSON?")
    try:
        return orjson.loads(text.removeprefix(BYTE_ORDER_MARK))
    except orjson.JSONDecodeError as error:
        raise ImportRefused(f"{path}:{error.lineno}: is no JSON ({error.msg})") from None


def _is_json(text: bytes) -> bool:
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return False
    return True
