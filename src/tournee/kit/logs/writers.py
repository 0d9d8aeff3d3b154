"""Where lines are written: a file that several processes share, and a stream.

The file is written through concurrent-log-handler, whose lock and rotation several processes share. Invariants: mode
0600; a line is in the file whole or not at all, also when the disk is full in the middle of it; a folder that is gone
is made again.
"""

from __future__ import annotations

import errno
import io
import json
import logging
import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, TextIO, cast

from concurrent_log_handler import ConcurrentRotatingFileHandler

from tournee.kit.logs.entry import Entry

PRIVATE_FILE = 0o600
PRIVATE_FOLDER = 0o700
LONGEST_LINE = 262_144

Form = Callable[[Mapping[str, Any]], str]
"""Makes one line of an event, without its end; an empty one is left out."""


def form_json(event: Mapping[str, Any]) -> str:
    """One JSON object. One that is too long loses its fields, never its end."""
    line = json.dumps(event, ensure_ascii=False, default=str, allow_nan=True)
    if len(line) > LONGEST_LINE:
        kept = {name: event[name] for name in ("timestamp", "level", "event", "logger", "pid") if name in event}
        line = json.dumps({**kept, "left_out": f"{len(line)} characters"}, ensure_ascii=False)
    return line


class SharedFile:
    """One JSON line for each entry, in a file that is rotated at a size; `kept` old ones stay."""

    def __init__(self, path: Path, *, most_bytes: int, kept: int) -> None:
        self.path = path
        self._most_bytes = most_bytes
        self._kept = kept
        self._handler: _WholeLines | None = None

    def write(self, entries: Sequence[Entry]) -> None:
        """All of them, in one piece. Raises OSError."""
        lines = [form_json(entry.render()) for entry in entries]
        if self._handler is None:
            self.path.parent.mkdir(mode=PRIVATE_FOLDER, parents=True, exist_ok=True)
            self._handler = _WholeLines(
                self.path, maxBytes=self._most_bytes, backupCount=self._kept, chmod=PRIVATE_FILE, keep_file_open=False
            )
        try:
            self._handler.write_text("\n".join(lines))
        except Exception:
            self._handler.close()
            self._handler = None
            raise


class _WholeLines(ConcurrentRotatingFileHandler):
    """Tells its errors to whoever writes, and takes back what did not fit.

    It opens the file anew each time: a lock on a file that somebody has removed would lock nobody else out.
    """

    def write_text(self, text: str) -> None:
        self.emit(logging.makeLogRecord({"msg": text}))

    def format(self, record: logging.LogRecord) -> str:
        return str(record.msg)

    def handleError(self, record: logging.LogRecord) -> None:  # noqa: N802 - the library's name
        raise  # noqa: PLE0704 - called from an except clause

    def do_write(self, msg: str) -> None:
        """Called with the lock held. The library's own leaves what did not fit in a buffer, which ends up in the
        middle of somebody else's line.
        """
        content = (msg + "\n").encode("utf-8", "replace")
        raw = cast("io.FileIO", cast("Any", self.do_open()).detach().detach())
        with raw:
            end = raw.seek(0, os.SEEK_END)
            written = 0
            try:
                written = raw.write(content)
            finally:
                if written != len(content) and os.fstat(raw.fileno()).st_size > end:
                    os.ftruncate(raw.fileno(), end)
        if written != len(content):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), self.baseFilename)


class Stream:
    """One line for each entry, on what `find_stream` answers at that moment.

    `direct`: past the stream's buffer, where there is a descriptor. A thread that is stuck in a pipe that nobody reads
    would hold the buffer's lock, without which Python can't end.
    """

    def __init__(self, find_stream: Callable[[], TextIO], form: Form, *, direct: bool = False) -> None:
        self._find_stream = find_stream
        self._form = form
        self._direct = direct

    def write(self, entries: Sequence[Entry]) -> None:
        """Raises OSError, and ValueError where the stream is closed."""
        lines = [line for line in (self._form(entry.render()) for entry in entries) if line]
        if not lines:
            return
        text, stream = "\n".join(lines) + "\n", self._find_stream()
        descriptor = _find_descriptor(stream) if self._direct else None
        if descriptor is None:
            stream.write(text)
            stream.flush()
            return
        rest = memoryview(text.encode("utf-8", "replace"))
        while rest:
            rest = rest[os.write(descriptor, rest) :]


def _find_descriptor(stream: TextIO) -> int | None:
    try:
        return stream.fileno()
    except (OSError, ValueError, AttributeError):
        return None
