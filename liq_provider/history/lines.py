"""Lines and rows of text files, compressed or not; what cannot be one is told by its line."""

import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any

import orjson

from liq_provider.errors import ImportRefused

# What reading a damaged or truncated archive raises.
DAMAGED = (EOFError, zlib.error, zipfile.BadZipFile, gzip.BadGzipFile)


@contextmanager
def opened(path: Path) -> Iterator[IO[bytes]]:
    """
    A file as it is, from gzip, or the only one in a zip.

    :raises ImportRefused: a zip holds several files, or none
    """
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as archive:
            names = archive.namelist()
            if len(names) != 1:
                raise ImportRefused(f"{path}: holds {len(names)} files instead of one")
            with archive.open(names[0]) as file:
                yield file
    elif path.suffix == ".gz":
        with gzip.open(path) as file:
            yield io.BufferedReader(file)
    else:
        with path.open("rb") as file:
            yield file


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
    if ".jsonl" in path.suffixes or _is_json(first):
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
