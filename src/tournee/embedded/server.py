"""What PostgreSQL and Valkey have in common as servers of ours: start, stop, kill, watch.

Invariant: once `start` has returned, the server keeps its port for as long as this object lives, over restarts and
crashes, because other processes hold its URL. Only the first start may move to another port.
"""

from __future__ import annotations

import asyncio
import signal
import time
from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path

from tournee.embedded.credentials import Credentials, create_credentials, load_credentials, save_credentials
from tournee.embedded.errors import ServerStartFailed
from tournee.embedded.home import Home
from tournee.embedded.log import ServerLog, explain_failure
from tournee.embedded.orphans import end_orphans
from tournee.kit import ports
from tournee.kit.child import ChildProcess, Command

_POLL_SECONDS = 0.02
_PAUSE_SECONDS = 0.1
_MOVES = 8
"""How many other ports a first start tries when each is snatched before the server binds it."""
_RETRY_SECONDS = 5.0
"""How long a restart waits for what passes by itself: its port, or the memory of its dying children."""


class Server(ABC):
    """One server under our care. All methods may be called from any event loop of the main thread."""

    title: str
    program: str
    roles: Sequence[str]
    stop_steps: Sequence[tuple[int, float]]
    ready_seconds: float
    working_folder: Path
    """Where the server's processes work, by which left-over ones are known."""
    passing_failures: Sequence[str] = ()
    """Texts in the log of a failed start that a moment's patience cures."""

    def __init__(self, home: Home, folder: Path) -> None:
        self.home = home
        self.folder = folder
        self.log = ServerLog(home.logs / f"{folder.name}.log")
        self._credentials_path = home.run / f"{folder.name}.json"
        self._credentials: Credentials | None = None
        self._port: int | None = None
        self._child: ChildProcess | None = None
        self._wanted = False
        self._turn = asyncio.Lock()

    @property
    def pid(self) -> int | None:
        """The pid of the running server; None if it does not run."""
        return self._child.pid if self._child is not None and self._child.returncode is None else None

    @property
    def is_running(self) -> bool:
        return self.pid is not None

    @property
    def port(self) -> int:
        """The port on 127.0.0.1, fixed by the first start."""
        if self._port is None:
            raise RuntimeError(f"{self.title} has no port before it is started")
        return self._port

    @property
    def died(self) -> bool:
        """True while the server is down although nobody asked it to stop."""
        return self._wanted and not self.is_running and not self._turn.locked()

    @property
    @abstractmethod
    def url(self) -> str:
        """Where clients connect, password included."""

    async def start(self) -> None:
        """Return once the server answers; at once if it runs. Raises `SetupError` with one clear line.

        Cancelling leaves no process behind.
        """
        async with self._turn:
            if not self.is_running:
                await self._start()

    async def stop(self) -> None:
        """End the server cleanly; after its patience is over, by force. Nothing happens if it does not run."""
        async with self._turn:
            self._wanted = False
            await self._stop(self.stop_steps)

    async def restart(self) -> None:
        """Stop cleanly and start again, on the same port; the watchers see no death."""
        async with self._turn:
            await self._stop(self.stop_steps)
            await self._start()

    async def kill(self) -> None:
        """SIGKILL the server and return when it is gone: a crash, which the watchers see. Nothing is written out."""
        async with self._turn:
            if self._child is not None:
                self._child.send_signal(signal.SIGKILL)
                await self._child.wait()

    @abstractmethod
    async def _prepare(self, credentials: Credentials, fresh: bool) -> None:
        """Bring the data folder into a state to start on. `fresh`: its passwords are not these yet."""

    @abstractmethod
    def _build_command(self, port: int, credentials: Credentials) -> Command: ...

    @abstractmethod
    async def _is_ready(self, pid: int, port: int, credentials: Credentials) -> bool:
        """Look once, without waiting, whether the server with this pid takes commands."""

    def _recover(self, lines: Sequence[str]) -> bool:
        """Repair what the log of a failed start complains of; True if another try is worth it."""
        return False

    def read_password(self, role: str) -> str:
        """The password of one of `roles`; known once the server was started."""
        if self._credentials is None:
            raise RuntimeError(f"{self.title} has no passwords before it is started")
        return self._credentials.passwords[role]

    async def _start(self) -> None:
        self._child = None
        self.log.trim()
        await end_orphans(self.working_folder, self.program, self.stop_steps)
        kept = self._credentials or load_credentials(self._credentials_path, self.roles)
        credentials = kept or create_credentials(self.roles)
        await self._prepare(credentials, fresh=kept is None)
        port = await self._launch(credentials)
        self._credentials = Credentials(credentials.passwords, port)
        if kept != self._credentials:
            save_credentials(self._credentials_path, self._credentials)
        self._port = port
        self._wanted = True

    async def _launch(self, credentials: Credentials) -> int:
        """Start until ready; answers the port. Losing a race for a port, and what passes by itself, is tried again."""
        deadline = time.monotonic() + _RETRY_SECONDS
        moves, recovered = 0, False
        port = self._port or ports.find_free_port(credentials.port)
        while True:
            mark = self.log.mark()
            if await self._try_launch(port, credentials):
                return port
            lines = self.log.read_since(mark)
            taken = any("Address already in use" in line for line in lines)
            passing = any(text in line for text in self.passing_failures for line in lines)
            if taken and self._port is None and moves < _MOVES:
                moves += 1
                port = ports.find_free_port()
            elif (taken or passing) and time.monotonic() < deadline:
                await asyncio.sleep(_PAUSE_SECONDS)
            elif not recovered and self._recover(lines):
                recovered = True
            else:
                raise self._explain(lines, port, taken)

    async def _try_launch(self, port: int, credentials: Credentials) -> bool:
        """Start once; True when ready, False if it ended before, raises if it takes too long."""
        with self.log.open_for_append() as output:
            child = ChildProcess.spawn(self._build_command(port, credentials), output)
        try:
            async with asyncio.timeout(self.ready_seconds):
                if await self._await_ready(child, port, credentials):
                    self._child = child
        except TimeoutError:
            raise ServerStartFailed(
                f"{self.title} was not ready after {self.ready_seconds:.0f} s: see {self.log.path}, then start again"
            ) from None
        finally:
            if self._child is not child:
                await child.stop([])
        return self._child is child

    async def _await_ready(self, child: ChildProcess, port: int, credentials: Credentials) -> bool:
        """Return True once it is ready, False if it ended before."""
        while child.returncode is None:
            if await self._is_ready(child.pid, port, credentials):
                return True
            await asyncio.sleep(_POLL_SECONDS)
        return False

    async def _stop(self, steps: Sequence[tuple[int, float]]) -> None:
        child, self._child = self._child, None
        if child is not None:
            await child.stop(steps)

    def _explain(self, lines: Sequence[str], port: int, taken: bool) -> ServerStartFailed:
        if taken:
            return ServerStartFailed(
                f"port {port} of {self.title} was taken by another program: end that one, or start Tournée anew"
            )
        return explain_failure(self.title, lines, self.log.path)
