"""The port and the address of the console: the preferred port, else the next free one, never the board's."""

from __future__ import annotations

import asyncio
import errno
import socket

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
