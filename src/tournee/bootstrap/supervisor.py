"""The supervisor of `tournee up`: child processes that are brought back when they end.

Invariant: a child that ends unasked is running again within two seconds, whatever else is down, and its death is told
to the ledger as soon as that can be reached, so that its jobs are rescued without waiting for a lease.
"""

from __future__ import annotations

import asyncio
import os
import platform
import signal
import sys
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import structlog

from tournee.bootstrap.child_log import ChildLog
from tournee.engine.ports import LedgerContended, LedgerUnavailable
from tournee.kit.child import ChildProcess, Command

log = structlog.get_logger(__name__)

FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 1.5
STEADY_SECONDS = 10.0
"""A child that lived this long has started well: its next restart is at once again."""
SLACK_SECONDS = 2.0
"""What a child gets beyond the grace period, to close what it has open."""
TELL_SECONDS = 30.0
"""How long telling of a death is tried; by then the lease has run out and the rescuer knows by itself."""
TELL_PAUSE_SECONDS = 0.2
LOOK_SECONDS = 0.3
TRIM_LOOKS = 200
PROGRAM = (sys.executable, "-m", "tournee")

ReportDead = Callable[[Sequence[int], str], Awaitable[int]]


@dataclass(frozen=True, slots=True)
class Role:
    """One child: its name, the arguments after `tournee`, what its environment has beside ours, and which of our open
    files it has too.
    """

    name: str
    arguments: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()


@dataclass(frozen=True, slots=True)
class SupervisorConfig:
    """What is to be kept running. `logs`: an existing folder; `program` is what a role's arguments are given to."""

    roles: Sequence[Role]
    logs: Path
    grace_seconds: float
    program: Sequence[str] = PROGRAM


class Supervisor:
    """Keeps one process for each role. Start it from the main thread."""

    def __init__(self, config: SupervisorConfig, report_dead: ReportDead) -> None:
        self._config = config
        self._report_dead = report_dead
        self._logs = {role.name: ChildLog(config.logs / _name_file(role), role.name) for role in config.roles}
        self._children: dict[str, ChildProcess] = {}
        self._tasks: list[asyncio.Task[None]] = []
        self._telling: set[asyncio.Task[None]] = set()

    def start(self) -> None:
        """Start all children."""
        self._tasks = [asyncio.create_task(self._keep(role), name=role.name) for role in self._config.roles]
        self._tasks.append(asyncio.create_task(self._follow_logs(), name="logs"))

    @property
    def pids(self) -> Mapping[str, int]:
        """Process ids by role."""
        return {name: child.pid for name, child in self._children.items()}

    async def stop(self) -> None:
        """Ask all to end, in the grace period; SIGKILL what is left. Cancelled, it kills them at once."""
        for task in (*self._tasks, *self._telling):
            task.cancel()
        steps = [(signal.SIGTERM, self._config.grace_seconds + SLACK_SECONDS)]
        ends = [child.stop(steps) for child in self._children.values()]
        try:
            await asyncio.gather(*self._tasks, *self._telling, *ends, return_exceptions=True)
        except asyncio.CancelledError:
            # An end that had not even begun when it was cancelled has killed nothing.
            for child in self._children.values():
                child.send_signal(signal.SIGKILL)
                child.reap()
            raise
        for child_log in self._logs.values():
            child_log.tell_new()

    async def _keep(self, role: Role) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        loop = asyncio.get_running_loop()
        while True:
            started = loop.time()
            child = self._spawn(role)
            self._children[role.name] = child
            code = await child.wait()
            self._logs[role.name].tell_new()
            path = str(self._logs[role.name].path)
            log.warning("a process ended and is started again", process=role.name, pid=child.pid, code=code, log=path)
            self._begin_telling(child.pid)
            if loop.time() - started > STEADY_SECONDS:
                pause_seconds = FIRST_PAUSE_SECONDS
            await asyncio.sleep(pause_seconds)
            pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)

    def _spawn(self, role: Role) -> ChildProcess:
        command = Command(
            arguments=[*self._config.program, *role.arguments],
            death_signal=signal.SIGTERM,
            environment={**os.environ, **role.environment},
            descriptors=role.descriptors,
        )
        with self._logs[role.name].open_for_append() as output:
            return ChildProcess.spawn(command, output)

    def _begin_telling(self, pid: int) -> None:
        """Beside the restart, which must not wait for a database that may be down too."""
        task = asyncio.create_task(self._tell_ledger(pid))
        self._telling.add(task)
        task.add_done_callback(self._telling.discard)

    async def _tell_ledger(self, pid: int) -> None:
        deadline = asyncio.get_running_loop().time() + TELL_SECONDS
        while True:
            try:
                await self._report_dead([pid], platform.node())
                return
            except (LedgerUnavailable, LedgerContended) as error:
                if asyncio.get_running_loop().time() > deadline:
                    log.warning("a death could not be told to the ledger", pid=pid, error=str(error))
                    return
            await asyncio.sleep(TELL_PAUSE_SECONDS)

    async def _follow_logs(self) -> None:
        looks = 0
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            looks += 1
            for child_log in self._logs.values():
                child_log.tell_new()
                if looks % TRIM_LOOKS == 0:
                    child_log.trim()


def _name_file(role: Role) -> str:
    return f"{role.name.replace(' ', '-')}.log"
