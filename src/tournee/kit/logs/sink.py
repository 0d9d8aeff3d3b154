"""One place that lines go to: a bounded queue, and a thread that writes.

Invariants: `offer` never waits and never raises; what the queue can't take is dropped and counted; what can't be
written is held and tried again, so that the first lines of a trouble survive it; every drop is told of in a line of its
own once there is room. A kill loses at most what was queued; `stop` is bounded.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue

from tournee.kit.logs.entry import Entry

QUEUE_LIMIT = 4_096
FIRST_PAUSE_SECONDS = 0.1
LONGEST_PAUSE_SECONDS = 2.0

Write = Callable[[Sequence[Entry]], None]
"""Writes all of them or raises; called by one thread."""


class NotTaken(Exception):
    """These entries will never be written: a place far away has been asked often enough. They are dropped."""


@dataclass(frozen=True, slots=True)
class Gather:
    """How many entries are written together at most, and for how long the first may wait for others."""

    most: int = 64
    seconds: float = 0.0


AT_ONCE = Gather()


@dataclass(frozen=True, slots=True)
class SinkCounts:
    """What became of the lines since the start. `failures` counts tries to write that failed, not lines."""

    written: int
    dropped: int
    waiting: int
    failures: int
    failing: bool


class Sink:
    """Takes entries of `level` and above to `write`. `tell` is called by the thread when writing begins to fail."""

    def __init__(
        self,
        name: str,
        write: Write,
        level: int = logging.DEBUG,
        limit: int = QUEUE_LIMIT,
        tell: Callable[[Exception], None] | None = None,
        gather: Gather = AT_ONCE,
    ) -> None:
        self.name = name
        self.level = level
        self._write = write
        self._limit = limit
        self._tell = tell
        self._gather = gather
        # Its `put` may be interrupted by another `put` of the same thread, in a signal's handler or a destructor.
        self._queue: SimpleQueue[Entry | threading.Event | None] = SimpleQueue()
        self._drop_lock = threading.RLock()
        self._dropped = 0
        self._told_of = 0
        self._written = 0
        self._failures = 0
        self._failing = False
        self._held = 0
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"log-{name}", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def offer(self, entry: Entry) -> None:
        """Queue one entry, or drop and count it. What its own writing says would feed itself, and is for others."""
        if self._thread is threading.current_thread():
            return
        if self._queue.qsize() < self._limit:
            self._queue.put(entry)
        else:
            with self._drop_lock:
                self._dropped += 1

    def stop(self, seconds: float) -> None:
        """Write what is queued and end, within this time; what can't be written is given up at once."""
        self._stopping.set()
        self._queue.put(None)
        if self._thread.is_alive() and self._thread is not threading.current_thread():
            self._thread.join(seconds)

    def flush(self, seconds: float) -> bool:
        """Wait until what is queued now is written; False if that takes longer."""
        reached = threading.Event()
        self._queue.put(reached)
        return reached.wait(seconds)

    def count(self) -> SinkCounts:
        """What became of the lines so far."""
        waiting = self._queue.qsize() + self._held
        return SinkCounts(self._written, self._dropped, waiting, self._failures, self._failing)

    def _run(self) -> None:
        last: threading.Event | Entry | None = Entry(0, 0, "", {}, {})
        while last is not None:
            together, last = self._take()
            self._held = len(together)
            self._write_patiently(together)
            self._held = 0
            if self._dropped != self._told_of and not self._failing:
                self._report_drops()
            if isinstance(last, threading.Event):
                last.set()

    def _take(self) -> tuple[list[Entry], Entry | threading.Event | None]:
        """Some entries, and what was taken last: an event is somebody who waits for all before it, None is the end."""
        last = self._queue.get()
        until = time.monotonic() + self._gather.seconds
        together: list[Entry] = []
        while isinstance(last, Entry):
            together.append(last)
            if len(together) >= self._gather.most:
                break
            try:
                last = self._queue.get(timeout=max(0.0, until - time.monotonic()))
            except Empty:
                break
        return together, last

    def _write_patiently(self, together: Sequence[Entry]) -> None:
        pause_seconds = FIRST_PAUSE_SECONDS
        while together:
            try:
                self._write(together)
            except NotTaken as lost:
                self._note_failure(lost)
                self._drop(len(together))
                return
            except Exception as error:
                self._note_failure(error)
                if self._stopping.wait(pause_seconds):
                    self._drop(len(together))
                    return
                pause_seconds = min(pause_seconds * 2, LONGEST_PAUSE_SECONDS)
            else:
                self._written += len(together)
                self._failing = False
                return

    def _note_failure(self, error: Exception) -> None:
        self._failures += 1
        if not self._failing:
            self._failing = True
            if self._tell is not None:
                with suppress(Exception):
                    self._tell(error)

    def _report_drops(self) -> None:
        """In a line of the same log, which tells its reader that something is missing here."""
        dropped = self._dropped
        fields = {"event": "log lines were dropped", "dropped": dropped - self._told_of, "log": self.name}
        entry = Entry(time.time(), logging.WARNING, __name__, fields, {})
        try:
            self._write([entry])
        except Exception as error:
            self._note_failure(error)
        else:
            self._told_of = dropped

    def _drop(self, number: int) -> None:
        with self._drop_lock:
            self._dropped += number
