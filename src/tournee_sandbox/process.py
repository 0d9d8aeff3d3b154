"""The sandbox as a process of its own: ends with its parent, and on SIGTERM or SIGINT.

On Linux the kernel is asked to send SIGTERM when the parent dies. The kernel means the thread that started this
process: a parent that starts it from a thread keeps that thread alive. Everywhere the parent's id is looked at every
second, too.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import sys
from pathlib import Path

from tournee_sandbox.sandbox import Sandbox

PR_SET_PDEATHSIG = 1
PARENT_LOOKED_AT_SECONDS = 1.0


def run_until_ended(home: Path, seed: int, as_json: bool, parent: int | None = None) -> int:
    """Run the sandbox; its addresses are printed on one line when all answer. Answers the exit code.

    `parent` is the process it belongs to, if the caller knows it: one that is already gone ends it at once.
    """
    parent = parent if parent is not None else os.getppid()
    _ask_for_signal_with_parent()
    if os.getppid() != parent:  # It died before the kernel was asked.
        return 0
    return asyncio.run(_serve(home, seed, as_json, parent))


async def _serve(home: Path, seed: int, as_json: bool, parent: int) -> int:
    ended = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    async with Sandbox(home, seed) as sandbox:
        sys.stdout.write(_describe_addresses(sandbox, as_json) + "\n")
        sys.stdout.flush()
        await _wait_for_end(ended, parent)
    return 0


async def _wait_for_end(ended: asyncio.Event, parent: int) -> None:
    while not ended.is_set() and os.getppid() == parent:
        try:
            await asyncio.wait_for(ended.wait(), PARENT_LOOKED_AT_SECONDS)
        except TimeoutError:
            continue


def _describe_addresses(sandbox: Sandbox, as_json: bool) -> str:
    addresses = sandbox.read_addresses()
    if as_json:
        return json.dumps(
            {
                **addresses,
                "home": str(sandbox.home),
                "seed": sandbox.seed,
                "pid": os.getpid(),
            }
        )
    lines = [f"{name} {purpose}: {url}" for name, urls in addresses.items() for purpose, url in urls.items()]
    return "\n".join([*lines, f"kept under {sandbox.home}; Ctrl-C ends"])


def _ask_for_signal_with_parent() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None, use_errno=True).prctl(PR_SET_PDEATHSIG, signal.SIGTERM, 0, 0, 0)
