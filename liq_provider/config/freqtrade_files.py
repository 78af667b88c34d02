"""
Freqtrade's configuration files, read as Freqtrade reads them.

Freqtrade's own reader is at home in a package that loads pandas and ccxt: a second and 130 MB, for
a command that wants to know where the store is. What is out of the ordinary is left to it, above
all whatever is wrong, so that there is one who words it.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import rapidjson

# As Freqtrade allows it: comments, and commas at the end.
_PARSE_MODE = rapidjson.PM_COMMENTS | rapidjson.PM_TRAILING_COMMAS

_INCLUDED = "add_config_files"
_DEEPEST = 5
_ENV_PREFIX = "FREQTRADE__"


class _Extraordinary(Exception):
    """Freqtrade is to read it."""


def read_plain(paths: Sequence[str], environ: Mapping[str, str]) -> dict[str, Any] | None:
    """
    :param paths: files, the later ones win
    :param environ: Freqtrade takes values from it, too
    :return: what Freqtrade would read, nothing of no files; None where it must do that itself, as
        something is wrong, comes from elsewhere than files, or is not done by anybody
    """
    if any(name.startswith(_ENV_PREFIX) for name in environ):
        return None
    if not paths:
        return {}
    try:
        return _read(list(paths), None, 0)
    except (_Extraordinary, OSError, ValueError, TypeError, RecursionError):
        return None


def _read(paths: list[Any], beside: Path | None, depth: int) -> dict[str, Any]:
    """:param beside: where the file lies that names these"""
    if depth > _DEEPEST or not paths:
        raise _Extraordinary
    config: dict[str, Any] = {}
    files: list[str] = []
    for path in paths:
        if not isinstance(path, str) or path == "-":
            raise _Extraordinary
        file = Path(path) if beside is None else beside / path
        content = _content(file)
        if _INCLUDED in content:
            if not isinstance(content[_INCLUDED], list):
                raise _Extraordinary
            included = _read(content[_INCLUDED], file.resolve().parent, depth + 1)
            files += included["config_files"]
            content = _laid_over(included, content)
        files.insert(0, str(file))
        config = _laid_over(config, content)
    return config | {"config_files": files}


def _content(file: Path) -> dict[str, Any]:
    # In whatever encoding this machine has, as Freqtrade does it.
    with file.open() as opened:
        content = rapidjson.load(opened, parse_mode=_PARSE_MODE)
    if not isinstance(content, dict):
        raise _Extraordinary
    return content


def _laid_over(config: dict[str, Any], content: Mapping[str, Any]) -> dict[str, Any]:
    """
    :param content: wins, key by key within sections
    :raises TypeError: it has a section where the other has a value
    """
    for key, value in content.items():
        if isinstance(value, dict):
            section = config.setdefault(key, {})
            if not isinstance(section, dict):
                raise TypeError(key)
            _laid_over(section, value)
        else:
            config[key] = value
    return config
