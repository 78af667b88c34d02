"""Ports for servers that start a moment later."""

import socket

import pytest

from liq_provider.launch import ports
from liq_provider.launch.ports import NoFreePort, free_port


def taken() -> socket.socket:
    listening = socket.socket()
    listening.bind(("127.0.0.1", 0))
    listening.listen()
    return listening


def test_the_wanted_one_is_given_if_it_is_free_and_was_not_given_before() -> None:
    with taken() as listening:
        port = listening.getsockname()[1]
        assert free_port(port) != port
    wanted = free_port()
    assert free_port(wanted) == wanted
    assert free_port(wanted, [wanted]) != wanted


def test_any_other_is_one_that_no_outgoing_connection_is_given() -> None:
    outgoing = []
    for _ in range(20):
        with taken() as listening, socket.create_connection(listening.getsockname()) as client:
            outgoing.append(client.getsockname()[1])
    if min(outgoing) < 32_000:
        pytest.skip("this machine gives outgoing connections nearly all ports")
    assert max(free_port() for _ in range(20)) < min(outgoing)


def test_where_all_are_taken_that_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "_is_free", lambda port: False)
    with pytest.raises(NoFreePort, match="no free TCP port"):
        free_port()
