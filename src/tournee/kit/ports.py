"""Free TCP ports on loopback, for servers and consoles that this machine starts itself.

Ports lie below 32768, where Linux begins to hand out ports for outgoing connections, so that no client of any
program can take a server's port while the server restarts. A free port is a guess until it is bound: whoever
binds it must be ready to lose the race and ask again.
"""

from __future__ import annotations

import errno
import secrets
import socket

LOOPBACK = "127.0.0.1"
LOWEST_PORT = 20000
HIGHEST_PORT = 32767
_RANGE = range(LOWEST_PORT, HIGHEST_PORT + 1)
_TRIES = 200


class NoFreePort(OSError):
    """None of the ports tried was free."""


def is_port_free(port: int, host: str = LOOPBACK) -> bool:
    """True if a server could listen on `port` now. Ports left in TIME_WAIT by an earlier server count as free."""
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno in (errno.EADDRINUSE, errno.EACCES):
                return False
            raise
    return True


def find_free_port(preferred: int | None = None) -> int:
    """Return `preferred` where it is free, else a random free port of the range; raises `NoFreePort`."""
    if preferred is not None and is_port_free(preferred):
        return preferred
    for _ in range(_TRIES):
        port = secrets.choice(_RANGE)
        if is_port_free(port):
            return port
    raise NoFreePort(f"no free port between {LOWEST_PORT} and {HIGHEST_PORT} on {LOOPBACK}")
