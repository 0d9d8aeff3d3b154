"""Child processes that end with their parent: started, waited for and stopped from asyncio.

Invariant: a child never outlives the process that started it (see `tether`). The tie is to the *thread* that
started the child, so only the main thread may start one; any other is refused. No object here belongs to an
event loop: a child may be started in one loop and waited for in another.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field

from tournee.kit import tether

_POLL_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Account:
    """The user that a child runs as."""

    name: str
    uid: int
    gid: int


@dataclass(frozen=True, slots=True)
class Command:
    """What to start. `arguments[0]` is an absolute path."""

    arguments: Sequence[str | os.PathLike[str]]
    account: Account | None = None
    """None: the launcher's own user."""
    death_signal: int = signal.SIGKILL
    """What the child gets when its launcher dies."""
    stdin: bytes = b""
    """All that the child can read; a few kilobytes at most, because it is written before anybody reads."""
    environment: Mapping[str, str] = field(default_factory=dict)
    descriptors: Sequence[int] = ()
    """Open files that the child has too, under the same numbers."""


class ChildProcess:
    """One running (or ended) child, alone in its session, so that Ctrl-C in a terminal reaches only the launcher."""

    def __init__(self, popen: subprocess.Popen[bytes]) -> None:
        self._popen = popen

    @classmethod
    def spawn(cls, command: Command, output: int) -> ChildProcess:
        """Start it with stdout and stderr on the descriptor `output`. Call from the main thread only."""
        if threading.current_thread() is not threading.main_thread():
            raise RuntimeError("a child dies with the thread that starts it: start it from the main thread")
        account = command.account
        tied = [sys.executable, "-I", "-S", tether.__file__, str(os.getpid()), str(int(command.death_signal))]
        tied += [str(account.uid), str(account.gid)] if account else ["-1", "-1"]
        popen = subprocess.Popen(
            [*tied, *command.arguments],
            stdin=subprocess.PIPE,
            stdout=output,
            stderr=output,
            cwd="/",
            env=dict(command.environment),
            start_new_session=True,
            pass_fds=command.descriptors,
        )
        assert popen.stdin is not None
        with suppress(BrokenPipeError), popen.stdin:
            popen.stdin.write(command.stdin)
        return cls(popen)

    @property
    def pid(self) -> int:
        return self._popen.pid

    @property
    def returncode(self) -> int | None:
        """None while it runs; negative: the signal that ended it."""
        return self._popen.poll()

    def send_signal(self, number: int) -> None:
        """Signal the child; nothing happens if it has ended."""
        self._popen.send_signal(number)

    async def wait(self) -> int:
        """Return its exit code once it has ended. Cancelling leaves the child running."""
        while (code := self.returncode) is None:
            await self._await_exit()
        return code

    def reap(self) -> int:
        """Block until it has ended: for programs that end by themselves at once."""
        return self._popen.wait()

    async def stop(self, steps: Sequence[tuple[int, float]]) -> int:
        """End it: each step is a signal and the seconds it gets; after the last comes SIGKILL. Returns its exit code.

        Cancelling cuts the patience short, not the end: the child is killed and reaped first.
        """
        try:
            for number, seconds in steps:
                self.send_signal(number)
                with suppress(TimeoutError):
                    return await asyncio.wait_for(self.wait(), seconds)
            self.send_signal(signal.SIGKILL)
            return await self.wait()
        except asyncio.CancelledError:
            self.send_signal(signal.SIGKILL)
            self.reap()
            raise

    async def _await_exit(self) -> None:
        """Sleep until the kernel reports the end, or for a moment where it can't."""
        try:
            descriptor = os.pidfd_open(self.pid)
        except (AttributeError, OSError):
            await asyncio.sleep(_POLL_SECONDS)
            return
        loop = asyncio.get_running_loop()
        ended = asyncio.Event()
        loop.add_reader(descriptor, ended.set)
        try:
            await ended.wait()
        finally:
            loop.remove_reader(descriptor)
            os.close(descriptor)
