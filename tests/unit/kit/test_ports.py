"""Ports for servers of our own."""

from __future__ import annotations

import socket

import pytest

from tournee.kit import ports


def test_a_free_preferred_port_is_kept_and_a_taken_one_is_not() -> None:
    port = ports.find_free_port()
    assert ports.find_free_port(port) == port
    with socket.create_server((ports.LOOPBACK, port)):
        assert not ports.is_port_free(port)
        assert ports.find_free_port(port) != port


def test_ports_lie_below_those_for_outgoing_connections() -> None:
    assert all(ports.LOWEST_PORT <= ports.find_free_port() < 32768 for _ in range(20))


def test_no_free_port_is_an_error_and_no_endless_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ports, "is_port_free", lambda port: False)
    with pytest.raises(ports.NoFreePort):
        ports.find_free_port()
