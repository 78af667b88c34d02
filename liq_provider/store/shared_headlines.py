"""
Who looks for news of a coin, and what was found last: for all sidecars of one store.

One small fact for each coin. A search that failed leaves nothing behind, so that the others try.
"""

import json
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from sqlalchemy import Engine, select

from liq_provider.store import schema
from liq_provider.store.database import store_errors
from liq_provider.store.shared_questions import one_at_a_time
from liq_provider.store.statements import read_state, write_state


@dataclass(frozen=True, slots=True)
class Search:
    """
    :param kind: ``mine``: to be made; ``asked``: by another one; ``found``: what is in ``news``
    :param until_ms: when it is to be made again
    """

    kind: Literal["mine", "asked", "found"]
    news: Any = None
    until_ms: int = 0


class SharedHeadlines:
    """
    :param engine: tells that of the store, opened for writing
    :param asker: which sidecar this is
    :param source: identifies where news comes from; others may look elsewhere
    """

    def __init__(self, engine: Callable[[], Engine], asker: str, source: str) -> None:
        self._engine = engine
        self._asker = asker
        self._source = source

    def claim(self, base_asset: str, now_ms: int, lease_ms: int) -> Search:
        """
        :param lease_ms: when others may take the search over
        """
        with store_errors("Taking a search"), self._engine().begin() as connection:
            one_at_a_time(connection)
            known = read_state(connection, self._key(base_asset)) or {}
            if known.get("news") is not None and known["until_ms"] > now_ms:
                return Search("found", known["news"], known["until_ms"])
            if self._others(known, now_ms):
                return Search("asked")
            mine = {"asker": self._asker, "lease_ms": lease_ms}
            write_state(connection, self._key(base_asset), mine, now_ms)
            return Search("mine")

    def asked(self, base_assets: Collection[str], now_ms: int) -> set[str]:
        """:return: of those that another one is searching for"""
        coins = {self._key(coin): coin for coin in base_assets}
        table = schema.state.c
        query = select(table.key, table.value).where(table.key.in_(coins))
        with store_errors("Reading searches"), self._engine().connect() as connection:
            known = connection.execute(query).all()
        return {coins[row.key] for row in known if self._others(json.loads(row.value), now_ms)}

    def _others(self, known: Mapping[str, Any], now_ms: int) -> bool:
        return known.get("asker") not in (None, self._asker) and known["lease_ms"] > now_ms

    def tell(self, base_asset: str, news: Any, until_ms: int, now_ms: int) -> None:
        """
        :param news: as JSON values; None: nobody was asked
        """
        with store_errors("Writing news"), self._engine().begin() as connection:
            told = {"news": news, "until_ms": until_ms} if news is not None else {}
            write_state(connection, self._key(base_asset), told, now_ms)

    def _key(self, base_asset: str) -> str:
        return f"news {self._source} {base_asset}"
