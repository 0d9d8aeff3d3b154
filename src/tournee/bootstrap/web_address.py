"""The port and the address of the console: the preferred port, else the next free one, never the board's."""

from __future__ import annotations

import asyncio
import errno
import os
import socket
from contextlib import suppress

from tournee.kit.errors import SetupError
from tournee.kit.ports import find_free_port
from tournee.web.server import bind_loopback

NEAR_PORTS = 50
HIGHEST_PORT = 65535
REBIND_SECONDS = 5.0
_PAUSE_SECONDS = 0.1


def build_base(host: str, port: int) -> str:
    """`http://host:port`; an IPv6 address stands in brackets."""
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def is_listenable(host: str, port: int) -> bool:
    """Whether a server could listen there now. Raises `SetupError` for a host that is none of this machine's."""
    try:
        bind_loopback(host, port).close()
    except OSError as error:
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return False
        raise SetupError(f"{host} can't be listened on ({error.strerror}): correct TOURNEE_WEB_HOST") from error
    return True


def choose_port(host: str, preferred: int, kept: int) -> int:
    """The preferred port, else the next free one but `kept`, else any free one."""
    for port in range(preferred, min(preferred + NEAR_PORTS, HIGHEST_PORT + 1)):
        if port != kept and is_listenable(host, port):
            return port
    return find_free_port()


def take_port(host: str, preferred: int, kept: int) -> socket.socket:
    """Listen on the port that `choose_port` chooses, and on the next one if another process was quicker."""
    while True:
        with suppress(OSError):
            return bind_loopback(host, choose_port(host, preferred, kept))


def take_over(descriptor: int, port: int) -> socket.socket | None:
    """The socket on this port that our parent has opened for us; None: that descriptor is nothing of the kind."""
    try:
        sock = socket.socket(fileno=os.dup(descriptor))
    except OSError:
        return None
    try:
        listens = sock.getsockopt(socket.SOL_SOCKET, socket.SO_ACCEPTCONN) and sock.getsockname()[1] == port
    except OSError:
        listens = False
    if not listens:
        sock.close()
        return None
    return sock


async def bind_patiently(host: str, port: int) -> socket.socket:
    """Listen on exactly this port, which a process that has just been killed may hold for a moment.

    Raises `SetupError` if it stays taken.
    """
    deadline = asyncio.get_running_loop().time() + REBIND_SECONDS
    while True:
        try:
            return bind_loopback(host, port)
        except OSError as error:
            if asyncio.get_running_loop().time() > deadline:
                remedy = "end what holds it, or set TOURNEE_WEB_PORT to another"
                raise SetupError(f"port {port} can't be listened on ({error.strerror}): {remedy}") from error
        await asyncio.sleep(_PAUSE_SECONDS)
