"""Which addresses an exchange may be read from."""

from ipaddress import ip_address
from urllib.parse import urlsplit

from liq_provider.errors import SettingsError

# Play money liquidates like real money does not: such a feed looks alive and means nothing.
_TEST_HOSTS = ("binancefuture.com", "wspap.okx.com", "wsaws-demo.okx.com")
_TEST_WORDS = frozenset({"testnet", "demo", "sandbox", "papertrading"})


def check_url(url: str, schemes: tuple[str, str] = ("ws", "wss")) -> None:
    """
    :param url: address of a feed or of a REST API, from the settings
    :param schemes: the plain one, for this machine only, and the encrypted one
    :raises SettingsError: if it is no such address, unencrypted over a network, or an
        exchange's test environment
    """
    plain, encrypted = schemes
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".")
        _ = parts.port
        if parts.username or parts.password:
            raise SettingsError(f"the address of {host} holds credentials; public feeds need none")
    except ValueError as error:
        raise SettingsError(f"{url!r} is no address ({error})") from error
    if parts.scheme not in schemes or not host:
        raise SettingsError(
            f"{url!r} is no {'websocket' if plain == 'ws' else 'web'} address; write "
            f"{encrypted}://host/path, or leave the key out to use the exchange's own"
        )
    if _is_test_environment(host):
        raise SettingsError(
            f"{host} is a test environment where play money is liquidated; leave the key out "
            "to use the exchange's public feed"
        )
    if parts.scheme == plain and not _is_loopback(host):
        raise SettingsError(
            f"{url!r} would be read unencrypted over a network; write {encrypted}:// ({plain}:// "
            "is for this machine only)"
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
