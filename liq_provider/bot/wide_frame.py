"""
Many columns beside a frame at once.

``DataFrame.assign`` inserts one column after the other, and each insertion makes the list of
column names anew and one more block of memory, which slows down whatever is asked of the frame
after that. Here neighbours of one type share a block, and the names are put together once.
"""

from collections.abc import Iterator, Mapping
from functools import lru_cache
from typing import Any

import numpy as np
import pandas as pd
from pandas import DataFrame

# Sets of names are few: those of one version of the columns, and of each length of a frame.
_KEPT = 64

_NAMES = pd.Index(["a name"]).dtype


def beside(frame: DataFrame, columns: Mapping[str, Any]) -> DataFrame:
    """
    :param columns: by name, an array or one value for all rows
    :return: the same as ``frame.assign(**columns)``, in few blocks
    """
    names = frame.columns
    # Without a value a type is guessed, and names of another type or with a title stay so.
    if not len(frame) or names.dtype != _NAMES or names.name is not None:
        return frame.assign(**columns)
    here = tuple(names)
    new = {name: values for name, values in columns.items() if name not in here}
    made = _joined(frame, here, new) if new else frame.copy(deep=False)
    for name, values in columns.items():
        if name in here:
            made[name] = _repeated(values, len(frame)) if isinstance(values, str) else values
    return made


def _joined(frame: DataFrame, here: tuple[str, ...], columns: Mapping[str, Any]) -> DataFrame:
    parts = [frame]
    for kind, names in _neighbours(columns):
        if kind is str:
            parts += [_of_text(name, columns[name], frame) for name in names]
        elif kind is None:
            parts.append(frame[[]].assign(**{name: columns[name] for name in names}))
        else:
            block = np.empty((len(names), len(frame)), dtype=kind)
            for row, name in enumerate(names):
                block[row] = columns[name]
            parts.append(DataFrame(block.T, frame.index, _named(tuple(names)), copy=False))
    # Names that were there before are not put together anew, and are looked up faster.
    made = pd.concat(parts, axis=1, ignore_index=True)
    # A view of them, as whoever gives them a title gives it to his own frame alone.
    made.columns = _named((*here, *columns)).view()
    made.index = frame.index.view()
    return made


def _neighbours(columns: Mapping[str, Any]) -> Iterator[tuple[Any, list[str]]]:
    """:return: runs of names whose values are of one type: numpy's, ``str``, or None for others"""
    last: Any = None
    names: list[str] = []
    for name, values in columns.items():
        kind = _kind(values)
        if names and kind != last:
            yield last, names
            names = []
        last = kind
        names.append(name)
    if names:
        yield last, names


def _kind(values: Any) -> Any:
    if isinstance(values, np.ndarray | np.generic):
        return None if values.dtype.kind in "OSU" else values.dtype
    if isinstance(values, str):
        return str
    return np.dtype(type(values)) if isinstance(values, bool | int | float) else None


@lru_cache(_KEPT)
def _named(names: tuple[str, ...]) -> pd.Index:
    return pd.Index(names)


def _of_text(name: str, text: str, frame: DataFrame) -> DataFrame:
    return DataFrame(_repeated(text, len(frame)), frame.index, _named((name,)), copy=False)


def _repeated(text: str, length: int) -> Any:
    # Whoever writes into a column writes into its copy, which with Arrow's strings costs nothing.
    return _made_once(text, length).copy()


@lru_cache(_KEPT)
def _made_once(text: str, length: int) -> Any:
    return pd.Series(text, index=range(length)).array
