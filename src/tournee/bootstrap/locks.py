"""Locks between processes: who owns a home, and who still uses what another command started.

Owns the lock files; the kernel gives a lock back with its process, so none is ever stale. The files stay and mean
nothing by themselves.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager, suppress
from pathlib import Path

import structlog

log = structlog.get_logger(__name__)

POLL_SECONDS = 0.1


class LockHeld(Exception):
    """Another process has it. `holder` is that process, 0 if it is not known."""

    def __init__(self, path: Path, holder: int) -> None:
        super().__init__(f"{path} is held by process {holder or 'unknown'}")
        self.holder = holder


@contextmanager
def hold_lock(path: Path, *, shared: bool = False) -> Iterator[None]:
    """Hold the lock; raises `LockHeld` at once. Many may hold it shared, one alone otherwise."""
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(descriptor, (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | fcntl.LOCK_NB)
        except BlockingIOError:
            raise LockHeld(path, _read_holder(descriptor)) from None
        if not shared:
            os.ftruncate(descriptor, 0)
            os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
        yield
    finally:
        os.close(descriptor)


async def take_lock_when_free(path: Path, held: AsyncExitStack) -> None:
    """Wait until nobody else holds the lock, and keep it until `held` ends. Cancelling ends the wait."""
    told = False
    while True:
        with suppress(LockHeld):
            held.enter_context(hold_lock(path))
            return
        if not told:
            log.warning("done; waiting for other commands that use the same embedded servers")
            told = True
        await asyncio.sleep(POLL_SECONDS)


def _read_holder(descriptor: int) -> int:
    text = os.pread(descriptor, 20, 0).decode("ascii", "replace").strip()
    return int(text) if text.isdigit() else 0
