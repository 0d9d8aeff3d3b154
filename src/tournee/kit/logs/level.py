"""The level at run time: by a file that all processes of a home look at, and by a signal for one process alone.

The file holds `{"level": "debug", "until": <seconds since 1970, or null>}`; it is looked at once a second. What it says
goes before the configured level until its time is over or it is removed; a file that can't be read changes nothing.
SIGUSR1 switches one process between `debug` and its level, where there is no shared home to write to.
"""

from __future__ import annotations

import json
import logging
import os
import signal
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from types import FrameType

LEVELS = {"debug": logging.DEBUG, "info": logging.INFO, "warning": logging.WARNING, "error": logging.ERROR}
LOOK_SECONDS = 1.0
LEVEL_FILE = Path("run") / "log-level"
"""Below the home."""

Apply = Callable[[int], None]


def write_level(path: Path, level: str, seconds: float | None) -> None:
    """Ask all processes that look at `path` for this level; `seconds` None: until it is removed. Raises OSError."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    until = None if seconds is None else time.time() + seconds
    beside = path.with_name(f".{path.name}.{os.getpid()}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        json.dump({"level": level, "until": until}, file)
    beside.replace(path)


def read_level(path: Path) -> tuple[str, float | None] | None:
    """The level that is asked for and until when; None: nothing is, or no longer, or nothing that can be understood."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        level, until = str(content["level"]), content["until"]
        until = None if until is None else float(until)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    over = until is not None and until <= time.time()
    return None if over or level not in LEVELS else (level, until)


class LevelWatch:
    """Applies what is asked for. `configured` is the level without any wish."""

    def __init__(self, path: Path, configured: int, apply: Apply) -> None:
        self._path = path
        self._configured = configured
        self._apply = apply
        self._by_signal = False
        self._applied = configured
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name="log-level", daemon=True)

    def start(self) -> None:
        """Apply now, and look from now on; the signal is listened to in the main thread only."""
        self.look()
        self._thread.start()
        with suppress(ValueError):
            signal.signal(signal.SIGUSR1, self._toggle)

    def stop(self) -> None:
        """End; the signal is ignored from then on, because without a handler it would end the process."""
        self._ended.set()
        with suppress(ValueError):
            signal.signal(signal.SIGUSR1, signal.SIG_IGN)

    def look(self) -> None:
        """Apply what is asked for now."""
        wish = read_level(self._path)
        level = logging.DEBUG if self._by_signal else LEVELS[wish[0]] if wish else self._configured
        if level != self._applied:
            self._applied = level
            self._apply(level)

    def _run(self) -> None:
        while not self._ended.wait(LOOK_SECONDS):
            self.look()

    def _toggle(self, _number: int, _frame: FrameType | None) -> None:
        self._by_signal = not self._by_signal
        self.look()
