"""A launcher in a process of its own, for tests that kill it.

The process starts the embedded servers of a home, says so, and waits to be killed.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil

_PROGRAM = """
import asyncio, json, sys
from pathlib import Path
from tournee.embedded import EmbeddedServers

async def main():
    servers = EmbeddedServers(Path(sys.argv[1]))
    addresses = await servers.start()
    print(json.dumps([addresses.database_url, addresses.redis_url]), flush=True)
    await asyncio.Event().wait()

asyncio.run(main())
"""


@dataclass(frozen=True, slots=True)
class Launcher:
    """The running launcher: what it printed, and how to look at what it started."""

    process: subprocess.Popen[str]

    def wait_started(self) -> tuple[str, str]:
        """Return the database's and Redis' URL, once both answer."""
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        assert line, "the launcher ended before its servers had started"
        database_url, redis_url = json.loads(line)
        return database_url, redis_url

    def list_started(self) -> list[psutil.Process]:
        """Return every process that it started, and those that they started."""
        return psutil.Process(self.process.pid).children(recursive=True)


@contextmanager
def run_launcher(
    home: Path, python: str = sys.executable, user: int | None = None, environment: Mapping[str, str] | None = None
) -> Iterator[Launcher]:
    """Start a launcher on `home`; it is killed at the end if the test did not."""
    arguments: Sequence[str] = [python, "-c", _PROGRAM, str(home)]
    process = subprocess.Popen(
        arguments,
        stdout=subprocess.PIPE,
        text=True,
        user=user,
        cwd="/",
        env=None if environment is None else dict(environment),
    )
    with process:
        try:
            yield Launcher(process)
        finally:
            process.kill()
