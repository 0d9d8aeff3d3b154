"""Folders for tests that start servers."""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

_MEMORY = Path("/dev/shm")
_MEMORY_BYTES_NEEDED = 2 * 1024**3


@contextmanager
def open_folder(prefix: str, in_memory: bool = False) -> Iterator[Path]:
    """Yield a fresh folder that every user may enter, and remove it afterwards.

    pytest's `tmp_path` won't do for a home: it is closed to the user that root's servers run as. `in_memory` asks
    for a folder in memory, where there is room: making and dropping a database is ten times faster there.
    """
    base = _MEMORY if in_memory and _has_room(_MEMORY) else Path(tempfile.gettempdir())
    _remove_abandoned(base, prefix)
    folder = Path(tempfile.mkdtemp(prefix=f"{prefix}-{os.getpid()}-", dir=base))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _has_room(base: Path) -> bool:
    return base.is_dir() and os.access(base, os.W_OK) and shutil.disk_usage(base).free > _MEMORY_BYTES_NEEDED


def _remove_abandoned(base: Path, prefix: str) -> None:
    """Remove what test runs that were killed left behind; their pid is in the name."""
    for folder in base.glob(f"{prefix}-*-*"):
        pid = folder.name.removeprefix(f"{prefix}-").split("-")[0]
        if pid.isdigit() and not psutil.pid_exists(int(pid)):
            shutil.rmtree(folder, ignore_errors=True)
