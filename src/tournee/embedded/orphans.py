"""Servers that an earlier launcher of the same home left: they are ended before new ones start.

A killed launcher's servers get their death signal from the kernel, yet shutting down takes them a moment; where
there is no such signal they may run for ever. They are known by their program and by their working folder, which
both servers set to their data folder: no pid file is believed.
"""

from __future__ import annotations

import asyncio
import signal
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from tournee.embedded.errors import ServerStartFailed

_POLL_SECONDS = 0.02
_KILL_SECONDS = 5.0


async def end_orphans(folder: Path, program: str, steps: Sequence[tuple[int, float]]) -> None:
    """Return when no process of `program` works in `folder`. Each step is a signal and the seconds it gets; SIGKILL
    comes last. Only the caller that holds the home's lock, and has no such server running itself, may call this.
    """
    for number, seconds in (*steps, (signal.SIGKILL, _KILL_SECONDS)):
        found = await _find(folder, program)
        for process in _pick_parents(found):
            with suppress(psutil.NoSuchProcess):
                process.send_signal(number)
        deadline = time.monotonic() + seconds
        while found and time.monotonic() < deadline:
            await asyncio.sleep(_POLL_SECONDS)
            found = [process for process in found if _is_working(process)]
        if not found and not await _find(folder, program):
            return
    left = await _find(folder, program)
    if left:
        raise ServerStartFailed(f"process {left[0].pid} ({program}) still works in {folder}: end it, then start again")


async def _find(folder: Path, program: str) -> list[psutil.Process]:
    """Look through all processes, in a thread: on a busy machine that takes a tenth of a second."""
    return await asyncio.to_thread(_find_processes, folder, program)


def _find_processes(folder: Path, program: str) -> list[psutil.Process]:
    place = str(folder.resolve())
    return [process for process in psutil.process_iter() if _is_working(process, program, place)]


def _is_working(process: psutil.Process, program: str | None = None, place: str | None = None) -> bool:
    """True for a live process, of that program and in that place if given. A zombie works no more."""
    try:
        if program is not None and process.name() != program:
            return False
        if place is not None and process.cwd() != place:
            return False
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _pick_parents(processes: Sequence[psutil.Process]) -> list[psutil.Process]:
    """Leave out those whose parent is among them: it ends them itself, in the right order."""
    pids = {process.pid for process in processes}
    parents = []
    for process in processes:
        with suppress(psutil.NoSuchProcess):
            if process.ppid() not in pids:
                parents.append(process)
    return parents
