"""Values of a CSV that stand in quotes for no other reason than that its writer quotes all."""

import numpy as np

from liq_provider.core.arrays import IntArray

_QUOTE, _COMMA, _BREAK, _RETURN = b'",\n\r'


def unquoted(text: bytes, ends: IntArray) -> tuple[bytes, IntArray]:
    """
    Without the quotes of lines where each pair of them is around a whole value, with no comma in
    it: Python's ``csv`` says the same of such a line with and without them. All other lines stay
    as they are.

    :param ends: of the lines of the text
    :return: text, and where its lines end
    """
    codes = np.frombuffer(text, dtype=np.uint8)
    quotes = np.flatnonzero(codes == _QUOTE)
    line = np.cumsum(codes == _BREAK, dtype=np.int64)[quotes]
    many = np.bincount(line, minlength=len(ends))
    in_line = np.arange(len(quotes)) - (np.cumsum(many) - many)[line]
    before = np.where(quotes > 0, codes[quotes - 1], _BREAK)
    after = np.append(codes, _BREAK)[quotes + 1]
    commas = np.cumsum(codes == _COMMA, dtype=np.int64)[quotes]
    opens = in_line % 2 == 0
    begins = opens & ((before == _COMMA) | (before == _BREAK))
    closes = ~opens & ((after == _COMMA) | (after == _BREAK) | (after == _RETURN))
    # One before the first line's first quote is the last one of all, which opens nothing.
    closes &= (commas == np.roll(commas, 1)) & (before != _RETURN)
    plain = many % 2 == 0
    plain[line[~(begins | closes)]] = False
    gone = quotes[plain[line]]
    return np.delete(codes, gone).tobytes(), ends - np.searchsorted(gone, ends)
