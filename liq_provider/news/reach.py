"""
Where a request for headlines may go.

An address that strangers chose, by a redirect or by the name service, must not lead into the
machine or its network. What is looked up is what is connected to, so that a name that answers
differently the second time gains nothing. Only the address that the user wrote may be his own.
"""

import asyncio
import socket
from collections.abc import Iterable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpcore2

# Names that the public name service does not have; so are those without a dot.
_OWN_ENDINGS = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".intranet")
# An address of version 4 as networks write it that have only version 6.
_TRANSLATED = (ip_network("64:ff9b::/96"), ip_network("64:ff9b:1::/48"))

_Address = IPv4Address | IPv6Address


class OutOfReach(Exception):
    """The address is none of the public internet."""


def is_public(address: str) -> bool:
    """
    :param address: IP address
    :return: whether it is one of the public internet, whatever it is written in
    """
    try:
        found = _inner(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    return found.is_global and not found.is_multicast


def is_own(host: str) -> bool:
    """
    :param host: as in an address that the user wrote
    :return: whether it can only mean a machine of his own
    """
    host = host.rstrip(".").lower()
    try:
        return not is_public(str(ip_address(host.partition("%")[0])))
    except ValueError:
        return "." not in host or host.endswith(_OWN_ENDINGS)


class CheckedNetwork(httpcore2.AsyncNetworkBackend):
    """
    Connects to addresses that it looked up and checked itself.

    :param own: every address will do: the user wrote this one, or it is his proxy
    """

    def __init__(self, own: bool) -> None:
        self._own = own
        self._network = httpcore2.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - the name is httpcore's
        local_address: str | None = None,
        socket_options: Iterable[httpcore2.SOCKET_OPTION] | None = None,
    ) -> httpcore2.AsyncNetworkStream:
        """
        :return: a connection to the first address that answers
        :raises Refused: it has no address that may be connected to
        """
        addresses = [one for one in await _addresses(host, port) if self._own or is_public(one)]
        if not addresses:
            raise OutOfReach
        each_s = None if timeout is None else timeout / len(addresses)
        for last, address in enumerate(addresses, start=1 - len(addresses)):
            try:
                return await self._network.connect_tcp(
                    address, port, each_s, local_address, socket_options
                )
            except (httpcore2.ConnectError, httpcore2.ConnectTimeout):
                if last == 0:
                    raise
        raise AssertionError("one address is the last")

    async def sleep(self, seconds: float) -> None:
        """As httpcore asks for it between its own attempts."""
        await asyncio.sleep(seconds)


def _inner(address: _Address) -> _Address:
    """The address of version 4 that one of version 6 stands for, if it does."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _TRANSLATED):
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        return inner or address
    return address


async def _addresses(host: str, port: int) -> list[str]:
    """Those of version 4 first: where version 6 leads nowhere, it does so slowly."""
    loop = asyncio.get_running_loop()
    try:
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
    except OSError:
        raise httpcore2.ConnectError("the name is not known") from None
    ordered = sorted(found, key=lambda info: info[0] != socket.AF_INET)
    return list(dict.fromkeys(str(info[4][0]) for info in ordered))
