"""The supervisor of `tournee up`: child processes that are brought back when they end.

Invariant: a child that ends unasked is running again within two seconds, and its death is told to the ledger at once,
so that its jobs are rescued without waiting for a lease.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

import structlog

from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.kit.child import ChildProcess, Command

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.5
STEADY_SECONDS = 10.0
"""A child that lived this long has started well: its next restart is at once again."""


@dataclass(frozen=True, slots=True)
class Role:
    """One child: its name, the arguments after `tournee`, and what its environment has beside ours."""

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)


class Supervisor:
    """Keeps one process for each role. Start it from the main thread."""

    def __init__(self, roles: Sequence[Role], grace_seconds: float, report_dead: ReportDead) -> None:
        self._roles = roles
        self._grace_seconds = grace_seconds
        self._report_dead = report_dead
        self._children: dict[str, ChildProcess] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._stopping = False

    def start(self) -> None:
        """Start all children."""
        self._tasks = [asyncio.create_task(self._keep(role), name=role.name) for role in self._roles]

    @property
    def pids(self) -> Mapping[str, int]:
        """Process ids by role."""
        return {name: child.pid for name, child in self._children.items()}

    async def stop(self) -> None:
        """Ask all to end, in the grace period; SIGKILL what is left."""
        self._stopping = True
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        steps = [(signal.SIGTERM, self._grace_seconds + 2.0)]
        await asyncio.gather(*(child.stop(steps) for child in self._children.values()))

    async def _keep(self, role: Role) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            child = self._spawn(role)
            self._children[role.name] = child
            code = await child.wait()
            log.warning("a process ended and is started again", role=role.name, pid=child.pid, code=code)
            await self._tell_ledger(child.pid)
            if loop.time() - started > STEADY_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _spawn(self, role: Role) -> ChildProcess:
        command = Command(
            arguments=[sys.executable, "-m", "tournee.cli.main", *role.arguments],
            death_signal=signal.SIGTERM,
            environment={**os.environ, **role.environment},
        )
        return ChildProcess.spawn(command, sys.stderr.fileno())

    async def _tell_ledger(self, pid: int) -> None:
        with suppress(LedgerUnavailable, LedgerContended):
            await self._report_dead([pid], platform.node())


ReportDead = Callable[[Sequence[int], str], Awaitable[int]]
