"""Work for the process pool's tests: importable, because other processes run it."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path


def add(one: int, other: int) -> int:
    return one + other


def fail() -> None:
    raise ValueError("not today")


def spin() -> None:
    while True:
        pass


def crash() -> None:
    os.kill(os.getpid(), signal.SIGSEGV)


def crash_once(marker: str) -> str:
    """Die the first time, leave a mark, and do well the second time."""
    if Path(marker).exists():
        return "done"
    Path(marker).touch()
    os.kill(os.getpid(), signal.SIGKILL)
    return "never"


def eat_memory(size_bytes: int) -> int:
    return len(bytearray(size_bytes))


def tell_process() -> int:
    time.sleep(0.05)
    return os.getpid()


def doze() -> None:
    """Take time and no processor."""
    time.sleep(600)


def wait_for_mark(marker: str) -> None:
    """Take no processor until the file is there."""
    while not Path(marker).exists():
        time.sleep(0.01)


def mark_process() -> None:
    os.environ["TOURNEE_TEST_MARK"] = "warm"


def tell_mark() -> str | None:
    return os.environ.get("TOURNEE_TEST_MARK")


def list_modules() -> set[str]:
    return set(sys.modules)
