"""The embedded Valkey: the dispatcher where no Redis URL is set.

Nothing in it is the truth, so nothing in it may keep it from starting: an append-only file that can't be read is
set aside, and the ledger fills the new, empty server again.
"""

from __future__ import annotations

import asyncio
import shutil
import signal
from collections.abc import Sequence
from contextlib import suppress

from tournee.embedded.account import own_folder
from tournee.embedded.binaries import find_valkey, place_binaries
from tournee.embedded.credentials import Credentials
from tournee.embedded.home import Home
from tournee.embedded.server import Server
from tournee.kit.child import Command
from tournee.kit.ports import LOOPBACK

ROLE = "default"
_AOF_FOLDER = "appendonlydir"
_ANSWER_SECONDS = 2.0
_UNREADABLE = ("Bad file format", "Fatal error loading", "AOF", "append only", "RDB format version", "manifest")


class ValkeyServer(Server):
    """Valkey 9 on 127.0.0.1, logical databases 0 to 15."""

    title = "Valkey"
    program = "valkey-server"
    roles = (ROLE,)
    stop_steps = ((signal.SIGTERM, 8.0),)
    ready_seconds = 60.0

    def __init__(self, home: Home, max_memory_mb: int, durable: bool) -> None:
        super().__init__(home, home.path / "valkey")
        self._programs = place_binaries(find_valkey(), home)
        self._max_memory_mb = max_memory_mb
        self._durable = durable
        self.working_folder = self.folder

    @property
    def url(self) -> str:
        return f"redis://:{self.read_password(ROLE)}@{LOOPBACK}:{self.port}/0"

    async def _prepare(self, credentials: Credentials, fresh: bool) -> None:
        own_folder(self.folder, self.home.account)

    def _build_command(self, port: int, credentials: Credentials) -> Command:
        """The settings go in over stdin, so that the password is in no file and no argument list."""
        settings = {
            "bind": LOOPBACK,
            "port": str(port),
            "protected-mode": "yes",
            "requirepass": credentials.passwords[ROLE],
            "dir": str(self.folder),
            "daemonize": "no",
            "databases": "16",
            "appendonly": "yes",
            "appenddirname": _AOF_FOLDER,
            "appendfsync": "everysec" if self._durable else "no",
            "save": "",
            "maxmemory": f"{self._max_memory_mb}mb",
            # Evicting a job would lose it silently; an error can be handled.
            "maxmemory-policy": "noeviction",
            "logfile": "",
        }
        text = "".join(f"{name} {_quote(value)}\n" for name, value in settings.items())
        return Command(
            [self._programs["valkey-server"], "-"],
            self.home.account,
            signal.SIGTERM,
            text.encode("utf-8", "surrogateescape"),
            environment={"LC_ALL": "C", "TZ": "UTC"},
        )

    async def _is_ready(self, pid: int, port: int, credentials: Credentials) -> bool:
        """Ask with a raw PING: while it reads its file it accepts connections and answers -LOADING."""
        with suppress(OSError, TimeoutError):
            async with asyncio.timeout(_ANSWER_SECONDS):
                return await _ping(port, credentials.passwords[ROLE])
        return False

    def _recover(self, lines: Sequence[str]) -> bool:
        """Set an unreadable append-only file aside; the one set aside before goes."""
        kept = self.folder / _AOF_FOLDER
        if not kept.exists() or not any(sign in line for line in lines for sign in _UNREADABLE):
            return False
        aside = self.folder / f"{_AOF_FOLDER}.unreadable"
        shutil.rmtree(aside, ignore_errors=True)
        kept.rename(aside)
        return True


async def _ping(port: int, password: str) -> bool:
    reader, writer = await asyncio.open_connection(LOOPBACK, port)
    try:
        writer.write(f"AUTH {password}\r\nPING\r\n".encode("ascii"))
        await writer.drain()
        return await reader.readline() == b"+OK\r\n" and await reader.readline() == b"+PONG\r\n"
    finally:
        writer.close()
        with suppress(OSError):
            await writer.wait_closed()


def _quote(value: str) -> str:
    """Quote a value of the settings file; a folder's name may hold anything."""
    escaped = value.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\r", "\\r")
    return f'"{escaped}"'
