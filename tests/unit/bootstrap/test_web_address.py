"""Which port the console takes, and how its address is written."""

from __future__ import annotations

import socket

import pytest

from tournee.bootstrap import web_address
from tournee.bootstrap.web_address import (
    bind_patiently,
    build_base,
    choose_port,
    is_listenable,
    take_over,
    take_port,
)
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


def test_two_that_take_a_port_at_once_have_one_each(monkeypatch: pytest.MonkeyPatch) -> None:
    port = find_free_pair()
    with take_port(LOOPBACK, port, NONE) as first:
        # The second one has looked before the first one came.
        answers = iter([port])
        monkeypatch.setattr(web_address, "choose_port", lambda *asked: next(answers, None) or choose_port(*asked))
        with take_port(LOOPBACK, port, NONE) as second:
            assert (first.getsockname()[1], second.getsockname()[1]) == (port, port + 1)


def test_only_a_socket_that_listens_on_the_port_is_taken_over() -> None:
    port = find_free_pair()
    with take_port(LOOPBACK, port, NONE) as ours, socket.socket() as deaf:
        taken = take_over(ours.fileno(), port)
        assert taken is not None
        with taken:
            assert (taken.getsockname(), taken.get_inheritable()) == ((LOOPBACK, port), False)
        assert take_over(ours.fileno(), port + 1) is None
        assert take_over(deaf.fileno(), port) is None
    assert take_over(-1, port) is None


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
