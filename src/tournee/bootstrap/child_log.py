"""What a supervised process prints: kept in a file of its own, and what matters of it told by the supervisor.

The child writes to the file itself, so that no slow terminal ever holds it up. Invariant: the file stays bounded, and
a line is told at most once.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import structlog

from tournee.embedded.log import ServerLog
from tournee.kit.logs.pipeline import FILED_ALREADY

log = structlog.get_logger(__name__)

TOLD_LEVELS = {"warning": logging.WARNING, "error": logging.ERROR, "critical": logging.CRITICAL}
LONGEST_LOOK_BYTES = 256 * 1024
OURS_ALREADY = frozenset({"event", "level", "timestamp", "exception", "logger", "pid"})
FINAL_WORDS = ("tournee: ", "FATAL: ")
"""How the one line begins with which a command, or what starts it, says why it ended."""


class ChildLog:
    """One child's file, followed from its present end."""

    def __init__(self, path: Path, name: str) -> None:
        self.path = path
        self._name = name
        self._file = ServerLog(path)
        self._at = self._file.mark()
        self._rest = b""

    @contextmanager
    def open_for_append(self) -> Iterator[int]:
        """Yield a descriptor for a child's output."""
        self._file.trim()
        with self._file.open_for_append() as descriptor:
            yield descriptor

    def tell_new(self) -> None:
        """Log the warnings and errors that came since the last look, under the child's name."""
        for line in self._read_new():
            told = read_line(line)
            if told is not None:
                level, event, fields, filed = told
                log.log(level, event, **{**fields, "process": self._name, FILED_ALREADY: filed})

    def trim(self) -> None:
        """Cut the file if it has grown too large."""
        self._file.trim()

    def _read_new(self) -> list[str]:
        """Whole lines only; after a burst the latest. A file that was cut is read from its start."""
        size = self._file.mark()
        if size < self._at:
            self._at, self._rest = 0, b""
        if size == self._at:
            return []
        if size - self._at > LONGEST_LOOK_BYTES:
            self._at, self._rest = size - LONGEST_LOOK_BYTES, b""
        with self.path.open("rb") as file:
            file.seek(self._at)
            content = self._rest + file.read(size - self._at)
        self._at = size
        *lines, self._rest = content.split(b"\n")
        return [line.decode("utf-8", "replace") for line in lines]


def read_line(line: str) -> tuple[int, str, dict[str, Any], bool] | None:
    """Level, event and fields of a line that the operator should see, and whether the child has written it to the
    shared file itself, as it does with all that it logs; None for any other line.
    """
    if line.startswith(FINAL_WORDS):
        return logging.ERROR, line.partition(": ")[2], {}, False
    try:
        content = json.loads(line)
    except ValueError:
        return None
    level = TOLD_LEVELS.get(str(content.get("level"))) if isinstance(content, dict) else None
    if level is None:
        return None
    fields = {name: value for name, value in content.items() if name not in OURS_ALREADY}
    if "exception" in content:
        last = (str(content["exception"]).strip().splitlines() or [""])[-1]
        fields.setdefault("error", last)
    return level, str(content.get("event", "")), fields, True
