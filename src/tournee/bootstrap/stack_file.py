"""What a running stack says of itself in its home, so that every command finds it.

Owns `run/stack.json` (mode 0600: it holds passwords and the console's token). Invariant: a description counts only
while the very process that wrote it lives; what a killed one left behind is as good as no file.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from pathlib import Path

import psutil

START_TIME_SLACK_SECONDS = 2.0
COMMAND = "command"
"""The role of a stack that lasts only as long as the command that started it."""
NO_POOLER = "none"
"""The database's URL leads to PostgreSQL itself."""


@dataclass(frozen=True, slots=True)
class StackFile:
    """What a running stack says of itself. `pid` and `started` together name one process and no later one."""

    pid: int
    started: float
    role: str
    database_url: str = field(repr=False)
    redis_url: str = field(repr=False)
    access_token: str = field(default="", repr=False)
    web_url: str = ""
    web_descriptor: int = -1
    """The listening socket of that address, as its process and the API that it supervises know it."""
    addresses: Mapping[str, str] = field(default_factory=dict)
    pooler: str = NO_POOLER

    @property
    def lasts(self) -> bool:
        """Whether it serves until somebody ends it, with workers of its own."""
        return self.role != COMMAND

    @property
    def supervises_us(self) -> bool:
        """Whether this very process is one of its children."""
        return self.pid == os.getppid()


def _stack_path(home: Path) -> Path:
    return home / "run" / "stack.json"


def read_stack(home: Path) -> StackFile | None:
    """The stack that serves this home now; None where there is none, or its process is gone."""
    try:
        content = json.loads(_stack_path(home).read_text(encoding="utf-8"))
        stack = StackFile(**content)
        process = psutil.Process(stack.pid)
        alive = abs(process.create_time() - stack.started) < START_TIME_SLACK_SECONDS
        return stack if alive and process.status() != psutil.STATUS_ZOMBIE else None
    except (OSError, ValueError, TypeError, psutil.Error):
        return None


def write_stack(home: Path, stack: StackFile) -> None:
    """Replace the description in one step, readable by this user only."""
    path = _stack_path(home)
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    temporary = path.with_suffix(f".{os.getpid()}")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as handle:
        json.dump(asdict(stack), handle)
    temporary.replace(path)


def remove_stack(home: Path) -> None:
    """Forget the description, if it is ours."""
    stack = read_stack(home)
    if stack is not None and stack.pid == os.getpid():
        with suppress(OSError):
            _stack_path(home).unlink()
