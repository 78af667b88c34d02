"""Text files in large pieces of whole lines, for whoever reads many lines at once."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from liq_provider.core.arrays import IntArray
from liq_provider.history.lines import BYTE_ORDER_MARK, DAMAGED, LONGEST_LINE, opened

# A whole number of what files are read and unpacked in, so that of a damaged one nothing is seen
# here that reading it line by line does not see.
_BLOCK = 1 << 20


class ByLine(Exception):
    """
    From here on only reading line by line tells what is wrong with the file.

    :param line: number of the first line that was not given
    """

    def __init__(self, line: int) -> None:
        super().__init__(line)
        self.line = line


@dataclass(frozen=True, slots=True)
class TextBlock:
    """
    :param first_line: number of its first line, from 1
    :param text: whole lines; only the last of a file may lack its line break
    :param ends: for each line, where it ends
    """

    first_line: int
    text: bytes
    ends: IntArray

    @classmethod
    def of(cls, first_line: int, text: bytes) -> "TextBlock":
        """:return: the lines of a text"""
        ends = np.flatnonzero(np.frombuffer(text, dtype=np.uint8) == ord("\n")) + 1
        if not text.endswith(b"\n"):
            ends = np.append(ends, len(text))
        return cls(first_line, text, ends.astype(np.int64, copy=False))


def text_blocks(path: Path) -> Iterator[TextBlock]:
    """
    :return: the first line without its byte order mark, then the others
    :raises ByLine: the file is damaged, or has a line that is too long
    :raises ImportRefused: see ``opened``
    """
    line = 1
    try:
        with opened(path) as file:
            first = file.readline(LONGEST_LINE)
            if len(first) == LONGEST_LINE:
                raise ByLine(line)
            yield TextBlock.of(line, first.removeprefix(BYTE_ORDER_MARK))
            line, read, rest = 2, len(first), b""
            while more := file.read(_BLOCK - read % _BLOCK):
                read += len(more)
                text = rest + more
                end = text.rfind(b"\n") + 1
                whole, rest = text[:end], text[end:]
                if whole:
                    block = TextBlock.of(line, whole)
                    yield block
                    line += len(block.ends)
                if len(rest) >= LONGEST_LINE:
                    raise ByLine(line)
            if rest:
                yield TextBlock.of(line, rest)
    except (*DAMAGED, OSError) as error:
        raise ByLine(line) from error
