"""
The columns of a block of a CSV as arrays. What is not plainly a value is left to whoever reads the
rows one by one: nothing is accepted here that is refused there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow import csv

from liq_provider.core.arrays import BoolArray, FloatArray, IntArray
from liq_provider.history.quoted_values import unquoted
from liq_provider.venues.row_readers import Columns

Number = TypeVar("Number", np.int32, np.int64, np.float64)

_WORD = pa.dictionary(pa.int32(), pa.string())

# Lines that Arrow reads otherwise than Python's ``csv``, ``int`` and ``float``: quotes are part
# of the value, a bare carriage return ends a line, and it knows hexadecimal numbers.
_ODD = re.compile(rb'["\0]|(?<![0-9A-Za-z])0[xX]|\r(?!\n)')
# One byte is looked for much faster than two.
_ODD_PARTS = ((b'"', b'"'), (b"\0", b"\0"), (b"x", b"0x"), (b"X", b"0X"))

_INTEGER = r"^[0-9]{1,18}$"
_DECIMAL = r"^[0-9]+(\.[0-9]*)?([eE][-+]?[0-9]{1,3})?$"

# What writers put where they have no number is nearly always one of a few words.
_MOST_WORDS, _LONGEST_WORD = 16, 20
# One row alone takes as long as so many together.
_RARE = 16


@dataclass(frozen=True, slots=True)
class BlockValues:
    """
    :param rows: which lines of the block they are of, in order; the other lines are not plain
    :param words: of each column of words the number of the word in its list
    :param prices: of each column of prices, 0 where there is none, NaN where it is not plain
    :param times: in the file's unit, 0 where there is none
    """

    rows: IntArray
    words: list[tuple[IntArray, list[str]]]
    prices: list[FloatArray]
    amounts: FloatArray
    times: IntArray
    received: IntArray | None


class ColumnParser:
    """
    :param names: of a file's columns
    :param columns: which of them are read
    """

    def __init__(self, names: Sequence[str], columns: Columns) -> None:
        self._names = list(names)
        self._columns = columns
        self.words = [name for name in columns.words if name in names]
        received = (columns.received,) if columns.received else ()
        times = (columns.time, *received)
        numbers = (*columns.price, columns.amount)
        self._types = {
            **dict.fromkeys(self.words, _WORD),
            **dict.fromkeys(times, pa.int64()),
            **dict.fromkeys(numbers, pa.float64()),
        }
        # What stood where a number should, in blocks before.
        self._strange: set[str] = set()
        # Of a column that is there twice, the rows' reader decides which one is meant.
        self.usable = all(self._names.count(name) == 1 for name in self._types)

    def values(self, text: bytes, ends: IntArray) -> BlockValues | None:
        """
        :param ends: of its lines
        :return: None if it is not plain at all
        """
        if b'"' in text:
            text, ends = unquoted(text, ends)
        plain = ~self._odd(text, ends)
        rows = np.flatnonzero(plain)
        if not len(rows):
            return None
        if len(rows) < len(ends):
            starts = np.append(0, ends[:-1])
            text = b"".join(text[starts[row] : ends[row]] for row in rows)
        skipped: list[int] = []
        table = self._table(text, self._types, skipped)
        # What stands for those words is no number, and whoever reads its row says what it is.
        blank = _NAN if self._strange else _NO_NUMBER
        if table is None or self._has_many_blanks(table):
            skipped.clear()
            blank, table = _NO_NUMBER, self._converted(self._table(text, self._as_text(), skipped))
        if table is None:
            return None
        rows = np.delete(rows, np.array(skipped, dtype=np.int64))
        if table.num_rows != len(rows) or not len(rows):
            return None
        return self._arrays(table, rows, blank)

    def _has_many_blanks(self, table: pa.Table) -> bool:
        """:return: whether more rows than a few would be read alone for a word of before"""
        if not self._strange:
            return False
        return any(
            table.column(name).null_count * _RARE > table.num_rows
            for name, kind in self._types.items()
            if kind == pa.float64()
        )

    def _odd(self, text: bytes, ends: IntArray) -> BoolArray:
        """:return: which lines have something that is read otherwise here"""
        odd = np.zeros(len(ends), dtype=np.bool_)
        bare = b"\r" in text and text.count(b"\r") != text.count(b"\r\n")
        if bare or any(byte in text and part in text for byte, part in _ODD_PARTS):
            at = [match.start() for match in _ODD.finditer(text)]
            odd[np.searchsorted(ends, np.array(at, dtype=np.int64), side="right")] = True
        for blank in b" \t" if self._columns.per_ms > 1 else b"":
            # Digits are cut off such a time as it stands, with what stands around it.
            if bytes((blank,)) in text:
                odd |= _holds(text, ends, blank)
        if not _is_utf8(text):
            odd |= _holds(text, ends, 0x80, 0xFF)
        return odd

    def _as_text(self) -> dict[str, pa.DataType]:
        return {name: kind if kind == _WORD else pa.string() for name, kind in self._types.items()}

    def _table(
        self, text: bytes, types: dict[str, pa.DataType], skipped: list[int]
    ) -> pa.Table | None:
        """
        :param skipped: is given the rows that have more or fewer columns
        :return: None if a value is not of its type
        """

        def skip(row: csv.InvalidRow) -> str:
            skipped.append(row.number - 1)
            return "skip"

        try:
            return csv.read_csv(
                pa.BufferReader(text),
                csv.ReadOptions(
                    use_threads=False, block_size=len(text) + 1, column_names=self._names
                ),
                csv.ParseOptions(
                    quote_char=False,
                    double_quote=False,
                    ignore_empty_lines=False,
                    invalid_row_handler=skip,
                ),
                csv.ConvertOptions(
                    column_types=types,
                    include_columns=list(types),
                    null_values=["", *sorted(self._strange)],
                ),
            )
        except pa.ArrowException:
            return None

    def _converted(self, table: pa.Table | None) -> pa.Table | None:
        """:return: nothing where there is no time or number, and NaN where no plain number"""
        if table is None:
            return None
        for at, (name, kind) in enumerate(self._types.items()):
            if kind == _WORD:
                continue
            texts, is_time = table.column(at), kind == pa.int64()
            plain = pc.match_substring_regex(texts, _INTEGER if is_time else _DECIMAL)
            values = pc.if_else(plain, texts, _NO_TEXT).cast(kind)
            strange = pc.and_(pc.invert(plain), pc.greater(pc.binary_length(texts), _NO_LENGTH))
            self._learn(pc.unique(pc.filter(texts, strange)).to_pylist())
            if not is_time:
                values = pc.if_else(strange, _NAN, values)
            table = table.set_column(at, name, values)
        return table

    def _learn(self, words: list[str]) -> None:
        for word in words[: _MOST_WORDS - len(self._strange)]:
            if len(word) <= _LONGEST_WORD:
                self._strange.add(word)

    def _arrays(self, table: pa.Table, rows: IntArray, blank: pa.Scalar) -> BlockValues:
        columns = self._columns
        return BlockValues(
            rows,
            [_words(table.column(name)) for name in self.words],
            [_numbers(table.column(name), blank) for name in columns.price],
            _numbers(table.column(columns.amount), blank),
            _times(table.column(columns.time)),
            _times(table.column(columns.received)) if columns.received else None,
        )


def _scalar(value: np.int32 | np.int64 | np.float64, kind: pa.DataType) -> pa.Scalar:
    """Arrow's own way from a number of Python's loads pandas, longer than a small file takes."""
    return pa.Array.from_buffers(kind, 1, [None, pa.py_buffer(value.tobytes())])[0]


_NO_TEXT = pa.nulls(1, pa.string())[0]
_NO_TIME = _scalar(np.int64(0), pa.int64())
_NO_LENGTH = _scalar(np.int32(0), pa.int32())
_NO_NUMBER, _NAN = (_scalar(np.float64(value), pa.float64()) for value in (0.0, np.nan))


def _words(column: pa.ChunkedArray) -> tuple[IntArray, list[str]]:
    coded = column.unify_dictionaries().combine_chunks()
    return _plain(coded.indices, np.int32).astype(np.int64), coded.dictionary.to_pylist()


def _times(column: pa.ChunkedArray) -> IntArray:
    return _plain(column.fill_null(_NO_TIME).combine_chunks(), np.int64)


def _numbers(column: pa.ChunkedArray, blank: pa.Scalar) -> FloatArray:
    return _plain(column.fill_null(blank).combine_chunks(), np.float64)


def _plain(column: pa.Array, kind: type[Number]) -> npt.NDArray[Number]:
    """By hand, too: its way to numpy does the same."""
    values = np.frombuffer(column.buffers()[1], dtype=kind)
    return values[column.offset : column.offset + len(column)]


def _holds(text: bytes, ends: IntArray, first: int, last: int | None = None) -> BoolArray:
    """:return: which lines hold a byte from ``first`` to ``last``"""
    codes = np.frombuffer(text, dtype=np.uint8)
    there = codes == first if last is None else (codes >= first) & (codes <= last)
    lines = np.zeros(len(ends), dtype=np.bool_)
    lines[np.searchsorted(ends, np.flatnonzero(there), side="right")] = True
    return lines


def _is_utf8(text: bytes) -> bool:
    if text.isascii():
        return True
    try:
        text.decode()
    except UnicodeDecodeError:
        return False
    return True
