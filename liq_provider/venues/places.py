"""Which addresses are an exchange's, and what is served at each."""

import re
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """
    :param host: pattern of the whole host name
    :param path: pattern of the whole path, its slash at the end left out
    """

    host: str
    path: str = ".*"

    def fits(self, host: str, path: str) -> bool:
        """:return: whether an address is such a place"""
        return bool(re.fullmatch(self.host, host) and re.fullmatch(self.path, path))


def _always(path: str, query: str) -> bool:
    return True


@dataclass(frozen=True, slots=True, kw_only=True)
class Addresses:
    """
    :param owner: pattern of the names of all hosts of the exchange
    :param feeds: where its liquidations are streamed, on its hosts
    :param rest_url: the base of its REST API
    :param apis: where that is served, on its hosts
    :param instead: what is served elsewhere on them, in words that follow the address
    :param test_hosts: patterns of hosts at which play money is liquidated
    :param test_queries: name, in small letters, and value in a query that ask a usual host for that
    :param names_feed: whether path and query name the stream, where they have to
    """

    owner: str
    feeds: tuple[Place, ...]
    rest_url: str
    apis: tuple[Place, ...]
    instead: tuple[tuple[Place, str], ...] = ()
    test_hosts: tuple[str, ...] = ()
    test_queries: tuple[tuple[str, str], ...] = ()
    names_feed: Callable[[str, str], bool] = _always
