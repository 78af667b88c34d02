"""Which addresses a feed may be read from."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from liq_provider.errors import SettingsError

# Play money liquidates like real money does not: such a feed looks alive and means nothing.
_TEST_HOSTS = ("binancefuture.com", "wspap.okx.com", "wsaws-demo.okx.com")
_TEST_WORDS = frozenset({"testnet", "demo", "sandbox", "papertrading"})


def check_url(url: str) -> None:
    """
    :param url: address of a feed, from the settings
    :raises SettingsError: if it is no websocket address, unencrypted over a network, or an
        exchange's test environment
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".")
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{url!r} is no address ({error})") from error
    if parts.scheme not in ("ws", "wss") or not host:
        raise SettingsError(
            f"{url!r} is no websocket address; write wss://host/path, or leave the key out "
            "to use the exchange's public feed"
        )
    if _is_test_environment(host):
        raise SettingsError(
            f"{host} is a test environment where play money is liquidated; leave the key out "
            "to use the exchange's public feed"
        )
    if parts.scheme == "ws" and not _is_loopback(host):
        raise SettingsError(
            f"{url!r} would be read unencrypted over a network; write wss:// (ws:// is for "
            "this machine only)"
        )


def _is_test_environment(host: str) -> bool:
    if any(host == name or host.endswith("." + name) for name in _TEST_HOSTS):
        return True
    words = host.replace("-", ".").split(".")
    return any(word in _TEST_WORDS for word in words)


def _is_loopback(host: str) -> bool:
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
