"""
The trades databases that Freqtrade opens and never closes: it has one a process, and a test has
many. From Python 3.13 on sqlite3 warns of each connection that is left to the garbage collector.
"""

from typing import Any

import freqtrade.persistence.models as models
from sqlalchemy import Engine
from sqlalchemy.orm import close_all_sessions

_opened: list[Engine] = []
_create = models.create_engine


def watch() -> None:
    """Remember each one from now on."""

    def create(*args: Any, **kwargs: Any) -> Engine:
        engine: Engine = _create(*args, **kwargs)
        _opened.append(engine)
        return engine

    models.create_engine = create


def close() -> None:
    """Close the connections of all of them; a bot that goes on opens its own again."""
    if _opened:
        close_all_sessions()
    for engine in _opened:
        engine.dispose()
    # The newest may belong to a bot that several tests share.
    del _opened[:-1]
