"""What runs inside a process of the pool: its limits, its warm-up, the clock of each piece of work.

Keeps: each process knows its limits before it sees any work. Imports next to nothing, since
every process loads it first.
"""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable
from typing import Any, Final, TypeVar

T = TypeVar("T")

HAS_TIMER: Final = hasattr(signal, "setitimer")
"""Work can be ended by the processor time that it took. Else (on Windows) the wall clock must do."""


def run_timed(timeout_seconds: float, function: Callable[..., T], *args: Any) -> T:
    """Run it in this process, which ends when the work has used up its processor time."""
    if not HAS_TIMER:
        return function(*args)
    signal.setitimer(signal.ITIMER_PROF, timeout_seconds)
    try:
        return function(*args)
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def prepare_process(memory_bytes: int, warm_up: Callable[[], None] | None) -> None:
    """What each process does first."""
    _limit_process(memory_bytes)
    if warm_up is not None:
        # A process that could not be warmed up is a slower one, nothing worse.
        with contextlib.suppress(Exception):
            warm_up()


def _limit_process(memory_bytes: int) -> None:
    # Libraries of linear algebra reserve memory for each of their threads, which counts against the limit.
    for variable in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ[variable] = "1"
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_DFL)
    if HAS_TIMER:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)
    try:
        import resource  # noqa: PLC0415 - there is none on Windows
    except ImportError:
        return
    with contextlib.suppress(ValueError, OSError):
        resource.setrlimit(resource.RLIMIT_AS, (memory_bytes, memory_bytes))
        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
