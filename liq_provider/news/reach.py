"""
Where a request for headlines may go.

An address that strangers chose, by a redirect or by the name service, must not lead into the
machine or its network. What is looked up is what is connected to, so that a name that answers
differently the second time gains nothing. Only the address that the user wrote may be his own.
"""

import asyncio
import socket
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network

import httpx2

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
        inner = _inner(ip_address(address.partition("%")[0]))
    except ValueError:
        return False
    return inner.is_global and not inner.is_multicast


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


class PublicOnly(httpx2.AsyncBaseTransport):
    """
    Looks names up itself, and connects to addresses of the public internet alone.

    :param network: is asked for the address; it still has to prove that it is of that name
    """

    def __init__(self, network: httpx2.AsyncBaseTransport) -> None:
        self._network = network

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        """
        :return: the answer of the first address that can be connected to
        :raises OutOfReach: the name has no address that may be connected to
        """
        name = request.url.raw_host.decode("ascii")
        addresses = [one for one in await _addresses(name) if is_public(one)]
        if not addresses:
            raise OutOfReach
        timeout = dict(request.extensions["timeout"])
        timeout["connect"] /= len(addresses)
        for address in addresses:
            asked = httpx2.Request(
                request.method,
                request.url.copy_with(host=address),
                headers=request.headers,  # with the name as the host
                stream=request.stream,
                extensions={**request.extensions, "timeout": timeout, "sni_hostname": name},
            )
            try:
                return await self._network.handle_async_request(asked)
            except (httpx2.ConnectError, httpx2.ConnectTimeout):
                if address == addresses[-1]:
                    raise
        raise AssertionError("one address is the last")

    async def aclose(self) -> None:
        """Close its connections."""
        await self._network.aclose()


def _inner(address: _Address) -> _Address:
    """The address of version 4 that one of version 6 stands for, if it does."""
    if isinstance(address, IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and any(address in network for network in _TRANSLATED):
            inner = IPv4Address(int(address) & 0xFFFF_FFFF)
        return inner or address
    return address


async def _addresses(host: str) -> list[str]:
    """Those of version 4 first: where version 6 leads nowhere, it does so slowly."""
    loop = asyncio.get_running_loop()
    try:
        known = await loop.getaddrinfo(host, None, type=socket.SOCK_STREAM)
    except OSError:
        raise httpx2.ConnectError("the name is not known") from None
    ordered = sorted(known, key=lambda info: info[0] != socket.AF_INET)
    return list(dict.fromkeys(str(info[4][0]) for info in ordered))
