"""Which port the console takes, and how its address is written."""

from __future__ import annotations

import socket

import pytest

from tournee.bootstrap.web_address import bind_patiently, build_base, choose_port, is_listenable
from tournee.kit.errors import SetupError
from tournee.kit.ports import LOOPBACK, find_free_port

NONE = 0


def find_free_pair() -> int:
    """A port that is free as the two after it are."""
    while True:
        port = find_free_port()
        if all(is_listenable(LOOPBACK, near) for near in (port + 1, port + 2)):
            return port


def test_a_taken_port_gives_way_to_the_next_but_never_to_the_boards() -> None:
    port = find_free_pair()
    assert choose_port(LOOPBACK, port, NONE) == port
    with socket.create_server((LOOPBACK, port)):
        assert choose_port(LOOPBACK, port, NONE) == port + 1
        assert choose_port(LOOPBACK, port, port + 1) == port + 2


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    assert build_base("::1", 8420) == "http://[::1]:8420"
    assert build_base(LOOPBACK, 8420) == "http://127.0.0.1:8420"


async def test_exactly_the_port_that_was_told_is_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    port = find_free_port()
    monkeypatch.setattr("tournee.bootstrap.web_address.REBIND_SECONDS", 0.0)
    with socket.create_server((LOOPBACK, port)), pytest.raises(SetupError, match=f"port {port} can't be listened on"):
        await bind_patiently(LOOPBACK, port)
    with await bind_patiently(LOOPBACK, port) as listening:
        assert listening.getsockname() == (LOOPBACK, port)
