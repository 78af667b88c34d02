"""Whose a page is: the registered domain of its address."""

import re
from ipaddress import ip_address
from urllib.parse import urlsplit

# Below a country's code these are no names of anybody: example.co.uk, example.com.br.
_SHARED = frozenset("ac co com edu gob gov gv ltd mil ne net nom or org plc sch".split())


def origins(*places: str) -> str:
    """
    :param places: addresses or names of hosts; empty ones are left out
    :return: their registered domains, between blanks
    """
    domains = {domain for place in places if (domain := registered_domain(place))}
    return " ".join(sorted(domains))


def registered_domain(place: str) -> str:
    """
    The part of a name that somebody registered: news.example.co.uk is example.co.uk.

    :param place: address or name of a host
    :return: in lower case, always the same of the same domain; empty if there is none
    """
    try:
        return str(ip_address(place))
    except ValueError:
        pass
    try:
        host = urlsplit(place if "://" in place else f"//{place}").hostname or ""
    except ValueError:
        return ""
    host = host.rstrip(".")
    try:
        return str(ip_address(host))
    except ValueError:
        labels = [label for label in _encoded(host).split(".") if label]
    country = len(labels) > 2 and len(labels[-1]) == 2 and labels[-2] in _SHARED
    name = ".".join(labels[-3 if country else -2 :])
    return re.sub(r"\s", "", name)


def _encoded(host: str) -> str:
    """As it is looked up: a name in any script has two spellings."""
    try:
        return host.encode("idna").decode().lower()
    except UnicodeError:
        return host
