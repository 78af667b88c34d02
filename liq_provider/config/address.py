"""Which addresses an exchange may be read from."""

import re
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlsplit

from liq_provider.config.lookalikes import refuse_lookalike
from liq_provider.errors import SettingsError
from liq_provider.venues import VENUES

_SECRET = re.compile(
    r"(?:.*[_.-])?(?:(?:api|access|auth)?[_-]?(?:key|token)|secret|password|passwd|pw|sig|signature)",
    re.IGNORECASE,
)
# Play money liquidates like real money does not: such a feed looks alive and means nothing.
_TEST_WORDS = frozenset({"testnet", "demo", "sandbox", "papertrading"})


def check_url(url: str, key: str = "url", venue: str | None = None) -> None:
    """
    :param url: address of a feed or of a REST API, from the settings
    :param key: ``url`` for a feed, ``rest_url`` for an API
    :param venue: whose liquidations are expected there
    :raises SettingsError: if it is no such address, unencrypted over a network, an exchange's
        test environment, or known to serve something else
    """
    plain, encrypted = schemes = ("ws", "wss") if key == "url" else ("http", "https")
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".")
        _ = parts.port
    except ValueError:
        # Not quoted: it may hold a password.
        raise SettingsError("is no address; look at brackets and port") from None
    refuse_secrets(url)
    if parts.scheme not in schemes or not host:
        raise SettingsError(
            f"is no {'websocket' if plain == 'ws' else 'web'} address; write "
            f"{encrypted}://host/path, or leave the key out to use the exchange's own"
        )
    if _is_test_environment(host) or _asks_for_test(host, parts.query):
        raise SettingsError(
            f"{host} is a test environment where play money is liquidated; leave the key out "
            "to use the exchange's public feed"
        )
    if parts.scheme == plain and not _is_loopback(host):
        raise SettingsError(
            f"{host} would be read unencrypted over a network; write {encrypted}:// ({plain}:// "
            "is for this machine only)"
        )
    if venue is not None:
        refuse_lookalike(venue, key, host, parts)


def refuse_secrets(url: str) -> None:
    """
    Addresses are shown: in the status, in logs, on the page.

    :raises SettingsError: it holds what looks like a secret, which is not repeated
    """
    parts = urlsplit(url)
    if parts.username or parts.password:
        raise SettingsError("holds credentials; keys come from the environment only")
    for text in (parts.query, parts.fragment, parts.path.partition(";")[2]):
        for name, said in parse_qsl(text, separator="&") + parse_qsl(text, separator=";"):
            if said and _SECRET.fullmatch(name):
                raise SettingsError(
                    f"holds a secret ({name}=...); keys come from the environment only"
                )


def _is_test_environment(host: str) -> bool:
    patterns = (name for venue in VENUES.values() for name in venue.addresses.test_hosts)
    words = host.replace("-", ".").split(".")
    return any(re.fullmatch(pattern, host) for pattern in patterns) or any(
        word in _TEST_WORDS for word in words
    )


def _asks_for_test(host: str, query: str) -> bool:
    asked = {(name.lower(), value) for name, value in parse_qsl(query)}
    return any(
        re.fullmatch(venue.addresses.owner, host)
        and not asked.isdisjoint(venue.addresses.test_queries)
        for venue in VENUES.values()
    )


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
