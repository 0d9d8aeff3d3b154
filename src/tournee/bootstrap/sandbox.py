"""The simulators of the outside services: in this process for `tournee sandbox`, beside it for the demo."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from tournee.bootstrap.api import Announce
from tournee.embedded.log import ServerLog
from tournee.kit.errors import SetupError
from tournee.reports import Address
from tournee.settings import Settings
from tournee_sandbox.sandbox import Sandbox

READY_SECONDS = 30.0
END_SECONDS = 5.0

SimulatorAddresses = Mapping[str, Mapping[str, str]]
"""By simulator and purpose."""


async def run_sandbox(settings: Settings, *, announce: Announce, stop: asyncio.Event) -> None:
    """Only the simulators, until `stop` is set."""
    folder = Path(settings.home) / "sandbox"
    try:
        async with Sandbox(folder) as sandbox:
            announce(list_sandbox_addresses(sandbox.read_addresses()))
            await stop.wait()
    except OSError as error:
        raise SetupError(
            f"the sandbox can't work in {folder} ({error}): end what uses it, or set TOURNEE_HOME"
        ) from error


@asynccontextmanager
async def open_sandbox(home: Path, log: Path) -> AsyncIterator[SimulatorAddresses]:
    """The simulators as a process of their own, which ends with this one."""
    with ServerLog(log).open_for_append() as errors:
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            *("-m", "tournee_sandbox", "--home", str(home), "--json", "--parent", str(os.getpid())),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=errors,
            start_new_session=True,
        )
    try:
        yield await _read_addresses(process, log)
    finally:
        await _end(process)


async def _read_addresses(process: asyncio.subprocess.Process, log: Path) -> SimulatorAddresses:
    """Beside the simulators stand words about the process itself."""
    assert process.stdout is not None
    try:
        line = await asyncio.wait_for(process.stdout.readline(), READY_SECONDS)
        found = json.loads(line)
    except (TimeoutError, ValueError):
        raise SetupError(f"the sandbox did not start: see {log}") from None
    return {name: value for name, value in found.items() if isinstance(value, dict)}


async def _end(process: asyncio.subprocess.Process) -> None:
    with suppress(ProcessLookupError):
        process.send_signal(signal.SIGTERM)
    try:
        await asyncio.wait_for(process.wait(), END_SECONDS)
    except (TimeoutError, asyncio.CancelledError) as error:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
        if isinstance(error, asyncio.CancelledError):
            raise


def list_sandbox_addresses(addresses: SimulatorAddresses) -> list[Address]:
    """One line for each simulator and purpose."""
    return [
        Address(f"{name} {purpose}", url) for name, purposes in addresses.items() for purpose, url in purposes.items()
    ]
