"""A relay before a server that changes what the server says of itself, as an older one would.

Owns its thread and connections. Keeps every answer's length, since both protocols count bytes; refuses a change that
does not.
"""

from __future__ import annotations

import re
import socket
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

from tournee.kit.ports import LOOPBACK

_CHUNK = 64 * 1024


@contextmanager
def disguise_server(port: int, changes: Mapping[bytes, bytes]) -> Iterator[int]:
    """The port of a relay to `port`; each answer has what the patterns find replaced. They stand in one piece in it."""
    with socket.create_server((LOOPBACK, 0)) as server:
        threading.Thread(target=_accept_clients, args=(server, port, changes), daemon=True).start()
        yield int(server.getsockname()[1])
        server.shutdown(socket.SHUT_RDWR)


def _accept_clients(server: socket.socket, port: int, changes: Mapping[bytes, bytes]) -> None:
    with suppress(OSError):
        while True:
            client, _ = server.accept()
            upstream = socket.create_connection((LOOPBACK, port))
            threading.Thread(target=_pump, args=(client, upstream, {}), daemon=True).start()
            threading.Thread(target=_pump, args=(upstream, client, changes), daemon=True).start()


def _pump(source: socket.socket, sink: socket.socket, changes: Mapping[bytes, bytes]) -> None:
    with suppress(OSError), source, sink:
        while data := source.recv(_CHUNK):
            changed = data
            for pattern, replacement in changes.items():
                changed = re.sub(pattern, replacement, changed)
            assert len(changed) == len(data)
            sink.sendall(changed)
        sink.shutdown(socket.SHUT_RDWR)
