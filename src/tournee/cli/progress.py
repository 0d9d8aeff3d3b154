"""Shows how far a long work is, on stderr.

Owns the bar. Keeps: on a terminal it is a bar, elsewhere a line now and then, so that a log does not fill with it.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tournee.reports import Progress

LINE_INTERVAL_SECONDS = 5.0


@contextmanager
def show_progress() -> Iterator[Callable[[Progress], None]]:
    """Yield a function that takes the present state of the work, as often as one likes."""
    if sys.stderr.isatty():
        with _show_bar() as update:
            yield update
    else:
        yield LineWriter().update


@contextmanager
def _show_bar() -> Iterator[Callable[[Progress], None]]:
    """Bars appear with the first progress: what is printed before must not be broken to the bars' width."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    bars = Bars(*columns, console=Console(stderr=True))
    tasks: dict[str, Any] = {}

    def update(progress: Progress) -> None:
        subject = read_subject(progress)
        if subject not in tasks:
            tasks[subject] = bars.add_task(progress.stage, total=progress.total)
            bars.start()
        bars.update(tasks[subject], description=progress.stage, completed=progress.done, total=progress.total)

    try:
        yield update
    finally:
        bars.stop()


def read_subject(progress: Progress) -> str:
    """What a bar is for: `alice` of `alice: staging`; nothing where there is only one."""
    return progress.stage.rpartition(": ")[0]


class LineWriter:
    """Writes a line when a stage begins, when it ends, and every few seconds between."""

    def __init__(self, interval_seconds: float = LINE_INTERVAL_SECONDS) -> None:
        self._interval_seconds = interval_seconds
        self._told: dict[str, tuple[float, Progress]] = {}

    def update(self, progress: Progress) -> None:
        """Take the present state; writes it if it is time to."""
        at, told = self._told.get(progress.stage, (float("-inf"), None))
        ended = progress.total is not None and progress.done >= progress.total
        if progress == told or (not ended and time.monotonic() - at < self._interval_seconds):
            return
        self._told[progress.stage] = (time.monotonic(), progress)
        of_total = f" of {progress.total}" if progress.total is not None else ""
        sys.stderr.write(f"{progress.stage}: {progress.done}{of_total}\n")
        sys.stderr.flush()
