"""TCP ports for servers that are started a moment later, by other processes."""

import random
import socket
from collections.abc import Iterator, Sequence

from liq_provider.errors import LiqError

# Below those that Linux and macOS give to outgoing connections: one of them could take the port
# of a server that has not started yet.
_FIRST, _LAST = 20_000, 31_999
_TRIES = 200


class NoFreePort(LiqError):
    """All that were tried are taken."""


def free_port(wanted: int = 0, besides: Sequence[int] = ()) -> int:
    """
    :param wanted: the one to take if it is free; 0 for any
    :param besides: those that were given away already
    :return: a port on loopback that nobody uses now, and no outgoing connection will
    :raises NoFreePort: there is none
    """
    for port in _candidates(wanted):
        if port not in besides and _is_free(port):
            return port
    raise NoFreePort("no free TCP port on 127.0.0.1")


def _candidates(wanted: int) -> Iterator[int]:
    if wanted:
        yield wanted
    # Not one after the other: who asks at the same time must not be given the same.
    yield from random.SystemRandom().sample(range(_FIRST, _LAST + 1), _TRIES)


def _is_free(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return False
    return True
