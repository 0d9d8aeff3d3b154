"""An append-only file of JSON lines that one process at a time owns.

A last line torn by a crash is cut off when the file is opened, so that what follows it can be read. Two processes
cannot open the same file: the second is refused.
"""

from __future__ import annotations

import fcntl
import json
from io import FileIO
from pathlib import Path
from typing import Any


class FolderInUse(Exception):
    """Another process keeps what it receives in this folder."""


def open_journal(path: Path) -> tuple[FileIO, list[dict[str, Any]]]:
    """The file, to be appended to and closed by the caller, and the entries it holds. Raises FolderInUse."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    handle = FileIO(path, "a+")
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        handle.close()
        raise FolderInUse(f"{path.parent} is in use by another sandbox") from error
    handle.seek(0)
    content = handle.readall()
    whole = content[: content.rfind(b"\n") + 1]
    if whole != content:
        handle.truncate(len(whole))
    return handle, [json.loads(line) for line in whole.splitlines()]
