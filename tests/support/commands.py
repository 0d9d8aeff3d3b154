"""`tournee` as a user runs it: processes of its own, their addresses, what they print, and their deaths.

Only processes that were started here are ever signalled, by their id.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = (sys.executable, "-m", "tournee")
END_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Finished:
    """A command that ended."""

    code: int
    stdout: str
    stderr: str

    def read_json(self) -> Any:
        """The last line of stdout, as JSON."""
        return json.loads(self.stdout.strip().splitlines()[-1])


class Serving:
    """A command that serves until it is ended."""

    def __init__(self, process: asyncio.subprocess.Process, log: Path) -> None:
        self._process = process
        self._log = log
        self.addresses: dict[str, str] = {}

    @property
    def pid(self) -> int:
        return self._process.pid

    @property
    def running(self) -> bool:
        return self._process.returncode is None

    def read_log(self) -> str:
        """What it has printed on stderr."""
        return self._log.read_text(encoding="utf-8", errors="replace")

    async def wait_announced(self, seconds: float = 240.0) -> None:
        """Wait for the line of addresses that `--json` prints when all listens."""
        assert self._process.stdout is not None
        line = await asyncio.wait_for(self._process.stdout.readline(), seconds)
        if not line:
            raise AssertionError(f"the command ended before it was ready: {self.read_log()[-2000:]}")
        self.addresses = {entry["name"]: entry["url"] for entry in json.loads(line)["addresses"]}

    async def end(self, number: int = signal.SIGTERM) -> int:
        """Signal it and wait for its end; answers its exit code."""
        with suppress(ProcessLookupError):
            self._process.send_signal(number)
        try:
            return await asyncio.wait_for(self._process.wait(), END_SECONDS)
        except TimeoutError:
            self._process.kill()
            await self._process.wait()
            raise AssertionError(f"it did not end within {END_SECONDS:g} s: {self.read_log()[-2000:]}") from None

    async def kill(self) -> None:
        """SIGKILL."""
        await self.end(signal.SIGKILL)


def make_environment(home: Path, more: Mapping[str, str] | None = None) -> dict[str, str]:
    """The environment of a command: ours without any TOURNEE_ setting, this home, and what is given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TOURNEE_")}
    return {**kept, "TOURNEE_HOME": str(home), **(more or {})}


@asynccontextmanager
async def start_command(*arguments: str, home: Path) -> AsyncIterator[asyncio.subprocess.Process]:
    """A command whose streams are read to their end by the caller; killed if it is not done by then."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=make_environment(home),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        yield process
    finally:
        if process.returncode is None:
            with suppress(ProcessLookupError):
                process.kill()
            await process.communicate()


async def run_command(
    *arguments: str, home: Path, more: Mapping[str, str] | None = None, seconds: float = 300.0
) -> Finished:
    """Run a command to its end."""
    process = await asyncio.create_subprocess_exec(
        *COMMAND,
        *arguments,
        env=make_environment(home, more),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    try:
        stdout, stderr = await asyncio.wait_for(process.communicate(), seconds)
    except BaseException:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        raise
    return Finished(process.returncode or 0, stdout.decode(), stderr.decode())


@asynccontextmanager
async def serve_command(*arguments: str, home: Path, more: Mapping[str, str] | None = None) -> AsyncIterator[Serving]:
    """Start a serving command, wait until it is ready, and end it afterwards."""
    home.mkdir(parents=True, exist_ok=True)  # noqa: ASYNC240 - a moment, in a test
    log = home / f"{arguments[0]}-{id(arguments)}.log"
    with log.open("wb") as stderr:
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *arguments,
            "--json",
            env=make_environment(home, more),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=stderr,
        )
    serving = Serving(process, log)
    try:
        await serving.wait_announced()
        yield serving
    finally:
        if serving.running:
            await serving.end()
